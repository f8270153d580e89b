/**
 * One simulated node: a machine with a disk and clocks, and the process that runs the real log on it, from start to end, over
 * and over. What ends a process must be a fault that was made; anything else is a bug.
 */
import type { NodeId } from "../raft/types.ts";
import { openRaftLog } from "../raft-log.ts";
import type { ReplicatedLog } from "../replicated-log.ts";
import { LeaderClock } from "../server/leader-clock.ts";
import { DirectoryLockedError } from "../storage/directory-lock.ts";
import { WalCorruptError } from "../storage/wal-segment.ts";
import type { SimResult } from "./sim-command.ts";
import { SimDisk, SimDiskError } from "./sim-disk.ts";
import { SimFailure } from "./sim-failure.ts";
import { simHost } from "./sim-files.ts";
import { drawStoreSettings, SimMachine, SimStore } from "./sim-machine.ts";
import { SimProcess, SimProcessEnded } from "./sim-process.ts";
import type { Ledger } from "./ledger.ts";
import type { Prng } from "./prng.ts";
import type { SimNetwork } from "./sim-network.ts";
import type { VirtualTime } from "./virtual-time.ts";
import type { RaftLogLimits, ReadMode } from "../raft-log-options.ts";

const DIRECTORY = "/data";
export const LOG_DIRECTORY = `${DIRECTORY}/wal`;

/** What a node needs of the world around it. */
export interface NodeWorld {
  readonly prng: Prng;
  readonly time: VirtualTime;
  readonly network: SimNetwork;
  readonly ledger: Ledger;
  /** How long a node is down at most. */
  readonly downMs: number;
  /** Processes started so far. */
  processes: number;
  limits(): Partial<RaftLogLimits>;
  readModeOf(id: NodeId): ReadMode;
  trace(id: NodeId, say: () => string): void;
  fail(error: Error): void;
}

/** A process that has opened the log. */
export interface Running {
  process: SimProcess;
  log: ReplicatedLog<SimResult>;
  machine: SimMachine;
  clock: LeaderClock;
}

export class SimNode {
  readonly id: NodeId;
  readonly #world: NodeWorld;
  disk: SimDisk;
  #store: SimStore;
  process: SimProcess | null = null;
  running: Running | null = null;
  /** Its disk was lost, so it must not vote again. */
  isFenced = false;
  /** Its log is damaged, so it never starts again. */
  isLost = false;
  /** Members given at its first start; none: it joins a cluster that is there. */
  #members: readonly NodeId[];
  /** How fast its monotonic clock runs, and what its wall clock is off by. */
  rate = 1;
  wallOffsetMs = 0;
  #restartsAtMs: number | null = null;

  constructor(world: NodeWorld, id: NodeId, members: readonly NodeId[]) {
    this.id = id;
    this.#world = world;
    this.#members = members;
    this.disk = new SimDisk(world.prng);
    this.#store = new SimStore(drawStoreSettings(world.prng));
  }

  /** It may vote, and is sure to start again. */
  isAble(): boolean {
    return !this.isFenced && !this.isLost && !this.disk.isDamaged;
  }

  isUp(): boolean {
    return this.running !== null;
  }

  /** Starts a process, unless one runs. */
  start(): void {
    this.#restartsAtMs = null;
    if (this.process !== null || this.isLost) return;
    const process = this.#newProcess();
    this.process = process;
    void this.#open(process);
  }

  /** Starts a second process on the same disk: it must be refused. */
  startSecond(): void {
    const process = this.#newProcess();
    this.#world.trace(this.id, () => `a second process ${process.pid} starts on its disk`);
    void this.#open(process);
  }

