import { describe, expect, it, vi } from "vitest";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { SIGNING_KEY, startEdge, unique } from "./testing/edge-harness.ts";

const RULES = [{ version_id: 1 }];
/** How long a condition may take on a loaded machine. */
const WAIT = { timeout: 10_000 };
const NEVER_MS = 600_000;
const sign = (index: number, epoch = 1, cluster_id = "c1") =>
  createIndexSigner(SIGNING_KEY).sign({ cluster_id, epoch, index });
const asking = (minimum: string): RequestInit => ({ headers: { "X-Conflux-Min-Index": minimum } });

describe("head", () => {
  it("E5 is checked at most once in its time, however many requests it serves", async () => {
    const edge = await startEdge({ headTtlMs: NEVER_MS });
    await edge.publish({ contents: [unique()], rules: RULES });
    for (let i = 0; i < 20; i += 1) expect((await edge.fetchConfig()).status).toBe(200);
    expect(await edge.replica.calls()).toEqual({ changesSince: 1, lookup: 1 });
  });

  it("E5 sees a change when its time is over, and a deletion, and a creation after a miss", async () => {
    const edge = await startEdge();
    expect((await edge.fetchConfig()).status).toBe(404);
    const [one, two] = [unique(), unique()];
    await edge.publish({ contents: [one], rules: RULES });
    expect(await (await edge.fetchConfig()).text()).toBe(one);
    await edge.publish({ contents: [two], rules: RULES });
    expect(await (await edge.fetchConfig()).text()).toBe(two);
    await edge.replica.put({ name: "demo/shop/prod/app", doc: null, version: 1 });
    expect((await edge.fetchConfig()).status).toBe(404);
    // One name, looked up once: the rest came as deltas.
    expect((await edge.replica.calls())["lookup"]).toBe(1);
  });

  it.each([
    ["FRA", 200],
    ["CDG", 404],
    [undefined, 200],
  ])("E11 asks the replica of its location's group: %s", async (location, status) => {
    const edge = await startEdge({ replicaGroups: 2, ...(location === undefined ? {} : { location }) });
    // Only the first group's replica has it.
    await edge.publish({ contents: [unique()], rules: RULES });
    expect((await edge.fetchConfig()).status).toBe(status);
  });

  it.each([0, 1.5, 33])("E11 serves nobody with %s replicas a region", async (replicaGroups) => {
    const edge = await startEdge({ replicaGroups });
    expect((await edge.fetchConfig()).status).toBe(500);
    expect(String(edge.logs[0]?.error)).toContain("REPLICA_GROUPS");
  });

  it("E5 keeps what it knows of absent names", async () => {
    const edge = await startEdge({ headTtlMs: NEVER_MS });
    for (let i = 0; i < 5; i += 1) expect((await edge.fetchConfig()).status).toBe(404);
    expect((await edge.replica.calls())["lookup"]).toBe(1);
  });

  it("E5 forgets all when the delta was dropped, and keeps the revocations", async () => {
    const edge = await startEdge();
    const [one, two] = [unique(), unique()];
    await edge.publish({ contents: [one], rules: RULES });
    expect(await (await edge.fetchConfig()).text()).toBe(one);
    await edge.replica.fault({ dropNext: true });
    await edge.publish({ contents: [two], rules: RULES });
    expect(await (await edge.fetchConfig()).text()).toBe(two);
    await edge.replica.fault({ dropNext: true });
    await edge.replica.revoke("j1");
    expect((await edge.fetchConfig()).status).toBe(401);
  });

  it("E5 starts over in a new epoch and refuses a lower one", async () => {
    const edge = await startEdge();
    const [one, two, three] = [unique(), unique(), unique()];
    await edge.publish({ contents: [one], rules: RULES });
    expect(await (await edge.fetchConfig()).text()).toBe(one);
    await edge.replica.move({ epoch: 2, index: 5 });
    await edge.publish({ contents: [two], rules: RULES });
    const anew = await edge.fetchConfig();
    expect(await anew.text()).toBe(two);
    expect(anew.headers.get("x-config-index")).toBe(await sign(6, 2));
    await edge.replica.move({ epoch: 1, index: 500 });
    await edge.publish({ contents: [three], rules: RULES });
    const kept = await edge.fetchConfig();
    expect(await kept.text()).toBe(two);
    expect(kept.headers.get("x-config-index")).toBe(await sign(6, 2));
  });

  it("E5 never goes back to a lower index", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: RULES });
    const first = await edge.fetchConfig();
    await edge.replica.move({ index: 50 });
    const second = await edge.fetchConfig();
    expect(second.status).toBe(200);
    expect(second.headers.get("x-config-index")).toBe(first.headers.get("x-config-index"));
    // A name it does not hold cannot be answered by a replica that is behind.
    expect((await edge.fetchConfig({}, "demo/shop/prod/other")).status).toBe(503);
    await edge.replica.move({ index: 200 });
    expect((await edge.fetchConfig({}, "demo/shop/prod/other")).status).toBe(404);
  });
});

