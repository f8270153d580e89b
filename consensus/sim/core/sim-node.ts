/**
 * One simulated node: the driver's part around the core, with a disk that takes time and may be torn by a crash.
 * A batch goes out, its write ends some steps later (ticks and messages reach the core meanwhile), then it is reported,
 * its messages leave, and its entries are applied some steps after that.
 */
import type {
  Batch,
  Entry,
  Membership,
  Message,
  NodeId,
  RaftConfig,
  RawNode,
  ReadState,
  SnapshotMeta,
} from "../../raft/types.ts";
import { createRawNode, decodeMembership } from "../../raft/raw-node.ts";
import {
  checkComplete,
  checkMachine,
  nextHash,
  noteCommitted,
  noteLeader,
  noteReadAnswered,
  noteWritten,
} from "./checker.ts";
import { check } from "../sim-failure.ts";
import type { Checker } from "./checker.ts";
import type { Prng } from "../prng.ts";
import { createDisk, installSnapshot, readerOf, writeBatch, writesOf } from "./sim-disk.ts";
import type { MachineState, SimDisk } from "./sim-disk.ts";

export const STEADY_TICK_RATE = 0.9;
const SLOW_TICK_RATE = 0.02;

/** What the node needs of the world around it. */
export interface World {
  prng: Prng;
  checker: Checker;
  now: number;
  diskStepsMax: number;
  crashMidBatch: number;
  /** Drivers take what waits for no disk out of turn. */
  takesNow: boolean;
  send(message: Message): void;
}

export interface SimNode {
  readonly id: NodeId;
  readonly config: RaftConfig;
  /** Chance that its timer ticks in a step: clocks differ, and safety may not lean on them. */
  tickRate: number;
  /** Its timer stands all but still until everything heals: what it believes gets old. */
  isSlow: boolean;
  disk: SimDisk;
  raw: RawNode | null;
  writing: { batch: Batch; doneAt: number } | null;
  toApply: Entry[];
  /** Requests this node's core holds: forgotten when it crashes or stops leading. */
  reads: Set<number>;
  /** A new leader's log is checked against this when its next batch is durable. */
  committedAtElection: { term: number; index: number } | null;
}

export function createNode(id: NodeId, config: RaftConfig, membership: Membership): SimNode {
  return {
    id,
    config,
    tickRate: STEADY_TICK_RATE,
    isSlow: false,
    disk: createDisk(membership),
    raw: null,
    writing: null,
    toApply: [],
    reads: new Set(),
    committedAtElection: null,
  };
}

export function ticksNow({ isSlow, tickRate }: SimNode, prng: Prng): boolean {
  return prng.chance(isSlow ? Math.min(SLOW_TICK_RATE, tickRate) : tickRate);
}

/** Starts, or starts again, from what the disk has. */
export function startNode(node: SimNode): void {
  installSnapshot(node.disk);
  node.raw = createRawNode({
    config: node.config,
    log: readerOf(node.disk),
    hardState: node.disk.hard,
    membership: node.disk.machine.membership,
    applied: node.disk.machine.applied,
  });
}

/** Loses everything but the disk; a write under way gets as far as it gets. */
export function crashNode(node: SimNode, world: World): void {
  if (node.writing !== null) write(node, world, world.prng.below(writesOf(node.writing.batch) + 1));
  forget(node, world);
}

function forget(node: SimNode, world: World): void {
  node.raw = null;
  node.writing = null;
  node.toApply = [];
  node.committedAtElection = null;
  dropReads(node, world);
}

function dropReads(node: SimNode, world: World): void {
  for (const request of node.reads) world.checker.reads.delete(request);
  node.reads.clear();
}

/** The state a snapshot stands for: the world's state at its index, which is what its bytes would hold. */
function stateOf(world: World, meta: SnapshotMeta): MachineState {
  const chosen = world.checker.chosen[meta.index];
  check(chosen?.term === meta.term, () => `a snapshot of ${meta.index} that was never committed`);
  return { applied: meta.index, hash: chosen.hash, membership: meta.membership };
}