  #newProcess(): SimProcess {
    const world = this.#world;
    world.processes += 1;
    const process = new SimProcess({
      pid: world.processes,
      time: world.time,
      rate: this.rate,
      onCrashPoint: () => this.#end(process, world.prng.chance(0.5), "at an operation on its disk"),
    });
    world.trace(this.id, () => `process ${process.pid} starts`);
    return process;
  }

  async #open(process: SimProcess): Promise<void> {
    const world = this.#world;
    const machine = { disk: this.disk, process, prng: world.prng };
    let clock: LeaderClock;
    try {
      const wallMs = (): number => world.time.nowMs() * this.rate + this.wallOffsetMs;
      clock = new LeaderClock({ wallMs, elapsedMs: () => process.clock().nowMs() });
      const stateMachine = new SimMachine({
        ...machine,
        store: this.#store,
        onApplied: (state, { data }) => {
          if (process.isAlive) world.ledger.noteApplied(this.id, state, data);
          clock.observe(state.stampMs);
        },
        onInstalled: (state) => world.ledger.checkState(this.id, state),
      });
      const log = await openRaftLog<SimResult>({
        nodeId: this.id,
        directory: DIRECTORY,
        members: this.#members,
        joins: this.#members.length === 0,
        fenced: this.isFenced,
        readMode: world.readModeOf(this.id),
        stateMachine,
        transport: world.network.transport(this.id, process, this.disk),
        onFatal: (error) => this.#died(process, error),
        clock: process.clock(),
        random: () => world.prng.next(),
        limits: world.limits(),
        host: simHost(machine),
      });
      if (!process.isAlive) return;
      world.ledger.checkState(this.id, stateMachine.state);
      world.trace(this.id, () => `process ${process.pid} runs at ${stateMachine.state.index}`);
      this.running = { process, log, machine: stateMachine, clock };
      await log.start();
    } catch (error) {
      this.#died(process, error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Kills the process, or cuts its power. */
  crash(powerCut: boolean): void {
    if (this.process !== null)
      this.#end(this.process, powerCut, powerCut ? "its power is cut" : "it is killed");
    else if (powerCut) this.#cutPower();
  }

  /** An orderly stop, after which it starts again. */
  async stop(): Promise<void> {
    const running = this.running;
    if (running === null || running.process.isPaused) return;
    this.#world.trace(this.id, () => "it is stopped");
    const { process, log } = running;
    try {
      await log.stop();
    } catch (error) {
      this.#died(process, error instanceof Error ? error : new Error(String(error)));
    }
    if (process.isAlive) this.#end(process, false, "it has stopped");
  }

  /** Its disk is lost: it comes back empty, and must not vote again. */
  wipe(): void {
    this.crash(true);
    this.disk = new SimDisk(this.#world.prng);
    this.#store = new SimStore(drawStoreSettings(this.#world.prng));
    this.isFenced = true;
    this.#world.trace(this.id, () => "its disk is lost");
  }

  damage(): boolean {
    const what = this.disk.damage(LOG_DIRECTORY);
    if (what !== null) this.#world.trace(this.id, () => `damage: ${what}`);
    return what !== null;
  }

  /** Ends for good. */
  retire(): void {
    this.crash(true);
    this.isLost = true;
    this.#restartsAtMs = null;
  }

  /** When whoever watches over it would start it again; null: it runs, or is lost. */
  restartsAtMs(): number | null {
    return this.process === null && !this.isLost ? this.#restartsAtMs : null;
  }

  #end(process: SimProcess, powerCut: boolean, how: string): void {
    if (!process.isAlive) return;
    process.end();
    this.#world.trace(this.id, () => `process ${process.pid} ends: ${how}`);
    if (this.disk.lockedBy === process) {
      this.disk.lockedBy = null;
      this.#store.rollBack();
    }
    if (powerCut) this.#cutPower();
    if (this.running?.process === process) this.running = null;
    if (this.process !== process) return;
    this.process = null;
    this.#restartsAtMs = this.#world.time.nowMs() + this.#world.prng.next() ** 2 * this.#world.downMs;
  }

  #cutPower(): void {
    this.#world.trace(this.id, () => "what was not synced is lost");
    this.disk.cutPower();
    this.#store.cutPower(this.#world.prng);
  }

  /** The process ended by itself: for a fault that was made, or the seed has found a bug. */
  #died(process: SimProcess, error: Error): void {
    if (!process.isAlive || error instanceof SimProcessEnded) return;
    const world = this.#world;
    const cause = rootOf(error);
    world.trace(this.id, () => `process ${process.pid} fails: ${error.message}`);
    if (error instanceof DirectoryLockedError) {
      if (this.process === process) world.fail(new SimFailure(`node ${this.id}: ${error.message}`));
      this.#end(process, false, "the disk is in use");
    } else if (error instanceof WalCorruptError && this.disk.isDamaged) {
      this.#end(process, false, "its log is damaged");
      this.isLost = true;
    } else if (cause instanceof SimDiskError) {
      this.#end(process, false, "its disk failed");
    } else {
      world.fail(
        cause instanceof SimFailure
          ? cause
          : new SimFailure(`node ${this.id} fails without a fault: ${error.message}`, { cause: error }),
      );
    }
  }
}

function rootOf(error: Error): Error {
  let root = error;
  while (root.cause instanceof Error) root = root.cause;
  return root;
}
