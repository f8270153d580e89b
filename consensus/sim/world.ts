/** A simulated world: virtual time, chance, the network, the nodes, and what is known of them. */
import { LEASE_PROMISE_TICKS_MAX } from "../raft/lease.ts";
import type { Message, NodeId } from "../raft/types.ts";
import type { RaftLogLimits, ReadMode } from "../raft-log-options.ts";
import { checkPromise } from "./durable-log.ts";
import { Ledger } from "./ledger.ts";
import type { Operation, VersionInput, VersionState } from "./linearizability.ts";
import { createPrng, type Prng } from "./prng.ts";
import { SimNetwork } from "./sim-network.ts";
import { LOG_DIRECTORY, SimNode } from "./sim-node.ts";
import { VirtualTime } from "./virtual-time.ts";

/** Lines of a trace that are kept. */
const TRACE_LINES_MAX = 400;
const PROMISES_CHECKED = 0.01;
const ELECTION_TICKS_MIN = 5;
const ELECTION_TICKS_MAX = 8;
/** With leases they differ more: a leader with a long timeout must not count on what nobody promised. */
const LEASE_ELECTION_TICKS = [5, 7, 10, 20];
const LEASE_DRIFT_TICKS = 1;

export class World {
  readonly prng: Prng;
  readonly time = new VirtualTime();
  readonly network: SimNetwork;
  readonly ledger: Ledger;
  nodes: SimNode[];
  readonly first: readonly NodeId[];
  readonly keys: number;
  /** What clients saw since it was last judged. */
  history: Operation<VersionInput, VersionState>[] = [];
  processes = 0;
  failure: Error | null = null;
  readonly faults = new Map<string, number>();
  #lastId: NodeId;
  /** Until then clients write nothing. */
  lullUntilMs = 0;
  readonly #isTracing: boolean;
  readonly #trace: string[] = [];
  #trap: { type: Message["type"]; strike: (from: NodeId, to: NodeId) => void } | null = null;
  /** Reads are by lease: then no clock runs faster or slower than this. Mixed: every third node knows nothing of leases. */
  readonly lease: { driftMax: number; isMixed: boolean } | null;
  /** How long a node is down at most. */
  readonly downMs: number;
  /** How long a client waits for an answer. */
  readonly clientTimeoutMs: number;

