/**
 * What must hold in every run, checked as it happens from outside the nodes: from what they send, apply and answer, never
 * from what they believe of themselves.
 */
import type { Entry, Membership, Message, NodeId } from "../raft/types.ts";
import { decodeMembership, encodeMembership } from "../raft/raw-node.ts";
import type { ReplicatedLogStatus } from "../replicated-log.ts";
import { check } from "./sim-failure.ts";
import type { SimResult } from "./sim-command.ts";
import { SimState } from "./sim-state.ts";

/** Indexes remembered; no node is ever so far behind that it applies older ones. */
const REMEMBERED = 20_000;
/** Terms whose entries stay remembered when the rest is forgotten. */
const TERMS_REMEMBERED = 50;

interface Chosen {
  key: number;
  hash: number;
}
interface Written {
  key: number;
  prevTerm: number;
}

export class Ledger {
  /** By index: what was applied there, and the state after it. */
  readonly #chosen = new Map<number, Chosen>([[0, { key: 0, hash: 0 }]]);
  #last = 0;
  /** Applies each entry once, as the first node does that gets there. */
  readonly reference = new SimState();
  readonly #leaders = new Map<number, { id: NodeId; committed: number }>();
  readonly #votes = new Map<string, NodeId>();
  /** By term, then index: what its leader put there. */
  readonly #written = new Map<number, Map<number, Written>>();
  /** Memberships that may be in force somewhere, by the index of their entry. */
  #memberships: { index: number; term: number; membership: Membership }[];
  /** Of the newest membership that is committed. */
  #settledIndex = 0;
  /** Memberships that a leader was asked for and may have in its log, unsent; by the lowest index they can be at. */
  #asked: { index: number; membership: Membership }[] = [];
  /** Commands by client and sequence, with what the first application answered. */
  readonly #effects = new Map<string, { index: number; version: number }>();
  /** Commands that a node said are not in the log, and those that are. */
  readonly #notProposed = new Map<string, true>();
  readonly #applied = new Map<string, number>();
  acknowledged = 0;

  constructor(first: Membership) {
    this.#memberships = [{ index: 0, term: 0, membership: first }];
  }

  lastIndex(): number {
    return this.#last;
  }
  terms(): number {
    return this.#leaders.size;
  }

  /** All that are newer than the committed one, and that one. */
  memberships(): Membership[] {
    return this.#memberships.map(({ membership }) => membership);
  }

  /** Those, and what leaders were asked for and nobody was sent yet. */
  possibleMemberships(): Membership[] {
    return [...this.memberships(), ...this.#asked.map(({ membership }) => membership)];
  }

  noteAsked(leader: ReplicatedLogStatus, membership: Membership): void {
    this.#asked.push({ index: leader.lastIndex + 1, membership });
  }

  noteSent(message: Message): void {
    if (message.type === "vote") this.#noteVote(message.from, message.term, message.from);
    else if (message.type === "vote_reply" && message.granted)
      this.#noteVote(message.from, message.term, message.to);
    else if (message.type === "heartbeat") this.#noteLeader(message.term, message.from);
    else if (message.type === "append") this.#noteAppend(message);
    else if (message.type === "snapshot") this.#noteSnapshot(message);
  }

  /** One vote a node and term, a candidacy being a vote for oneself. */
  #noteVote(voter: NodeId, term: number, candidate: NodeId): void {
    const slot = `${voter}/${term}`;
    const known = this.#votes.get(slot);
    check(
      known === undefined || known === candidate,
      () => `double vote: node ${voter} voted for ${known} and for ${candidate} in term ${term}`,
    );
    if (known === undefined) remember(this.#votes, slot, candidate);
  }

  /** Election safety: one leader a term. Answers what was committed when it was first seen. */
  #noteLeader(term: number, id: NodeId): number {
    const known = this.#leaders.get(term);
    if (known === undefined) {
      remember(this.#leaders, term, { id, committed: this.#last });
      return this.#last;
    }
    check(known.id === id, () => `election safety: ${known.id} and ${id} lead term ${term}`);
    return known.committed;
  }

  #noteAppend(message: Extract<Message, { type: "append" }>): void {
    const committed = this.#noteLeader(message.term, message.from);
    // What a leader put into its log itself and says is committed, is.
    const own = this.#memberships.findLast((one) => one.term === message.term && one.index <= message.commit);
    if (own !== undefined) this.#settle(own.index, own.term);
    let prevTerm = message.prevTerm;
    for (const entry of message.entries) {
      this.#noteWritten(entry, prevTerm);
      prevTerm = entry.term;
      if (entry.kind === "membership" && entry.index <= message.commit) this.#settle(entry.index, entry.term);
      if (entry.index > committed) continue;
      const chosen = this.#chosen.get(entry.index);
      // Leader completeness: what was committed before its term is in a leader's log as it is.
      check(
        chosen === undefined || chosen.key === keyOf(entry),
        () =>
          `leader completeness: leader ${message.from} of ${message.term} has another entry ${entry.index}`,
      );
    }
  }

  /** Log matching: the same index and term mean the same entry, and the same term before it; by induction all before. */
  #noteWritten(entry: Entry, prevTerm: number): void {
    let term = this.#written.get(entry.term);
    if (term === undefined) {
      term = new Map();
      remember(this.#written, entry.term, term);
    }
    const key = entry.kind.length ^ hashOf(entry.data);
    const known = term.get(entry.index);
    if (known !== undefined) {
      check(
        known.prevTerm === prevTerm && known.key === key,
        () => `log matching: two entries at index ${entry.index} of term ${entry.term}`,
      );
      return;
    }
    check(prevTerm <= entry.term, () => `terms go back at index ${entry.index}`);
    remember(term, entry.index, { key, prevTerm });
    if (entry.kind === "membership") this.#noteMembership(entry);
  }

