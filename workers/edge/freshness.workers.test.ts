/** What a client that only polls may rely on while the replica is reachable, whatever KV shows (E4, E5). */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startEdge } from "./testing/edge-harness.ts";

const realKv = (env as unknown as { KV_US_EAST_1: KVNamespace }).KV_US_EAST_1;
const HEAD_TTL_MS = 1_000;
/** No answer is of a state that ended longer ago. */
const AGE_MS_MAX = 2_000;
const STEP_MS = 100;
const STEPS = 300;
const ISOLATES = 3;

/** Chance with a seed (mulberry32), so that a run can be had again. */
function makeChance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

/** KV that shows nothing (yet), what it has, something else, or an error. */
function faultyKv(chance: () => number): KVNamespace {
  const get = async (
    key: string,
    options: KVNamespaceGetOptions<"arrayBuffer">,
  ): Promise<ArrayBuffer | null> => {
    const fate = chance();
    if (fate < 0.5) return null;
    if (fate < 0.6) return new TextEncoder().encode("of another time").buffer as ArrayBuffer;
    if (fate < 0.7) throw new Error("KV is away");
    return realKv.get(key, options);
  };
  return { put: realKv.put.bind(realKv), get } as unknown as KVNamespace;
}

type Edge = Awaited<ReturnType<typeof startEdge>>;

/** One config whose rule goes to new versions and back to old ones, and what was current when. */
class Releases {
  readonly #contents: string[] = [];
  readonly #history: { content: string; fromMs: number }[] = [];

  async next(edge: Edge, chance: () => number): Promise<void> {
    const isRollback = this.#contents.length > 1 && chance() < 0.3;
    if (!isRollback) this.#contents.push(JSON.stringify({ id: crypto.randomUUID() }));
    const version = isRollback
      ? 1 + Math.floor(chance() * (this.#contents.length - 1))
      : this.#contents.length;
    await edge.publish({ contents: this.#contents, rules: [{ version_id: version }] });
    this.#history.push({ content: this.#contents[version - 1] ?? "", fromMs: Date.now() });
  }

  /** For how long `content` has not been what a new client would get; 0 while it is, Infinity if it never was. */
  endedAgoMs(content: string): number {
    const at = this.#history.findLastIndex((release) => release.content === content);
    if (at === -1) return Infinity;
    const next = this.#history[at + 1];
    return next === undefined ? 0 : Date.now() - next.fromMs;
  }
}

/** A client that polls, with the index of its last answer or without; answers the index of this one. */
async function poll(edge: Edge, releases: Releases, minimum: string | null): Promise<string> {
  const response = await edge.fetchConfig(
    minimum === null ? {} : { headers: { "X-Conflux-Min-Index": minimum } },
  );
  expect(response.status).toBe(200);
  expect(releases.endedAgoMs(await response.text())).toBeLessThanOrEqual(AGE_MS_MAX);
  return response.headers.get("x-config-index") ?? "";
}

const numberIn = (index: string): number => Number(index.split(".")[2]);

describe("a client that polls", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([1, 2, 3])(
    "E5 sees no state that ended 2 s ago and never goes back in index (%s)",
    async (seed) => {
      const chance = makeChance(seed);
      const region = `test-${crypto.randomUUID()}`;
      const options = { headTtlMs: HEAD_TTL_MS, kv: faultyKv(chance), region, regions: [region] };
      const edges = await Promise.all(Array.from({ length: ISOLATES }, () => startEdge(options)));
      const releases = new Releases();
      const publisher = edges[0]!;
      await releases.next(publisher, chance);
      // One stays with each isolate; one is sent from isolate to isolate and names the index it has seen.
      const staying = edges.map(() => "");
      let roaming = "";
      let published = 0;
      for (let step = 0; step < STEPS; step += 1) {
        vi.setSystemTime(Date.now() + STEP_MS);
        if (chance() < 0.2) {
          await releases.next(publisher, chance);
          published += 1;
        }
        for (const [i, edge] of edges.entries()) {
          // At times of its own, or all heads would be checked in the same step.
          if (chance() < 0.5) continue;
          const index = await poll(edge, releases, null);
          expect(numberIn(index)).toBeGreaterThanOrEqual(numberIn(staying[i] || index));
          staying[i] = index;
        }
        const index = await poll(edges[step % ISOLATES]!, releases, roaming === "" ? null : roaming);
        expect(numberIn(index)).toBeGreaterThanOrEqual(numberIn(roaming || index));
        roaming = index;
      }
      expect(published).toBeGreaterThan(10);
    },
  );
});
