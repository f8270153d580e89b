/**
 * The driver that makes the Raft core a `ReplicatedLog`: it owns time, disk, transport and the state machine, and
 * works off the core's batches in the order that types.ts prescribes.
 *
 * Invariant: what a batch promises to others (`messages`) leaves only after its write is durable, and an entry is
 * applied only after the batch that brought it is durable, so the state machine is never ahead of the log. Applying overlaps
 * the sync of a *later* batch (raft-log-committed.ts). Nothing here is re-entrant: one batch is out at a time, and proposals,
 * messages and ticks that come meanwhile wait in the core for the next one, which is what makes groups.
 */
import { closeInTurn } from "./close-in-turn.ts";
import type { Entry, Message, RawNode, SnapshotMeta } from "./raft/types.ts";
import { readBarrier } from "./raft-log-barrier.ts";
import { splitCommitted } from "./raft-log-committed.ts";
import { Compactor } from "./raft-log-compact.ts";
import { createRaftLogNode, initialiseRaftLog, openRaftLogWal } from "./raft-log-initialise.ts";
import { type RaftLogOptions, type ResolvedOptions, resolveOptions } from "./raft-log-options.ts";
import { Operations } from "./raft-log-operations.ts";
import { Proposals, refusalOf } from "./raft-log-proposals.ts";
import { Reads } from "./raft-log-reads.ts";
import { Snapshots } from "./raft-log-snapshots.ts";
import { raftLogStatus } from "./raft-log-status.ts";
import { Urgent } from "./raft-log-urgent.ts";
import type { MembershipTarget, ReplicatedLog, ReplicatedLogStatus, StateMachine } from "./replicated-log.ts";
import { NotProposedError } from "./replicated-log.ts";
import type { DirectoryLock } from "./storage/directory-lock.ts";
import type { Wal } from "./storage/wal.ts";
import { fenceTransport } from "./transport/fence-transport.ts";
import type { Transport } from "./transport/transport.ts";

/**
 * Opens the log of `directory`, making it on first boot, and recovers it. Call `start` next. Throws
 * `DirectoryLockedError`, `WalCorruptError`, or an `Error` that says how log, state machine and options contradict each other;
 * the directory is free again then.
 */
export async function openRaftLog<R>(given: RaftLogOptions<R>): Promise<ReplicatedLog<R>> {
  const options = resolveOptions(given);
  const lock = options.host.lockDirectory(options.directory);
  let wal: Wal | null = null;
  try {
    // Until the log is there, whoever waits for the disk hears of its failure.
    const failure: { report: (error: Error) => void } = { report: () => undefined };
    wal = await openRaftLogWal(options, (error) => failure.report(error));
    options.observer.onRecovered?.(wal.report);
    await initialiseRaftLog(wal, options, options.host.snapshotFiles);
    const log = new RaftLog(options, wal, lock);
    failure.report = (error) => log.fail(error);
    return log;
  } catch (error) {
    await wal?.close();
    lock.release();
    throw error;
  }
}

type Phase = "opened" | "running" | "stopping" | "stopped" | "failed";

class RaftLog<R> implements ReplicatedLog<R> {
  readonly #options: ResolvedOptions<R>;
  readonly #nodeId: number;
  readonly #node: RawNode;
  readonly #wal: Wal;
  readonly #lock: DirectoryLock;
  readonly #stateMachine: StateMachine<R>;
  readonly #transport: Transport;
  readonly #clock: ResolvedOptions<R>["clock"];
  readonly #observer: ResolvedOptions<R>["observer"];
  readonly #proposals = new Proposals<R>();
  readonly #reads = new Reads();
  readonly #snapshots: Snapshots;
  readonly #operations: Operations<R>;
  readonly #urgent: Urgent;
  readonly #compactor: Compactor;
  #phase: Phase = "opened";
  #applied: { index: number; term: number };
  /** Committed and durable here, to be applied while a batch is synced. */
  #toApply: Entry[] = [];
  #wakeScheduled = false;
  #working: Promise<void> | null = null;
  /** The log is about to begin at a snapshot: nothing may be compacted meanwhile. */
  #installing = false;
  #leadership = { term: 0, leader: 0 };
  #cancelTicks: () => void = () => undefined;
  #onChange: () => void = () => undefined;
  #stopped: Promise<void> | null = null;

