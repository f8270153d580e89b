/**
 * What must hold in every run, checked as it happens from outside the core: from what nodes write, send, apply and
 * answer, never from what they believe.
 */
import type { Entry, Message, NodeId } from "../../raft/types.ts";
import { check } from "../sim-failure.ts";
import type { SimDisk } from "./sim-disk.ts";
import { readerOf } from "./sim-disk.ts";

interface Chosen {
  term: number;
  key: number;
  hash: number;
}

export interface Checker {
  /** By index; [0] stands for "before the log". */
  chosen: Chosen[];
  leaders: Map<number, NodeId>;
  votes: Map<string, NodeId>;
  written: Map<string, { key: number; prevTerm: number }>;
  commands: Set<number>;
  /** Request -> the commit known to the world when it was asked. */
  reads: Map<number, number>;
  readsAnswered: number;
}

export function createChecker(): Checker {
  return {
    chosen: [{ term: 0, key: 0, hash: 0 }],
    leaders: new Map(),
    votes: new Map(),
    written: new Map(),
    commands: new Set(),
    reads: new Map(),
    readsAnswered: 0,
  };
}

/** FNV-1a of kind and data: what makes two entries the same. */
function keyOf(entry: Entry): number {
  let hash = 0x811c9dc5 ^ entry.kind.length;
  for (const byte of entry.data) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash >>> 0;
}

export function nextHash(hash: number, entry: Entry): number {
  return Math.imul((hash ^ keyOf(entry) ^ entry.index) >>> 0, 0x01000193) >>> 0;
}

/** Election safety: one leader a term. True the first time a leader is seen in its term. */
export function noteLeader(checker: Checker, term: number, id: NodeId): boolean {
  const known = checker.leaders.get(term);
  check(known === undefined || known === id, () => `election safety: ${known} and ${id} lead term ${term}`);
  checker.leaders.set(term, id);
  return known === undefined;
}

/** One vote a node and term, a candidacy being a vote for oneself. */
export function noteMessage(checker: Checker, message: Message): void {
  let candidate: NodeId;
  if (message.type === "vote") candidate = message.from;
  else if (message.type === "vote_reply" && message.granted) candidate = message.to;
  else return;
  const slot = `${message.from}/${message.term}`;
  const known = checker.votes.get(slot);
  check(
    known === undefined || known === candidate,
    () => `node ${message.from} voted for ${known} and ${candidate} in term ${message.term}`,
  );
  checker.votes.set(slot, candidate);
}

/** Log matching: the same index and term mean the same entry, and the same term before it; by induction all before. */
export function noteWritten(checker: Checker, disk: SimDisk, entries: readonly Entry[]): void {
  const reader = readerOf(disk);
  for (const entry of entries) {
    if (reader.term(entry.index) !== entry.term) continue;
    const prevTerm = reader.term(entry.index - 1);
    if (prevTerm === undefined) continue;
    const slot = `${entry.index}/${entry.term}`;
    const known = checker.written.get(slot);
    const key = keyOf(entry);
    check(
      known === undefined || (known.key === key && known.prevTerm === prevTerm),
      () => `log matching: two entries at index ${entry.index} of term ${entry.term}`,
    );
    check(prevTerm <= entry.term, () => `terms go back at index ${entry.index}`);
    checker.written.set(slot, { key, prevTerm });
  }
}

/** State machine safety: whoever commits an index commits the same entry; a command is in the log once. */
export function noteCommitted(checker: Checker, id: NodeId, entries: readonly Entry[]): void {
  for (const entry of entries) {
    const known = checker.chosen[entry.index];
    const key = keyOf(entry);
    if (known !== undefined) {
      check(
        known.term === entry.term && known.key === key,
        () => `state machine safety: node ${id} commits another entry at ${entry.index}`,
      );
      continue;
    }
    check(entry.index === checker.chosen.length, () => `node ${id} commits ${entry.index} out of order`);
    const before = checker.chosen[entry.index - 1];
    checker.chosen.push({ term: entry.term, key, hash: nextHash(before?.hash ?? 0, entry) });
    if (entry.kind !== "command") continue;
    const command = new DataView(entry.data.buffer, entry.data.byteOffset).getUint32(0);
    check(!checker.commands.has(command), () => `command at ${entry.index} is committed a second time`);
    checker.commands.add(command);
  }
}

/** The state machine of a node is where every other was at this index. */
export function checkMachine(checker: Checker, id: NodeId, disk: SimDisk): void {
  const { applied, hash } = disk.machine;
  check(checker.chosen[applied]?.hash === hash, () => `node ${id} has another state at ${applied}`);
}

/** Leader completeness: a new leader's log holds everything committed before it was elected. */
export function checkComplete(checker: Checker, id: NodeId, disk: SimDisk, committed: number): void {
  const reader = readerOf(disk);
  for (let index = Math.max(reader.firstIndex(), 1); index <= committed; index += 1) {
    check(
      reader.term(index) === checker.chosen[index]?.term,
      () => `leader completeness: leader ${id} lacks committed entry ${index}`,
    );
  }
  check(reader.lastIndex() >= committed, () => `leader completeness: log of ${id} ends before ${committed}`);
}

export function noteReadAsked(checker: Checker, request: number): void {
  checker.reads.set(request, checker.chosen.length - 1);
}

/** Linearizable reads: a read sees everything that was committed anywhere when it was asked. */
export function noteReadAnswered(checker: Checker, request: number, index: number): void {
  const floor = checker.reads.get(request);
  check(floor !== undefined, () => `read ${request} is answered but was not waiting`);
  check(index >= floor, () => `stale read: ${request} sees ${index}, ${floor} was committed before it`);
  checker.reads.delete(request);
  checker.readsAnswered += 1;
}
