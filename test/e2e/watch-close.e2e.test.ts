import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack } from "../testing/stack.ts";
import { adminOk } from "../testing/stack-client.ts";

const CLOSE_WAIT_MS = 8_000;
const TOKEN_TTL_S = 3;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
});

async function makeToken(ttlS: number): Promise<{ id: string; token: string }> {
  const { json } = await adminOk(stack, "POST", "/auth/client-tokens", {
    name: `watcher for ${ttlS} s`,
    scopes: ["read:demo/shop/prod/*"],
    ttl_seconds: ttlS,
  });
  return { id: String(json["id"]), token: String(json["token"]) };
}

/** The close event of a socket; its client does nothing until then but to say `ping` when it has opened. */
function openWatch(token: string): { greeted: Promise<void>; closed: Promise<CloseEvent> } {
  const url = `${stack.dev.edge_url.replace("http", "ws")}/api/v1/watch?config=demo/shop/prod/*`;
  const socket = new WebSocket(url, [`conflux.bearer.${token}`]);
  const greeted = new Promise<void>((done) => {
    socket.addEventListener("message", ({ data }) => {
      if (data === "pong") done();
    });
  });
  const closed = new Promise<CloseEvent>((done) => socket.addEventListener("close", done, { once: true }));
  socket.addEventListener("open", () => socket.send("ping"));
  return { greeted, closed };
}

const orLate = (closed: Promise<CloseEvent>): Promise<CloseEvent | "late"> =>
  Promise.race([closed, sleep(CLOSE_WAIT_MS, "late" as const, { ref: false })]);

test("E2 E9 a watcher's connection ends with 4401 when its token is revoked", async () => {
  const { id, token } = await makeToken(3600);
  const { greeted, closed } = openWatch(token);
  await greeted;
  await adminOk(stack, "DELETE", `/auth/client-tokens/${id}`);
  expect(await orLate(closed)).toMatchObject({ code: 4401, reason: "token revoked", wasClean: true });
});

test("E9 a watcher's connection ends with 4401 when its token expires", async () => {
  const { token } = await makeToken(TOKEN_TTL_S);
  const { greeted, closed } = openWatch(token);
  await greeted;
  expect(await orLate(closed)).toMatchObject({ code: 4401, reason: "token expired", wasClean: true });
});

test("E9 a page of a foreign origin is told 4403, and nothing else", async () => {
  const url = `${stack.dev.edge_url.replace("http", "ws")}/api/v1/watch?config=demo/shop/prod/*`;
  const protocols = [`conflux.bearer.${stack.dev.client_token}`];
  const socket = new WebSocket(url, { protocols, headers: { origin: "https://evil.example" } });
  const messages: unknown[] = [];
  socket.addEventListener("message", ({ data }) => messages.push(data));
  const closed = new Promise<CloseEvent>((done) => socket.addEventListener("close", done, { once: true }));
  expect(await orLate(closed)).toMatchObject({ code: 4403, reason: "forbidden origin" });
  expect(messages).toEqual([]);
});