  constructor(seed: number, options: { isTracing: boolean; keys: number }) {
    this.prng = createPrng(seed);
    this.keys = options.keys;
    this.#isTracing = options.isTracing;
    this.first = Array.from({ length: 3 + this.prng.below(5) }, (_, i) => i + 1);
    this.ledger = new Ledger({ voters: [...this.first], outgoing: [], learners: [] });
    this.network = new SimNetwork(this.time, this.prng, (message) => {
      this.trace(message.from, () => `-> ${message.to} ${describe(message)}`);
      this.#judge(() => {
        this.ledger.noteSent(message);
        this.#checkPromise(message);
      });
      this.#spring(message);
    });
    this.network.isEncoding = this.prng.chance(0.2);
    this.downMs = this.prng.pick([300, 1_500, 5_000]) ?? 0;
    this.clientTimeoutMs = this.prng.pick([250, 800, 2_000]) ?? 0;
    this.lease = this.prng.chance(0.25) ? chooseLease(this.prng) : null;
    this.#lastId = this.first.length;
    this.nodes = this.first.map((id) => new SimNode(this, id, this.first));
    for (const node of this.nodes) this.#settle(node);
  }

  /** A new node, under an id that nobody ever had. */
  addNode(): SimNode {
    this.#lastId += 1;
    const node = new SimNode(this, this.#lastId, []);
    this.#settle(node);
    this.nodes.push(node);
    return node;
  }

  /**
   * With nothing under way: forgets nodes that are no members and can never be taken in again, and what only storms need.
   * A joint membership is left as it is until the next time.
   */
  prune(): void {
    const members = this.leader()?.running?.log.status().members ?? [];
    const voters = members.filter(({ voter }) => voter).map(({ nodeId }) => nodeId);
    const learners = members.filter(({ voter }) => !voter).map(({ nodeId }) => nodeId);
    if (this.ledger.memberships().at(-1)?.outgoing.length !== 0) return;
    this.ledger.forget({ voters, outgoing: [], learners });
    const isMember = ({ id }: SimNode): boolean => members.some(({ nodeId }) => nodeId === id);
    for (const node of this.nodes) if (!node.isAble() && !isMember(node)) node.retire();
    const isKept = (node: SimNode): boolean => !node.isLost || isMember(node);
    for (const node of this.nodes) if (!isKept(node)) this.network.forget(node.id);
    this.nodes = this.nodes.filter(isKept);
  }

  /** Clocks differ from the start. */
  #settle(node: SimNode): void {
    node.rate = this.clockRate(this.prng.chance(0.3) ? 0.2 : 0.01);
    node.wallOffsetMs = 1e12 + (this.prng.next() - 0.5) * 10_000;
  }

  /** A clock's rate, off by no more than `drift`, nor by more than leases bear. */
  clockRate(drift: number): number {
    const most = Math.min(drift, this.lease?.driftMax ?? drift);
    return 1 + most * (2 * this.prng.next() - 1);
  }

  /** How a node reads, for as long as it lives. */
  readModeOf(id: NodeId): ReadMode {
    if (this.lease === null || (this.lease.isMixed && id % 3 === 0)) return "quorum";
    return "lease";
  }

  nodesEver(): number {
    return this.#lastId;
  }

  node(id: NodeId): SimNode | undefined {
    return this.nodes.find((node) => node.id === id);
  }

  /** Of the nodes that believe to lead, the one of the newest term. */
  leader(): SimNode | undefined {
    let found: SimNode | undefined;
    let term = 0;
    for (const node of this.nodes) {
      const status = node.running?.log.status();
      if (status?.role !== "leader" || status.term <= term) continue;
      found = node;
      term = status.term;
    }
    return found;
  }

  /** Whether voters that can vote stay a majority everywhere without this node. */
  canLose(id: NodeId): boolean {
    return this.ledger.possibleMemberships().every(({ voters, outgoing }) =>
      [voters, outgoing].every((half) => {
        const able = half.filter((voter) => voter !== id && this.node(voter)?.isAble() === true);
        return half.length === 0 || 2 * able.length > half.length;
      }),
    );
  }

  /** Settings of a process; another one may have others. */
  limits(): Partial<RaftLogLimits> {
    const { prng } = this;
    const electionTicks = ELECTION_TICKS_MIN + prng.below(ELECTION_TICKS_MAX - ELECTION_TICKS_MIN + 1);
    const retainedBytesMax = 4_000 + prng.below(30_000);
    const preallocateBytes = 1_024 + prng.below(4_096);
    return {
      tickMs: 100,
      electionTicks: this.lease === null ? electionTicks : (prng.pick(LEASE_ELECTION_TICKS) ?? electionTicks),
      leaseDriftTicks: LEASE_DRIFT_TICKS,
      appendBytesMax: prng.pick([40, 200, 2_000, 1_000_000]) ?? 0,
      inflightMax: 1 + prng.below(32),
      uncommittedBytesMax: prng.pick([1_000, 100_000]) ?? 0,
      proposeTimeoutMs: 1_000 + prng.below(4_000),
      readTimeoutMs: 1_000 + prng.below(2_000),
      snapshotReplyTimeoutMs: 2_000 + prng.below(3_000),
      startTimeoutMs: 5_000,
      retainedBytesMax,
      retainedBytesAfter: prng.below(retainedBytesMax),
      preallocateBytes,
      segmentBytes: preallocateBytes + prng.below(30_000),
    };
  }

  fail(error: Error): void {
    this.failure ??= error;
  }

  /** Also where the code that is called from would take what is thrown for a failure of its own to send. */
  #judge(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  /** Lets time pass. Throws when something that must hold did not. */
  async run(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    const { time } = this;
    let isLate = false;
    time.after(untilMs - time.nowMs(), () => {
      isLate = true;
    });
    await time.run(() => isLate || this.failure !== null || isOver());
    if (this.failure !== null) throw this.failure;
  }

  /** Votes are few; of acknowledgements a sample does, but where a power cut would take whole files away. */
  #checkPromise(message: Message): void {
    const node = this.node(message.from);
    if (node === undefined) return;
    const isSampled = message.type === "vote_reply" || this.prng.chance(PROMISES_CHECKED);
    if (isSampled || node.disk.hasUnsyncedNames(LOG_DIRECTORY))
      checkPromise(message, node.disk, LOG_DIRECTORY);
  }

  /** A fault that waits for a message of this type to be sent. */
  setTrap(type: Message["type"], strike: (from: NodeId, to: NodeId) => void): void {
    this.#trap = { type, strike };
  }

  #spring(message: Message): void {
    const trap = this.#trap;
    if (trap === null || trap.type !== message.type) return;
    this.#trap = null;
    this.time.after(3 * this.prng.next() ** 2, () => trap.strike(message.from, message.to));
  }

  noteFault(name: string): void {
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1);
  }

  trace(id: NodeId, say: () => string): void {
    if (!this.#isTracing) return;
    this.#trace.push(`${this.time.nowMs().toFixed(2).padStart(10)} node ${id} ${say()}`);
    if (this.#trace.length > TRACE_LINES_MAX) this.#trace.shift();
  }

  /** The last events and where each node is. */
  report(): string {
    const states = this.nodes.map((node) => {
      const standing = node.isLost ? "lost" : node.isFenced ? "fenced" : node.isUp() ? "up" : "down";
      const state = node.process?.isPaused === true ? "frozen" : standing;
      return `node ${node.id} ${state} ${JSON.stringify(node.running?.log.status() ?? null)}`;
    });
    return [...this.#trace, ...states].join("\n");
  }
}

/**
 * A follower's longest promise lasts LEASE_PROMISE_TICKS_MAX - 1 ticks of its clock at least, a lease as many less the drift of the leader's
 * clock: between the fastest and the slowest there may be what one is longer than the other.
 */
function chooseLease(prng: Prng): { driftMax: number; isMixed: boolean } {
  const promise = LEASE_PROMISE_TICKS_MAX - 1;
  return { driftMax: LEASE_DRIFT_TICKS / (2 * promise - LEASE_DRIFT_TICKS), isMixed: prng.chance(0.3) };
}

function describe(message: object): string {
  return JSON.stringify(message, (key, value: unknown) => {
    if (key === "from" || key === "to") return undefined;
    if (key !== "entries" || !Array.isArray(value)) return value;
    return (value as { index: number; term: number; kind: string }[]).map(
      ({ index, term, kind }) => `${index}/${term} ${kind}`,
    );
  });
}
