import { describe, expect, it } from "vitest";
import { startEdge } from "./testing/edge-harness.ts";

interface Told {
  hub: string;
  url: string;
  headers: Record<string, string>;
}
const WATCH = "/api/v1/watch?config=demo/shop/prod/*&since=x";
const principalOf = (told: Told): unknown => JSON.parse(told.headers["x-conflux-watch-principal"] ?? "null");

async function firstMessage(response: Response): Promise<Told> {
  const socket = response.webSocket;
  if (socket === null) throw new Error(`no socket: ${response.status}`);
  const told = new Promise<string>((resolve) => {
    socket.addEventListener("message", ({ data }) => {
      resolve(data as string);
    });
  });
  socket.accept();
  const text = await told;
  socket.close(1000);
  return JSON.parse(text) as Told;
}

describe("open watch", () => {
  it("E9 hands an authorised socket to a hub of the region, with what was verified and without the token", async () => {
    const edge = await startEdge();
    const headers = { upgrade: "websocket", "x-conflux-watch-principal": '{"scopes":["read:**"]}' };
    const response = await edge.send(WATCH, { headers });
    expect(response.status).toBe(101);
    expect(response.headers.get("sec-websocket-protocol")).toBeNull();
    const told = await firstMessage(response);
    expect(told.url).toContain(WATCH);
    expect(told.headers["authorization"]).toBeUndefined();
    expect(principalOf(told)).toEqual({
      jti: "j1",
      scopes: ["read:demo/shop/prod/*"],
      issued_at_ms: expect.any(Number) as number,
      expires_at_ms: expect.any(Number) as number,
      region: edge.region,
    });
  });

  it("E9 takes a browser's token from the subprotocol and chooses it", async () => {
    const edge = await startEdge();
    const protocol = `conflux.bearer.${edge.token}`;
    const headers = {
      upgrade: "websocket",
      authorization: "none",
      "sec-websocket-protocol": `other, ${protocol}`,
    };
    const response = await edge.send(WATCH, { headers });
    expect(response.headers.get("sec-websocket-protocol")).toBe(protocol);
    const told = await firstMessage(response);
    expect(JSON.stringify(told)).not.toContain(edge.token);
  });

  it("E10 spreads the clients of one token over the hubs that HUB_SHARDS names", async () => {
    for (const [hubShards, atLeast] of [
      [1, 1],
      [32, 5],
    ] as const) {
      const edge = await startEdge({ hubShards });
      const open = async (): Promise<string> => {
        return (await firstMessage(await edge.send(WATCH, { headers: { upgrade: "websocket" } }))).hub;
      };
      const hubs = new Set(await Promise.all(Array.from({ length: 40 }, open)));
      expect(hubs.size).toBeGreaterThanOrEqual(atLeast);
      const possible = Array.from({ length: hubShards }, (_, shard) => `hub:${edge.region}:${shard}`);
      expect(possible).toEqual(expect.arrayContaining([...hubs]));
    }
  });

  it.each([0, 2.5, 129])("E10 serves nobody with %s hub shards", async (hubShards) => {
    const edge = await startEdge({ hubShards });
    expect((await edge.send(WATCH, { headers: { upgrade: "websocket" } })).status).toBe(500);
    expect(String(edge.logs[0]?.error)).toContain("HUB_SHARDS");
  });

  it("E9 streams events", async () => {
    const edge = await startEdge();
    const response = await edge.send(WATCH, { headers: { accept: "text/event-stream" } });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("x-trace-id")).toMatch(/^[0-9a-f]{32}$/);
    const text = await response.text();
    expect(principalOf(JSON.parse(text.slice("data: ".length)) as Told)).toMatchObject({ jti: "j1" });
  });

  it("A4 gives the hub no scope beyond the token's tenant", async () => {
    const edge = await startEdge();
    const token = await edge.issue({ scopes: ["read:**", "read:other/**", "write:demo/**"] });
    const headers = { upgrade: "websocket", authorization: `Bearer ${token}` };
    const told = await firstMessage(await edge.send(WATCH, { headers }));
    expect(principalOf(told)).toMatchObject({ scopes: ["read:demo/**"] });
  });

  it.each([
    ["no token", { upgrade: "websocket", authorization: "none" }, 401],
    ["a bad token", { upgrade: "websocket", authorization: "Bearer x" }, 401],
    [
      "a bad token in the subprotocol",
      { upgrade: "websocket", authorization: "none", "sec-websocket-protocol": "conflux.bearer.x" },
      401,
    ],
    ["neither socket nor stream", { accept: "text/html" }, 400],
  ])("E9 refuses %s", async (_, headers, status) => {
    const edge = await startEdge();
    expect((await edge.send(WATCH, { headers })).status).toBe(status);
  });

  it("E2 refuses a revoked token, and everyone while it cannot know who is revoked", async () => {
    const edge = await startEdge();
    const headers = { upgrade: "websocket" };
    await edge.replica.revoke("j1");
    expect((await edge.send(WATCH, { headers })).status).toBe(401);
    edge.restart();
    await edge.replica.fault({ away: true });
    expect((await edge.send(WATCH, { headers })).status).toBe(503);
  });

  it.each([
    ["the edge's own origin", "http://edge.test"],
    ["an origin of the list", "https://app.example.com"],
    ["no origin", null],
  ])("E9 lets %s watch", async (_, origin) => {
    const edge = await startEdge({ allowedOrigins: "https://x.example, https://app.example.com" });
    const from = origin === null ? {} : { origin };
    const socket = await edge.send(WATCH, { headers: { upgrade: "websocket", ...from } });
    expect(principalOf(await firstMessage(socket))).toMatchObject({ jti: "j1" });
    const stream = await edge.send(WATCH, { headers: { accept: "text/event-stream", ...from } });
    expect(stream.status).toBe(200);
    await stream.text();
  });

  it.each([
    "https://evil.example",
    "https://edge.test",
    "http://edge.test:81",
    "https://app.example.com.evil",
    "null",
  ])("E9 closes a socket of the foreign origin %s with 4403, and refuses it a stream", async (origin) => {
    const edge = await startEdge({ allowedOrigins: "https://app.example.com" });
    const protocol = `conflux.bearer.${edge.token}`;
    const headers = { upgrade: "websocket", origin, "sec-websocket-protocol": protocol };
    const { status, webSocket, headers: answered } = await edge.send(WATCH, { headers });
    expect([status, answered.get("sec-websocket-protocol")]).toEqual([101, protocol]);
    const messages: unknown[] = [];
    const code = new Promise<number>((resolve) => {
      webSocket?.addEventListener("message", ({ data }) => messages.push(data));
      webSocket?.addEventListener("close", (event) => {
        resolve(event.code);
      });
    });
    webSocket?.accept();
    expect(await code).toBe(4403);
    expect(messages).toEqual([]);
    const stream = await edge.send(WATCH, { headers: { accept: "text/event-stream", origin } });
    expect(stream.status).toBe(403);
    expect(await stream.json()).toMatchObject({ code: "forbidden" });
    expect(await edge.replica.calls()).toEqual({});
  });

  it.each(["*", "app.example.com", "https://app.example.com/", "https://APP.example.com"])(
    "E9 serves nobody with %s among the allowed origins",
    async (allowedOrigins) => {
      const edge = await startEdge({ allowedOrigins });
      expect((await edge.send(WATCH, { headers: { upgrade: "websocket" } })).status).toBe(500);
      expect(String(edge.logs[0]?.error)).toContain("ALLOWED_ORIGINS");
    },
  );
});
