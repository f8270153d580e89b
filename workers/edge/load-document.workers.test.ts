import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { startEdge, unique } from "./testing/edge-harness.ts";

const RULES = [{ version_id: 1 }];
const realKv = (env as unknown as { KV_US_EAST_1: KVNamespace }).KV_US_EAST_1;

/** The real namespace, except that its reads behave as `get` says. */
function kvReading(get: (key: string) => Promise<ArrayBuffer | null>): KVNamespace {
  return { put: realKv.put.bind(realKv), get } as unknown as KVNamespace;
}
const large = (): string => JSON.stringify({ id: crypto.randomUUID(), filler: "x".repeat(100_000) });

describe("documents", () => {
  it("E4 come from KV when the isolate has none", async () => {
    const edge = await startEdge();
    const content = unique();
    await edge.publish({ contents: [content], rules: RULES, replica: false });
    expect(await (await edge.fetchConfig()).text()).toBe(content);
    expect((await edge.replica.calls())["content"]).toBeUndefined();
  });

  it("E4 come from the replica when KV does not show them yet", async () => {
    const edge = await startEdge();
    const content = unique();
    await edge.publish({ contents: [content], rules: RULES, kv: false });
    expect(await (await edge.fetchConfig()).text()).toBe(content);
    expect((await edge.replica.calls())["content"]).toBe(1);
    expect((await edge.fetchConfig()).status).toBe(200);
    expect((await edge.replica.calls())["content"]).toBe(1);
  });

  it.each([
    [
      "other bytes",
      () => Promise.resolve(new TextEncoder().encode("other").buffer as ArrayBuffer),
      "other bytes",
    ],
    ["an error", () => Promise.reject(new Error("KV is away")), "could not be read"],
    ["no answer", () => new Promise<null>(() => undefined), "could not be read"],
  ] as [string, () => Promise<ArrayBuffer | null>, string][])(
    "E4 come from the replica when KV has %s",
    async (_, get, logged) => {
      const edge = await startEdge({ kv: kvReading(get) });
      const [small, big] = [unique(), large()];
      await edge.publish({
        contents: [small, big],
        rules: [{ version_id: 1 }, { version_id: 2, labels: { big: "1" } }],
      });
      expect(await (await edge.fetchConfig()).text()).toBe(small);
      expect(await (await edge.fetchConfig({ headers: { "x-client-label-big": "1" } })).text()).toBe(big);
      expect(edge.logs.some(({ message }) => message.includes(logged))).toBe(true);
    },
  );

  it("E4 large variants stand by themselves, in KV or at the replica", async () => {
    for (const places of [{ kv: false }, { replica: false }]) {
      const edge = await startEdge();
      const content = large();
      await edge.publish({ contents: [content], rules: RULES, ...places });
      expect(await (await edge.fetchConfig()).text()).toBe(content);
      const head = await edge.fetchConfig({ method: "HEAD" });
      expect(head.headers.get("content-length")).toBe(String(content.length));
    }
  });

  it("E4 answer 503 when no place has their bytes, and are served once one has", async () => {
    const edge = await startEdge();
    const content = unique();
    const published = { contents: [content], rules: RULES };
    await edge.publish({ ...published, kv: false, replica: false });
    const response = await edge.fetchConfig();
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    await edge.publish(published);
    expect(await (await edge.fetchConfig()).text()).toBe(content);
  });

  it("E4 are served from memory with KV and the contents of the replica away", async () => {
    const state = { away: false };
    const edge = await startEdge({
      kv: kvReading((key) =>
        state.away ? Promise.reject(new Error("away")) : realKv.get(key, "arrayBuffer"),
      ),
    });
    const content = unique();
    await edge.publish({ contents: [content], rules: RULES, replica: false });
    await edge.fetchConfig();
    state.away = true;
    expect(await (await edge.fetchConfig()).text()).toBe(content);
  });

  it("E1 refuses a document of another config, whatever the head says", async () => {
    const edge = await startEdge();
    await edge.publish({ config: "demo/shop/prod/secret", contents: [unique()], rules: RULES });
    const { entries } = await edge.replica.lookup({ names: ["demo/shop/prod/secret"] });
    await edge.replica.put({ name: "demo/shop/prod/app", doc: entries[0]?.doc ?? null, version: 1 });
    const response = await edge.fetchConfig();
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret");
  });
});