  /** A snapshot says a membership that may be in force at its index. Of older ones than the committed one nothing is known. */
  #noteSnapshot({ from, term, meta }: Extract<Message, { type: "snapshot" }>): void {
    this.#noteLeader(term, from);
    const before = this.#memberships.filter(({ index }) => index <= meta.index);
    check(
      before.length === 0 || before.some(({ membership }) => isSame(membership, meta.membership)),
      () => `snapshot of ${meta.index} by ${from} has the membership ${JSON.stringify(meta.membership)}`,
    );
  }

  #noteMembership({ index, term, data }: Entry): void {
    // A deposed leader may send what it wrote long ago, and was frozen over.
    if (index <= this.#settledIndex) return;
    this.#memberships.push({ index, term, membership: decodeMembership(data) });
    this.#memberships.sort((a, b) => a.index - b.index || a.term - b.term);
  }

  /** This one is committed: whatever is at or below it will never be in force again. */
  #settle(index: number, term: number): void {
    this.#settledIndex = Math.max(this.#settledIndex, index);
    this.#memberships = this.#memberships.filter(
      (one) => one.index > index || (one.index === index && one.term === term),
    );
    this.#asked = this.#asked.filter((one) => one.index > index);
  }

  /** Nothing is under way, and this membership is in force: others, old terms and answered commands will not be met again. */
  forget(membership: Membership): void {
    this.#memberships = [{ index: this.#last, term: 0, membership }];
    this.#settledIndex = this.#last;
    this.#asked = [];
    const terms = [...this.#leaders.keys()].toSorted((a, b) => b - a);
    const oldest = terms[TERMS_REMEMBERED] ?? 0;
    for (const term of this.#written.keys()) if (term < oldest) this.#written.delete(term);
    this.#effects.clear();
  }

  /** State-machine safety: every node applies the same entry at an index and has the same state after it. */
  noteApplied(id: NodeId, state: SimState, data: Uint8Array | null): void {
    const { index } = state;
    const key = data === null ? 0 : hashOf(data);
    if (index === this.#last + 1) {
      const result = this.reference.apply(index, data);
      this.#noteEffect(index, data, result);
      this.#chosen.set(index, { key, hash: this.reference.hash });
      if (index > REMEMBERED) this.#chosen.delete(index - REMEMBERED);
      this.#last = index;
    }
    const chosen = this.#chosen.get(index);
    check(chosen !== undefined, () => `node ${id} applies ${index}, far from ${this.#last}`);
    check(chosen.key === key, () => `state-machine safety: node ${id} applies another entry at ${index}`);
    this.checkState(id, state);
  }

  checkState(id: NodeId, { index, hash }: SimState): void {
    const chosen = this.#chosen.get(index);
    check(
      chosen !== undefined && chosen.hash === hash,
      () => `state-machine equality: node ${id} has another state at ${index}`,
    );
  }

  /** A node said that this proposal is not in the log and never will be. */
  noteNotProposed(data: Uint8Array): void {
    const text = textOf(data);
    const index = this.#applied.get(text);
    check(index === undefined, () => `called not proposed, but applied at ${index}: ${text}`);
    remember(this.#notProposed, text, true);
  }

  #noteEffect(index: number, data: Uint8Array | null, result: SimResult | null): void {
    if (data === null) return;
    const text = textOf(data);
    check(!this.#notProposed.has(text), () => `applied at ${index}, but was called not proposed: ${text}`);
    remember(this.#applied, text, index);
    if (result === null || result.version === 0) return;
    const [client, sequence] = text.split("\t", 2);
    const slot = `${client}/${sequence}`;
    const known = this.#effects.get(slot);
    if (known === undefined) remember(this.#effects, slot, { index, version: result.version });
    else
      check(
        known.version === result.version,
        () =>
          `exactly once: ${slot} made version ${known.version} at ${known.index}, ${result.version} at ${index}`,
      );
  }

  /** A client was told that its write made `version`: it did, once. */
  noteAcknowledged(client: string, sequence: number, version: number): void {
    const effect = this.#effects.get(`${client}/${sequence}`);
    check(
      effect !== undefined && effect.version === version,
      () =>
        `exactly once: ${client}/${sequence} was answered ${version}, applied was ${effect?.version ?? "nothing"}`,
    );
    this.acknowledged += 1;
  }

  checkStatus({ nodeId, firstIndex, appliedIndex, commitIndex, lastIndex }: ReplicatedLogStatus): void {
    check(
      firstIndex - 1 <= appliedIndex && appliedIndex <= commitIndex && commitIndex <= lastIndex,
      () =>
        `node ${nodeId}: first ${firstIndex}, applied ${appliedIndex}, commit ${commitIndex}, last ${lastIndex}`,
    );
  }
}

/** Bounded: what is oldest goes. */
function remember<K, V>(map: Map<K, V>, key: K, value: V): void {
  map.set(key, value);
  if (map.size <= REMEMBERED) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}

function isSame(a: Membership, b: Membership): boolean {
  return Buffer.compare(encodeMembership(a), encodeMembership(b)) === 0;
}

function textOf(data: Uint8Array): string {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1");
}

function hashOf(data: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** What makes two entries the same to a state machine. */
function keyOf({ kind, data }: Entry): number {
  return kind === "command" ? hashOf(data) : 0;
}
