import { describe, expect, it } from "vitest";
import type { FetchesMessage } from "../../contracts/delivery/delivery-message.ts";
import { FetchNotes } from "./fetch-notes.ts";
import { startEdge, unique } from "./testing/edge-harness.ts";

const START_MS = 1_000_000;

/** Notes with the clock and the timers in the test's hand. */
function startNotes() {
  const state = { nowMs: START_MS, away: false, sent: [] as FetchesMessage[], requests: 0 };
  let timers: { dueMs: number; ring: () => void }[] = [];
  const notes = new FetchNotes({
    region: "r1",
    send: async (message) => {
      if (state.away) throw new Error("away");
      state.sent.push(message);
    },
    log: () => undefined,
    nowMs: () => state.nowMs,
    sleep: (ms) =>
      new Promise((resolve) => {
        timers.push({ dueMs: state.nowMs + ms, ring: resolve });
      }),
  });
  /** Lets time pass and all that is then due be done; with `lost`, the requests that had it to do are gone. */
  async function pass(ms: number, { lost = false } = {}): Promise<void> {
    state.nowMs += ms;
    const due = timers.filter(({ dueMs }) => dueMs <= state.nowMs);
    timers = timers.filter(({ dueMs }) => dueMs > state.nowMs);
    if (!lost) for (const { ring } of due) ring();
    // Whatever follows from them is microtasks, all of which are done before the next timer.
    await new Promise((resolve) => {
      setTimeout(resolve, 0);
    });
  }
  return {
    state,
    pass,
    note: (config: string) =>
      notes.note(config, state.nowMs, {
        waitUntil: () => {
          state.requests += 1;
        },
      }),
    names: () => state.sent.map(({ fetched }) => fetched.map(([config]) => config)),
  };
}

describe("E16 what is fetched", () => {
  it("is told at once, then many together, and each config once in ten minutes", async () => {
    const { state, note, pass, names } = startNotes();
    note("t/a/e/1");
    await pass(0);
    expect(state.sent).toEqual([{ kind: "fetches", region: "r1", fetched: [["t/a/e/1", START_MS]] }]);
    for (let i = 0; i < 100; i += 1) for (const n of [1, 2, 3]) note(`t/a/e/${n}`);
    await pass(14_999);
    note("t/a/e/4");
    expect(state.sent).toHaveLength(1);
    await pass(1);
    expect(names()).toEqual([["t/a/e/1"], ["t/a/e/2", "t/a/e/3", "t/a/e/4"]]);
    // Two requests had something to do after their answers, of more than three hundred.
    expect(state.requests).toBe(2);
    await pass(10 * 60 * 1000 - 15_001);
    note("t/a/e/1");
    await pass(0);
    expect(state.sent).toHaveLength(2);
    await pass(1);
    note("t/a/e/1");
    await pass(0);
    expect(names()[2]).toEqual(["t/a/e/1"]);
  });

  it("is told later when the queue was away", async () => {
    const { state, note, pass, names } = startNotes();
    state.away = true;
    note("t/a/e/1");
    await pass(0);
    state.away = false;
    note("t/a/e/1");
    await pass(15_000);
    expect(names()).toEqual([["t/a/e/1"]]);
  });

  it("is told by another request when the one that had it to do is gone", async () => {
    const { note, pass, names } = startNotes();
    note("t/a/e/1");
    await pass(0);
    note("t/a/e/2");
    await pass(15_000, { lost: true });
    note("t/a/e/3");
    await pass(5_001);
    expect(names()).toEqual([["t/a/e/1"]]);
    note("t/a/e/4");
    await pass(0);
    expect(names()[1]?.toSorted()).toEqual(["t/a/e/2", "t/a/e/3", "t/a/e/4"]);
  });

  it("fits into messages, and never grows beyond its bound", async () => {
    const { state, note, pass } = startNotes();
    note("t/a/e/first");
    await pass(0);
    for (let n = 0; n < 25_000; n += 1) note(`tenant/app/env/${String(n).padStart(100, "x")}`);
    await pass(15_000);
    const sizes = state.sent.map((message) => JSON.stringify(message).length);
    expect(Math.max(...sizes)).toBeLessThan(128_000);
    expect(state.sent.reduce((sum, { fetched }) => sum + fetched.length, 0)).toBe(20_001);
  });
});

describe("E16 a fetch is told", () => {
  const told = (edge: Awaited<ReturnType<typeof startEdge>>) =>
    edge.queue.messages.flatMap((m) => (m.kind === "fetches" ? m.fetched.map(([config]) => config) : []));

  it("of what was served, by each way to fetch, and of nothing else", async () => {
    for (const served of [
      (edge: Awaited<ReturnType<typeof startEdge>>) => edge.fetchConfig(),
      (edge: Awaited<ReturnType<typeof startEdge>>) => edge.fetchConfig({ method: "HEAD" }),
      (edge: Awaited<ReturnType<typeof startEdge>>) =>
        edge.fetchConfig({ headers: { "if-none-match": "*" } }),
      (edge: Awaited<ReturnType<typeof startEdge>>) => edge.fetchBatch({ configs: ["demo/shop/prod/app"] }),
      (edge: Awaited<ReturnType<typeof startEdge>>) => edge.fetchBatch({ namespace: "demo/shop/prod" }),
    ]) {
      const edge = await startEdge();
      await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
      await edge.publish({
        config: "demo/shop/dev/foreign",
        contents: [unique()],
        rules: [{ version_id: 1 }],
      });
      for (const nothing of ["demo/shop/prod/none", "demo/shop/dev/foreign"])
        await edge.fetchConfig({}, nothing);
      await edge.fetchBatch({ configs: ["demo/shop/prod/none", "demo/shop/dev/foreign"] });
      expect(told(edge)).toEqual([]);
      expect((await served(edge)).status).toBeLessThan(400);
      expect(told(edge)).toEqual(["demo/shop/prod/app"]);
    }
  });

  it("A7 costs the fetch nothing when the queue is away or never answers", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
    edge.queue.away = true;
    expect((await edge.fetchConfig()).status).toBe(200);
    edge.restart();
    edge.env.DELIVERY = { send: () => new Promise(() => undefined) };
    expect((await edge.fetchConfig()).status).toBe(200);
  });
});
