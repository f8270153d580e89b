/** What a client sees while clients abort, clocks differ, and KV or the replica are slow (E2, E4, E5, E7). */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { SIGNING_KEY, startEdge, unique } from "./testing/edge-harness.ts";

type Edge = Awaited<ReturnType<typeof startEdge>>;

const RULES = [{ version_id: 1 }];
/** How long a condition may take on a loaded machine. */
const WAIT = { timeout: 10_000 };
const NEVER_MS = 600_000;
const MINUTE_MS = 60_000;
const realKv = (env as unknown as { KV_US_EAST_1: KVNamespace }).KV_US_EAST_1;

/** The namespace, whose reads wait while `hold`. */
function slowKv(state: { hold: boolean; reads: number }): KVNamespace {
  const get = async (key: string): Promise<ArrayBuffer | null> => {
    state.reads += 1;
    while (state.hold) await scheduler.wait(5);
    return realKv.get(key, "arrayBuffer");
  };
  return { put: realKv.put.bind(realKv), get } as unknown as KVNamespace;
}

interface Held {
  edge: Edge;
  content: string;
  hold: (on: boolean) => Promise<void>;
  /** Whether so many requests wait at the place. */
  waiting: (count: number) => Promise<boolean>;
}

/** An isolate with one config, and a place on the way of its first request that can be made to answer nothing. */
const PLACES: Record<string, () => Promise<Held>> = {
  "the key set": async () => {
    const edge = await startEdge();
    const content = unique();
    await edge.publish({ contents: [content], rules: RULES });
    return {
      edge,
      content,
      hold: async (on) => {
        edge.issuer.hold = on;
      },
      waiting: async (count) => edge.issuer.reads >= count,
    };
  },
  "the head": async () => {
    const edge = await startEdge({ headTtlMs: NEVER_MS });
    const content = unique();
    await edge.publish({ contents: [content], rules: RULES });
    return {
      edge,
      content,
      hold: (on) => edge.replica.fault({ hold: on }),
      waiting: async (count) => ((await edge.replica.calls())["changesSince"] ?? 0) >= count,
    };
  },
  KV: async () => {
    const state = { hold: false, reads: 0 };
    const edge = await startEdge({ kv: slowKv(state) });
    const content = unique();
    await edge.publish({ contents: [content], rules: RULES, replica: false });
    return {
      edge,
      content,
      hold: async (on) => {
        state.hold = on;
      },
      waiting: async (count) => state.reads >= count,
    };
  },
  "the document at the replica": async () => {
    const edge = await startEdge({ headTtlMs: NEVER_MS });
    const content = unique();
    // The head and the name are known already, so that the document is all that is asked for.
    await edge.publish({ contents: [content], rules: RULES, kv: false, replica: false });
    expect((await edge.fetchConfig()).status).toBe(503);
    await edge.publish({ contents: [content], rules: RULES, kv: false });
    const before = (await edge.replica.calls())["content"] ?? 0;
    return {
      edge,
      content,
      hold: (on) => edge.replica.fault({ hold: on }),
      waiting: async (count) => ((await edge.replica.calls())["content"] ?? 0) >= before + count,
    };
  },
};

describe("a client that aborts", () => {
  it.each(Object.keys(PLACES))("E4 E7 while it waits for %s spoils no other's request", async (place) => {
    const { edge, content, hold, waiting } = await PLACES[place]!();
    await hold(true);
    const aborting = new AbortController();
    const aborted = edge.fetchConfig({ signal: aborting.signal });
    const outcome = expect(aborted).rejects.toThrow();
    await vi.waitFor(async () => expect(await waiting(1)).toBe(true), WAIT);
    // Another client's, which waits for the same at the same time.
    const patient = edge.fetchConfig({ signal: new AbortController().signal });
    await vi.waitFor(async () => expect(await waiting(2)).toBe(true), WAIT);
    aborting.abort();
    await outcome;
    await hold(false);
    for (const answer of [patient, edge.fetchConfig({ signal: new AbortController().signal })]) {
      expect([(await answer).status, await (await answer).text()]).toEqual([200, content]);
    }
  });
});

