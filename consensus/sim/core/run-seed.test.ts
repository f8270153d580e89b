import { describe, expect, it } from "vitest";
import { noteCommitted, noteLeader, noteMessage, noteReadAnswered, createChecker } from "./checker.ts";
import { runCoreSeed } from "./run-seed.ts";

const SEEDS = 150;

describe("simulation", () => {
  it(`R16 R1 R2 R4 R5 R6 R11 what must hold holds over ${SEEDS} seeds`, () => {
    let committed = 0;
    let reads = 0;
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const result = runCoreSeed(seed);
      committed += result.committed;
      reads += result.reads;
    }
    expect(committed).toBeGreaterThan(SEEDS * 10);
    expect(reads).toBeGreaterThan(SEEDS);
  });

  it("R16 the same seed gives the same run", () => {
    expect(runCoreSeed(7)).toEqual(runCoreSeed(7));
  });
});

describe("the checker sees", () => {
  const command = (index: number, id: number) => {
    const data = new Uint8Array([0, 0, 0, id]);
    return { index, term: 1, kind: "command" as const, data };
  };

  it("two leaders in a term", () => {
    const checker = createChecker();
    noteLeader(checker, 1, 1);
    expect(() => noteLeader(checker, 1, 2)).toThrow("election safety");
  });

  it("two votes in a term, one of them for oneself", () => {
    const checker = createChecker();
    const asked = { from: 1, to: 2, term: 3, lastIndex: 0, lastTerm: 0, transfer: false };
    noteMessage(checker, { ...asked, type: "vote" });
    const reply = { type: "vote_reply" as const, from: 1, to: 3, term: 3, granted: true };
    expect(() => noteMessage(checker, reply)).toThrow("voted for 1 and 3");
  });

  it("two entries committed at an index, and a command committed twice", () => {
    const checker = createChecker();
    noteCommitted(checker, 1, [command(1, 1)]);
    expect(() => noteCommitted(checker, 2, [command(1, 2)])).toThrow("state machine safety");
    expect(() => noteCommitted(checker, 1, [command(2, 1)])).toThrow("second time");
  });

  it("a stale read", () => {
    const checker = createChecker();
    checker.reads.set(1, 5);
    expect(() => noteReadAnswered(checker, 1, 4)).toThrow("stale read");
  });
});