  constructor(options: ResolvedOptions<R>, wal: Wal, lock: DirectoryLock) {
    const { clock, host, limits } = options;
    this.#options = options;
    this.#nodeId = options.nodeId;
    this.#wal = wal;
    this.#lock = lock;
    this.#stateMachine = options.stateMachine;
    const fence = { hasLog: wal.log.lastIndex() > 0, files: host.snapshotFiles };
    this.#transport = options.fenced ? fenceTransport(options.transport, fence) : options.transport;
    this.#clock = clock;
    this.#observer = options.observer;
    this.#compactor = new Compactor(wal, options.stateMachine, limits);
    const onFailed = (to: number): void => this.#guard(() => this.#node.reportSnapshot(to, false));
    this.#snapshots = new Snapshots(options, { wal, transport: this.#transport, onFailed });
    const index = options.stateMachine.lastApplied();
    this.#applied = { index, term: wal.log.term(index) ?? 0 };
    this.#node = createRaftLogNode(options, wal);
    const guard = (act: () => void): void => this.#guard(act);
    this.#urgent = new Urgent(this.#node, options, { guard, release: () => this.#release() });
    this.#operations = new Operations(this.#node, {
      proposals: this.#proposals,
      nowMs: () => clock.nowMs(),
      limits,
      onMembership: (members) => options.observer.onMembership?.(members),
      isFenced: (id) => options.isFenced?.(id) ?? false,
    });
  }

  async start(): Promise<void> {
    if (this.#phase !== "opened") throw new Error(`the log is ${this.#phase}, it cannot be started`);
    this.#phase = "running";
    this.#transport.onMessage((message, snapshotPath) => this.#receive(message, snapshotPath));
    this.#transport.onUnreachable((id) => this.#guard(() => this.#node.reportUnreachable(id)));
    this.#cancelTicks = this.#clock.every(this.#options.limits.tickMs, () => this.#tick());
    const { membership, commit } = this.#node.status();
    // Alone there is nobody to wait for: an election now makes a single node ready within milliseconds.
    if (membership.voters.length === 1 && membership.voters[0] === this.#nodeId) this.#node.campaign();
    const deadlineMs = this.#clock.nowMs() + this.#options.limits.startTimeoutMs;
    await new Promise<void>((resolve) => {
      this.#onChange = () => {
        const { leader, role, term } = this.#node.status();
        const isLed = leader !== 0 && (role !== "leader" || this.#applied.term === term);
        const isReady = isLed && this.#applied.index >= commit;
        if (!isReady && this.#phase === "running" && this.#clock.nowMs() < deadlineMs) return;
        this.#onChange = () => undefined;
        resolve();
      };
      this.#wake();
    });
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Takes over `data`: the caller must not change it afterwards. */
  propose(data: Uint8Array): Promise<{ index: number; term: number; result: R }> {
    if (this.#phase !== "running") return Promise.reject(this.#refusal());
    if (data.byteLength > this.#options.limits.entryBytesMax) {
      const sizes = `${data.byteLength} bytes, more than ${this.#options.limits.entryBytesMax}`;
      return Promise.reject(new NotProposedError(`the command has ${sizes}`, this.#leaderId()));
    }
    const outcome = this.#node.propose(data);
    if (!outcome.ok) return Promise.reject(refusalOf(outcome));
    this.#wake();
    return this.#proposals.wait(outcome, this.#clock.nowMs() + this.#options.limits.proposeTimeoutMs);
  }

  /** Also rejects with `NotProposedError`: naming the leader when this node is not, or when nobody confirmed in time. */
  async readBarrier(consistency: "stale" | "leader" | "linearizable"): Promise<number> {
    if (this.#phase !== "running") throw this.#refusal();
    if (consistency === "stale") return this.#applied.index;
    return readBarrier(consistency, {
      node: this.#node,
      reads: this.#reads,
      applied: this.#applied,
      deadlineMs: this.#clock.nowMs() + this.#options.limits.readTimeoutMs,
      wake: () => this.#wake(),
    });
  }

  async changeMembership(next: MembershipTarget): Promise<{ index: number; term: number }> {
    this.#wakeRunning();
    return this.#operations.changeMembership(next);
  }

  async transferLeader(target?: number): Promise<{ leaderId: number; term: number }> {
    this.#wakeRunning();
    return this.#operations.transferLeader(target);
  }

  async triggerSnapshot(): Promise<number> {
    this.#wakeRunning();
    const slowest = (): number => Math.min(this.#operations.slowestMatch(), this.#snapshots.heldIndex());
    const waitedFor = (): number => (this.#installing ? 0 : slowest());
    return this.#compactor.now(() => ({ applied: this.#applied.index, waitedFor: waitedFor() }));
  }

  status(): ReplicatedLogStatus {
    return raftLogStatus(this.#node.status(), this.#wal.log.firstIndex());
  }

  /** Disk or state machine failed: nothing is accepted or promised any more. */
  fail(cause: unknown): void {
    if (this.#phase === "failed" || this.#phase === "stopped") return;
    const error = cause instanceof Error ? cause : new Error(String(cause));
    this.#phase = "failed";
    this.#quiet();
    this.#proposals.abandon("the node failed before the command was applied", error);
    this.#operations.abandon("the node failed meanwhile");
    this.#reads.abandon(new NotProposedError(`the node failed: ${error.message}`, null));
    this.#onChange();
    this.#options.onFatal(error);
  }

  async #stop(): Promise<void> {
    if (this.#phase !== "failed") this.#phase = "stopping";
    this.#quiet();
    try {
      await this.#working;
      while (this.#phase !== "failed" && this.#node.hasReady()) await this.#work();
      this.#proposals.abandon("the node stopped before the command was committed");
      this.#operations.abandon("the node stopped meanwhile");
      this.#reads.abandon(new NotProposedError("the node is stopping", null));
      this.#onChange();
      await this.#wal.close();
    } finally {
      this.#phase = "stopped";
      closeInTurn(this.#snapshots, this.#stateMachine, { close: () => this.#lock.release() });
    }
  }

  #quiet(): void {
    this.#cancelTicks();
    this.#urgent.close();
    this.#transport.onMessage(null);
    this.#transport.onUnreachable(null);
  }

  #leaderId(): number | null {
    return this.#node.leadership().leader || null;
  }

  #wakeRunning(): void {
    if (this.#phase !== "running") throw this.#refusal();
    this.#wake();
  }

  #refusal(): NotProposedError {
    return new NotProposedError(`the log is not running (${this.#phase})`, null);
  }

  #receive(message: Message, snapshotPath?: string): void {
    this.#guard(() => {
      if (message.type === "snapshot" && !this.#snapshots.accept(message, snapshotPath)) return;
      this.#node.step(message);
    });
  }

  #tick(): void {
    this.#guard(() => {
      this.#node.tick();
      const nowMs = this.#clock.nowMs();
      this.#proposals.expire(nowMs);
      this.#operations.expire(nowMs);
      this.#reads.expire(nowMs, this.#leaderId());
      this.#stateMachine.settle?.();
      this.#snapshots.check((to) =>
        this.#node.status().progress.some(({ id, state }) => id === to && state === "snapshot"),
      );
    });
    this.#onChange();
  }

  #guard(act: () => void): void {
    if (this.#phase !== "running") return;
    try {
      act();
      this.#watchLeadership();
      this.#wake();
    } catch (error) {
      this.fail(error);
    }
  }

  /** In a later turn, so that all that arrives in this one shares a batch. */
  #wake(): void {
    if (this.#working !== null) this.#urgent.soon();
    if (this.#wakeScheduled || this.#working !== null) return;
    this.#wakeScheduled = true;
    this.#options.host.nextTurn(() => {
      this.#wakeScheduled = false;
      if (this.#phase === "running") void this.#work();
    });
  }

  /** Works off batches until there are none. Never rejects: failures go to `fail`. */
  #work(): Promise<void> {
    this.#working ??= this.#workOff().finally(() => {
      this.#working = null;
      // What came after the last look but before this turn found `#working` still set.
      if (this.#phase === "running" && this.#node.hasReady()) this.#wake();
      this.#onChange();
    });
    return this.#working;
  }

  async #workOff(): Promise<void> {
    try {
      while (this.#phase !== "failed" && this.#node.hasReady()) {
        await this.#takeBatch();
        this.#watchLeadership();
        if (this.#toApply.length === 0 || this.#node.hasReady()) continue;
        this.#apply(this.#toApply.splice(0));
        // Who was answered may propose again at once: one turn lets them share the next batch.
        await new Promise<void>((resolve) => this.#options.host.nextTurn(resolve));
      }
    } catch (error) {
      this.fail(error);
    }
  }

  async #takeBatch(): Promise<void> {
    this.#reads.closeRequest();
    const batch = this.#node.ready();
    const snapshotPath = this.#snapshots.claim(batch.snapshot);
    this.#installing = snapshotPath !== null;
    this.#send(batch.messagesNow);
    this.#reads.confirmed(batch.readStates, this.#applied);
    this.#urgent.noticeCommit();
    const { during, after } = splitCommitted(batch, this.#toApply, this.#wal.wouldWaitFor(batch.entries));
    const meanwhile = during.length === 0 ? undefined : (): void => this.#apply(during);
    await this.#wal.append(batch, meanwhile);
    if (batch.snapshot !== null && snapshotPath !== null) this.#install(batch.snapshot, snapshotPath);
    this.#node.persisted(batch);
    this.#send(batch.messages);
    this.#toApply = after;
    this.#urgent.noticeCommit();
  }

  /** What waits for no disk, while a batch is being made durable. */
  #release(): void {
    try {
      const now = this.#node.takeNow();
      if (now === null) return;
      this.#reads.closeRequest();
      this.#send(now.messages);
      this.#reads.confirmed(now.readStates, this.#applied);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The log begins at the snapshot now, durably: so must the state, before anything after it is applied. */
  #install({ index, term }: SnapshotMeta, path: string): void {
    this.#stateMachine.install?.(path, index);
    this.#applied = { index, term };
    this.#installing = false;
    this.#reads.applied(index, term);
  }

  #send(messages: readonly Message[]): void {
    if (messages.length === 0) return;
    for (const message of messages) if (message.type === "snapshot") this.#snapshots.send(message);
    this.#transport.send(messages.filter((message) => message.type !== "snapshot"));
  }

  #apply(entries: readonly Entry[]): void {
    const last = entries.at(-1);
    if (last === undefined || this.#phase === "failed") return;
    try {
      const startMs = this.#clock.nowMs();
      const results = this.#stateMachine.apply(
        entries.map(({ index, kind, data }) => ({ index, data: kind === "command" ? data : null })),
      );
      this.#applied = { index: last.index, term: last.term };
      this.#node.applied(last.index);
      const leaderId = this.#leaderId();
      for (const [i, entry] of entries.entries()) {
        this.#proposals.applied(entry, results[i] ?? null, leaderId);
        this.#operations.applied(entry);
      }
      this.#reads.applied(last.index, last.term);
      this.#observer.onApplied?.({ entries: entries.length, durationMs: this.#clock.nowMs() - startMs });
      this.#compact();
    } catch (error) {
      this.fail(error);
    }
  }

  #compact(): void {
    if (this.#installing) return;
    const at = { appliedIndex: this.#applied.index, heldIndex: this.#snapshots.heldIndex() };
    this.#compactor.whenDue(at)?.catch((error: unknown) => this.fail(error));
  }

  #watchLeadership(): void {
    const { term, leader } = this.#node.leadership();
    const before = this.#leadership;
    if (before.term === term && before.leader === leader) return;
    this.#leadership = { term, leader };
    this.#operations.led(leader, term);
    if (before.leader === this.#nodeId) this.#reads.leadershipEnded(leader || null);
    this.#observer.onLeadership?.({
      term,
      leaderId: leader || null,
      isLeader: leader === this.#nodeId,
    });
  }
}