describe("clocks that differ", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  const status = async (edge: Edge, token: string): Promise<number> =>
    (await edge.fetchConfig({ headers: { authorization: `Bearer ${token}` } })).status;

  it("E2 an edge that is behind the admin Worker takes its tokens within the tolerance, and no others", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: RULES });
    const issuedMs = Date.now();
    const token = await edge.issue({ jti: "new" });
    for (const [behindMs, expected] of [
      [59_000, 200],
      [3 * MINUTE_MS, 401],
      [0, 200],
    ] as const) {
      edge.restart();
      vi.setSystemTime(issuedMs - behindMs);
      expect(await status(edge, token), `${behindMs} ms behind`).toBe(expected);
    }
  });

  it("E2 an edge that is ahead ends a token by its own clock, and takes a longer one", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: RULES });
    const nowS = Math.floor(Date.now() / 1000);
    const [short, long] = [await edge.issue({ exp: nowS + 120 }), await edge.issue({ exp: nowS + 600 })];
    vi.setSystemTime(Date.now() + 3 * MINUTE_MS);
    expect([await status(edge, short), await status(edge, long)]).toEqual([401, 200]);
  });

  it("E5 a clock that is set back makes no head fresh for minutes, and no age negative", async () => {
    const edge = await startEdge({ headTtlMs: 1_000 });
    const [one, two, three] = [unique(), unique(), unique()];
    const token = await edge.issue({ iat: Math.floor(Date.now() / 1000) - 3600 });
    const asked = { headers: { authorization: `Bearer ${token}` } };
    await edge.publish({ contents: [one], rules: RULES });
    expect(await (await edge.fetchConfig(asked)).text()).toBe(one);
    await edge.publish({ contents: [two], rules: RULES });
    vi.setSystemTime(Date.now() - 5 * MINUTE_MS);
    expect(await (await edge.fetchConfig(asked)).text()).toBe(two);
    // Back again, with the replica away and behind the core: served, with an age that is one.
    await edge.replica.move({ age_ms: MINUTE_MS });
    await edge.publish({ contents: [three], rules: RULES });
    vi.setSystemTime(Date.now() + 5 * MINUTE_MS);
    expect(await (await edge.fetchConfig(asked)).text()).toBe(three);
    await edge.replica.fault({ away: true });
    vi.setSystemTime(Date.now() - 5 * MINUTE_MS);
    const stale = await edge.fetchConfig(asked);
    expect([stale.status, await stale.text()]).toEqual([200, three]);
    expect(Number(stale.headers.get("x-config-age"))).toBeGreaterThanOrEqual(60);
  });

  it.each([-5, 5])("E5 an index means the same to an edge whose clock is %s minutes off", async (minutes) => {
    const edge = await startEdge({ headTtlMs: NEVER_MS });
    const token = await edge.issue({ iat: Math.floor(Date.now() / 1000) - 3600 });
    const signer = createIndexSigner(SIGNING_KEY);
    await edge.publish({ contents: [unique()], rules: RULES });
    const authorization = `Bearer ${token}`;
    await edge.fetchConfig({ headers: { authorization } });
    const content = unique();
    const index = await edge.publish({ contents: [content], rules: RULES });
    const minimum = await signer.sign({ cluster_id: "c1", epoch: 1, index });
    vi.setSystemTime(Date.now() + minutes * MINUTE_MS);
    const answer = await edge.fetchConfig({ headers: { authorization, "x-conflux-min-index": minimum } });
    expect(await answer.text()).toBe(content);
    expect(answer.headers.get("x-config-index")).toBe(minimum);
  });

  it("E7 a replica that cannot be reached for an hour is answered for until MAX_STALE_S, then not, then again", async () => {
    const edge = await startEdge({ headTtlMs: 1_000, maxStaleS: 3_600 });
    const content = unique();
    const asked = {
      headers: { authorization: `Bearer ${await edge.issue({ exp: Date.now() / 1000 + 9_000 })}` },
    };
    await edge.publish({ contents: [content], rules: RULES });
    await edge.fetchConfig(asked);
    const checkedMs = Date.now();
    await edge.replica.fault({ away: true });
    vi.setSystemTime(checkedMs + 3_599_000);
    const old = await edge.fetchConfig(asked);
    expect([old.status, await old.text()]).toEqual([200, content]);
    expect(Number(old.headers.get("x-config-age"))).toBeGreaterThanOrEqual(3_599);
    vi.setSystemTime(checkedMs + 3_602_000);
    const refused = await edge.fetchConfig(asked);
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([503, "1"]);
    await edge.replica.fault({ away: false });
    vi.setSystemTime(checkedMs + 3_604_000);
    const again = await edge.fetchConfig(asked);
    expect([again.status, again.headers.get("x-config-age")]).toEqual([200, null]);
  });
});

describe("KV that remembers an absence", () => {
  it("E4 the replica answers for it until KV shows the document, then KV alone does", async () => {
    let reads = 0;
    const absentReads = 2;
    const get = async (key: string): Promise<ArrayBuffer | null> => {
      reads += 1;
      return reads <= absentReads ? null : realKv.get(key, "arrayBuffer");
    };
    const edge = await startEdge({ kv: { put: realKv.put.bind(realKv), get } as unknown as KVNamespace });
    const content = unique();
    await edge.publish({ contents: [content], rules: RULES });
    for (const fromReplica of [1, 2, 2, 2]) {
      // Another isolate of the location: what KV remembers is the location's.
      edge.restart();
      expect(await (await edge.fetchConfig()).text()).toBe(content);
      expect((await edge.replica.calls())["content"]).toBe(fromReplica);
    }
    expect(reads).toBe(4);
  });
});

describe("a slow replica", () => {
  it("E7 answers after the deadline: 503 to who has nothing yet, and the late answer spoils nothing", async () => {
    const edge = await startEdge();
    const [one, two] = [unique(), unique()];
    await edge.publish({ contents: [one], rules: RULES });
    await edge.replica.fault({ hold: true });
    const late = await edge.fetchConfig();
    expect([late.status, late.headers.get("retry-after")]).toEqual([503, "1"]);
    await edge.replica.fault({ hold: false });
    expect(await (await edge.fetchConfig()).text()).toBe(one);
    await edge.replica.fault({ hold: true });
    // Served from memory meanwhile; a name that is not known needs the replica.
    expect(await (await edge.fetchConfig()).text()).toBe(one);
    expect((await edge.fetchConfig({}, "demo/shop/prod/other")).status).toBe(503);
    await edge.replica.fault({ hold: false });
    await edge.publish({ contents: [two], rules: RULES });
    await vi.waitFor(async () => {
      expect(await (await edge.fetchConfig()).text()).toBe(two);
    }, WAIT);
    expect((await edge.fetchConfig({}, "demo/shop/prod/other")).status).toBe(404);
  });
});