function write(node: SimNode, world: World, writes: number): void {
  const batch = node.writing?.batch;
  if (batch === undefined) return;
  const before = node.disk.hard;
  writeBatch(node.disk, batch, writes, (meta) => stateOf(world, meta));
  noteWritten(world.checker, node.disk, batch.entries);
  const after = node.disk.hard;
  check(after.term >= before.term, () => `node ${node.id}: term goes back on disk`);
  check(after.commit >= before.commit, () => `node ${node.id}: commit goes back on disk`);
}

/** One step of the driver. Returns how much was done. */
export function driveNode(node: SimNode, world: World): number {
  const { raw } = node;
  if (raw === null) return 0;
  let events = 0;
  if (node.writing !== null && node.writing.doneAt <= world.now) {
    finishBatch(node, raw, world);
    events += 1;
  }
  if (node.raw === null) return events;
  if (node.writing !== null && world.takesNow) takeNow(node, raw, world);
  if (node.writing === null && raw.hasReady()) {
    const batch = raw.ready();
    for (const message of batch.messagesNow) world.send(message);
    node.writing = { batch, doneAt: world.now + world.prng.below(world.diskStepsMax + 1) };
    noteRole(node, raw, world);
    events += 1;
  }
  return events + applySome(node, raw, world);
}

function finishBatch(node: SimNode, raw: RawNode, world: World): void {
  const batch = node.writing?.batch;
  if (batch === undefined) return;
  write(node, world, writesOf(batch));
  if (world.prng.chance(world.crashMidBatch)) return forget(node, world);
  if (batch.snapshot !== null && installSnapshot(node.disk)) {
    const { applied } = node.disk.machine;
    node.toApply = node.toApply.filter((entry) => entry.index > applied);
  }
  node.writing = null;
  raw.persisted(batch);
  noteRole(node, raw, world);
  if (world.prng.chance(world.crashMidBatch)) return forget(node, world);
  for (const message of batch.messages) world.send(message);
  noteCommitted(world.checker, node.id, batch.committed);
  node.toApply.push(...batch.committed);
  answerReads(node, batch.readStates, world);
  const elected = node.committedAtElection;
  if (elected !== null && raw.status().term === elected.term && raw.status().role === "leader") {
    if (node.disk.hard.term === elected.term) checkComplete(world.checker, node.id, node.disk, elected.index);
  }
  node.committedAtElection = null;
}

/** What waits for no disk, while a batch is being made durable. */
function takeNow(node: SimNode, raw: RawNode, world: World): void {
  const now = raw.takeNow();
  for (const message of now?.messages ?? []) world.send(message);
  answerReads(node, now?.readStates ?? [], world);
}

function answerReads(node: SimNode, states: readonly ReadState[], world: World): void {
  for (const { request, index } of states) {
    if (node.reads.delete(request)) noteReadAnswered(world.checker, request, index);
  }
}

/** Watches for leadership gained and lost. */
export function noteRole(node: SimNode, raw: RawNode, world: World): void {
  const { role, term } = raw.status();
  if (role !== "leader") {
    if (node.reads.size > 0) dropReads(node, world);
    return;
  }
  if (noteLeader(world.checker, term, node.id)) {
    node.committedAtElection = { term, index: world.checker.chosen.length - 1 };
  }
}

function applySome(node: SimNode, raw: RawNode, world: World): number {
  if (node.toApply.length === 0 || world.prng.chance(0.3)) return 0;
  const entries = node.toApply.splice(0, 1 + world.prng.below(8));
  const { machine } = node.disk;
  for (const entry of entries) {
    check(
      entry.index === machine.applied + 1,
      () => `node ${node.id} applies ${entry.index} after ${machine.applied}`,
    );
    machine.applied = entry.index;
    machine.hash = nextHash(machine.hash, entry);
    if (entry.kind === "membership") machine.membership = decodeMembership(entry.data);
  }
  checkMachine(world.checker, node.id, node.disk);
  raw.applied(machine.applied);
  return entries.length;
}
