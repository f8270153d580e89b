import { describe, expect, it } from "vitest";
import type { Entry, LogReader } from "./types.ts";
import { RaftInvariantError } from "./invariant.ts";
import {
  appendFromLeader,
  appendOne,
  commitTo,
  createLogView,
  entriesBetween,
  entryBytes,
  findConflictByTerm,
  firstIndex,
  lastIndex,
  lastTerm,
  markStable,
  restoreSnapshot,
  stableIndex,
  takeUnstable,
  termAt,
} from "./raft-log-view.ts";

const entry = (index: number, term: number): Entry => ({
  index,
  term,
  kind: "command",
  data: new Uint8Array(8),
});
const COST = entryBytes(entry(1, 1));

/** A durable log with these terms from index 1 on. */
function durable(terms: number[]): { reader: LogReader; log: Entry[] } {
  const log = terms.map((term, i) => entry(i + 1, term));
  const reader: LogReader = {
    firstIndex: () => 1,
    lastIndex: () => log.length,
    term: (index) => (index === 0 ? 0 : log[index - 1]?.term),
    entries: (from, to, bytesMax) =>
      log.slice(from - 1, Math.min(to - 1, from - 1 + Math.max(1, Math.floor(bytesMax / COST)))),
    snapshot: () => null,
  };
  return { reader, log };
}

const termsOf = (entries: Entry[]): number[] => entries.map(({ term }) => term);

describe("log view", () => {
  it.each([
    { name: "nothing new", add: [entry(2, 1), entry(3, 2)], from: 0, terms: [1, 1, 2, 2] },
    { name: "at the end", add: [entry(5, 3)], from: 5, terms: [1, 1, 2, 2, 3] },
    { name: "overlapping", add: [entry(4, 2), entry(5, 3)], from: 5, terms: [1, 1, 2, 2, 3] },
    { name: "a conflict inside the tail", add: [entry(4, 3)], from: 4, terms: [1, 1, 2, 3] },
    { name: "a conflict in the durable part", add: [entry(2, 3), entry(3, 3)], from: 2, terms: [1, 3, 3] },
  ])("R2 appends a leader's entries: $name", ({ add, from, terms }) => {
    const view = createLogView(durable([1, 1]).reader, 1);
    appendOne(view, entry(3, 2));
    appendOne(view, entry(4, 2));
    expect(appendFromLeader(view, add)).toBe(from);
    expect(termsOf(entriesBetween(view, 1, lastIndex(view) + 1, Infinity))).toEqual(terms);
    expect(lastTerm(view)).toBe(terms.at(-1));
  });

  it("R11 refuses to overwrite what is committed, to leave a gap, to commit past the end", () => {
    const view = createLogView(durable([1, 1, 1]).reader, 2);
    expect(() => appendFromLeader(view, [entry(2, 2)])).toThrow(RaftInvariantError);
    expect(() => appendFromLeader(view, [entry(5, 2)])).toThrow("gap");
    expect(() => commitTo(view, 4)).toThrow("past the last entry");
    expect(commitTo(view, 1)).toBe(false);
    expect(view.commit).toBe(2);
  });

  it.each([
    { bytes: Infinity, count: 4 },
    { bytes: 0, count: 1 },
    { bytes: COST, count: 1 },
    { bytes: 2 * COST, count: 2 },
    { bytes: 3 * COST, count: 3 },
  ])("R2 cuts after $bytes bytes across the durable part and the tail, never empty", ({ bytes, count }) => {
    const view = createLogView(durable([1, 1]).reader, 0);
    appendOne(view, entry(3, 1));
    appendOne(view, entry(4, 1));
    expect(entriesBetween(view, 1, 5, bytes).map(({ index }) => index)).toEqual([1, 2, 3, 4].slice(0, count));
    expect(entriesBetween(view, 3, 3, bytes)).toEqual([]);
  });

  it("R3 marks a batch stable, and what came meanwhile stays", () => {
    const { reader, log } = durable([]);
    const view = createLogView(reader, 0);
    appendOne(view, entry(1, 1));
    const { entries } = takeUnstable(view);
    appendOne(view, entry(2, 1));
    log.push(...entries);
    markStable(view, null);
    expect(stableIndex(view)).toBe(1);
    expect(takeUnstable(view).entries.map(({ index }) => index)).toEqual([2]);
  });

  it("R3 a tail cut while its batch was out is written again", () => {
    const { reader, log } = durable([1]);
    const view = createLogView(reader, 1);
    appendOne(view, entry(2, 1));
    appendOne(view, entry(3, 1));
    const { entries } = takeUnstable(view);
    appendFromLeader(view, [entry(2, 2)]);
    log.push(...entries);
    markStable(view, null);
    expect(stableIndex(view)).toBe(1);
    expect(lastIndex(view)).toBe(2);
    expect(termsOf(takeUnstable(view).entries)).toEqual([2]);
  });

  it("R4 a snapshot replaces the log", () => {
    const view = createLogView(durable([1, 1, 1]).reader, 1);
    appendOne(view, entry(4, 1));
    const meta = { index: 9, term: 4, membership: { voters: [1], outgoing: [], learners: [] } };
    restoreSnapshot(view, meta);
    expect([firstIndex(view), lastIndex(view), lastTerm(view), view.commit]).toEqual([10, 9, 4, 9]);
    expect(termAt(view, 3)).toBeUndefined();
    expect(stableIndex(view)).toBe(0);
    const { snapshot } = takeUnstable(view);
    expect(snapshot).toBe(meta);
    markStable(view, snapshot);
    expect(stableIndex(view)).toBe(9);
  });

  it.each([
    { index: 6, term: 4, at: 6, found: 4 },
    { index: 6, term: 3, at: 3, found: 2 },
    { index: 6, term: 1, at: 1, found: 1 },
    { index: 2, term: 9, at: 2, found: 2 },
    { index: 6, term: 0, at: 0, found: 0 },
  ])("R2 below $index the last index of a term up to $term is $at", ({ index, term, at, found }) => {
    const view = createLogView(durable([1, 2, 2, 4, 4, 4]).reader, 0);
    expect(findConflictByTerm(view, index, term)).toEqual({ index: at, term: found });
  });
});