describe("minimum index", () => {
  it("E5 brings the head forward before its time", async () => {
    const edge = await startEdge({ headTtlMs: NEVER_MS });
    const [one, two] = [unique(), unique()];
    await edge.publish({ contents: [one], rules: RULES });
    expect(await (await edge.fetchConfig()).text()).toBe(one);
    const minimum = await sign(await edge.publish({ contents: [two], rules: RULES }));
    expect(await (await edge.fetchConfig()).text()).toBe(one);
    const moved = await edge.fetchConfig(asking(minimum));
    expect(await moved.text()).toBe(two);
    expect(moved.headers.get("x-config-index")).toBe(minimum);
    // The whole head moved: the next one who asks costs nothing.
    const before = await edge.replica.calls();
    expect(await (await edge.fetchConfig(asking(minimum))).text()).toBe(two);
    expect(await edge.replica.calls()).toEqual(before);
  });

  it("E5 waits for an index that is on its way", async () => {
    const edge = await startEdge({ headTtlMs: NEVER_MS });
    const [one, two] = [unique(), unique()];
    const now = await edge.publish({ contents: [one], rules: RULES });
    await edge.fetchConfig();
    const waiting = edge.fetchConfig(asking(await sign(now + 1)));
    await vi.waitFor(async () => {
      expect((await edge.replica.calls())["lookup"]).toBe(2);
    }, WAIT);
    await edge.publish({ contents: [two], rules: RULES });
    const response = await waiting;
    expect(await response.text()).toBe(two);
    expect(response.headers.get("x-config-index")).toBe(await sign(now + 1));
  });

  it("E5 answers 503 when it is not reached in time", async () => {
    const edge = await startEdge();
    const now = await edge.publish({ contents: [unique()], rules: RULES });
    for (const minimum of [await sign(now + 1), await sign(1, 2)]) {
      const response = await edge.fetchConfig(asking(minimum));
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
      expect((await response.json<{ code: string }>()).code).toBe("index_not_reached");
    }
    expect((await edge.fetchConfig()).status).toBe(200);
  });

  it("E5 ignores a forged one and one that it cannot know", async () => {
    const edge = await startEdge({ headTtlMs: NEVER_MS });
    const now = await edge.publish({ contents: [unique()], rules: RULES });
    await edge.fetchConfig();
    const before = await edge.replica.calls();
    const genuine = await sign(now);
    const forged = [
      genuine.replace(`.${now}.`, `.${now + 1000}.`),
      await createIndexSigner(`${SIGNING_KEY}!`).sign({ cluster_id: "c1", epoch: 1, index: now + 1000 }),
      "999999",
      "x".repeat(5000),
      await sign(now + 1000, 0),
      await sign(now + 1000, 1, "c2"),
    ];
    for (const minimum of forged) expect((await edge.fetchConfig(asking(minimum))).status).toBe(200);
    expect(await edge.replica.calls()).toEqual(before);
  });
});

describe("with the replica away", () => {
  it("E7 serves the last good document with its age, then 503", async () => {
    const edge = await startEdge();
    const content = unique();
    await edge.publish({ contents: [content], rules: RULES });
    await edge.fetchConfig();
    await edge.replica.fault({ away: true });
    await vi.waitFor(async () => {
      const stale = await edge.fetchConfig();
      expect(await stale.text()).toBe(content);
      expect(Number(stale.headers.get("x-config-age"))).toBeGreaterThan(0);
    }, WAIT);
    expect((await edge.fetchConfig({}, "demo/shop/prod/unheard-of")).status).toBe(503);
    expect(edge.logs.some((entry) => entry.message.includes("could not be checked"))).toBe(true);
    await edge.replica.fault({ away: false });
    expect((await edge.fetchConfig()).status).toBe(200);
  });

  it("E7 answers 503 past the longest staleness", async () => {
    const edge = await startEdge({ maxStaleS: 0 });
    await edge.publish({ contents: [unique()], rules: RULES });
    expect((await edge.fetchConfig()).status).toBe(200);
    await edge.replica.fault({ away: true });
    await vi.waitFor(async () => {
      const response = await edge.fetchConfig();
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    }, WAIT);
    await edge.replica.fault({ away: false });
    expect((await edge.fetchConfig()).status).toBe(200);
  });

  it("E7 answers 503 when it never had a head, and recovers", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: RULES });
    await edge.replica.fault({ away: true });
    const response = await edge.fetchConfig();
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    await edge.replica.fault({ away: false });
    expect((await edge.fetchConfig()).status).toBe(200);
  });

  it("E7 does not wait for a slow one when it has an answer", async () => {
    const edge = await startEdge();
    const content = unique();
    await edge.publish({ contents: [content], rules: RULES });
    await edge.fetchConfig();
    await edge.replica.fault({ hold: true });
    // The replica answers nothing until it is released below; the fetch must not need it.
    expect(await (await edge.fetchConfig()).text()).toBe(content);
    await edge.replica.fault({ hold: false });
  });

  it("E7 tells the age of a replica that has lost the core", async () => {
    const edge = await startEdge({ headTtlMs: NEVER_MS });
    await edge.publish({ contents: [unique()], rules: RULES });
    await edge.replica.move({ age_ms: 60_000 });
    expect(Number((await edge.fetchConfig()).headers.get("x-config-age"))).toBeGreaterThanOrEqual(60);
  });
});
