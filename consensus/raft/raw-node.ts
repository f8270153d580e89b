/**
 * The deterministic Raft core (see types.ts for its vocabulary and for how a driver works off a batch).
 *
 * What holds, and what would break it:
 * - One leader a term: a vote is given once a term and is durable before it is sent or counted. Broken by a driver that
 *   sends `messages` before the batch is durable, or calls `persisted` early; by a node that comes back under its id
 *   without its disk.
 * - What is committed stays: a quorum holds it durably, a leader commits only entries of its own term by count, and a
 *   voter refuses whoever has a shorter log. Broken by a disk that forgets what it acknowledged.
 * - A batch may be torn by a crash only in the order snapshot, entries, hard state: whatever of it is durable must be a
 *   prefix in that order. A hard state whose commit is past the log refuses to start. A hard state that differs from the
 *   last one in its commit alone needs no sync of its own.
 * - An installed snapshot replaces the whole durable log, also what lies behind its index.
 * - The membership in force is the newest in the log, committed or not; the one given to `createRawNode` is that of
 *   `applied`, newer ones are found in the log. Any two successive ones have quorums that meet.
 * - Reads that wait are forgotten when leadership ends: the driver fails them when role or term change.
 * - Calls are not re-entrant and the core has no clock: the same calls give the same batches.
 * A broken promise throws RaftInvariantError; the node must then stop.
 */
import type {
  Batch,
  Entry,
  HardState,
  Index,
  LogReader,
  Membership,
  Message,
  RaftConfig,
  RaftStatus,
  RawNode,
  ReadState,
} from "./types.ts";
import type { Core } from "./core.ts";
import { createCore, membershipOf } from "./core.ts";
import { advanceCommit } from "./advance-commit.ts";
import { assertOrder } from "./assert-order.ts";
import { campaign, countOwnVote } from "./election.ts";
import { invariant } from "./invariant.ts";
import { takeSnapshotReport, takeUnreachable } from "./lead.ts";
import { isBound, leaseIndex, startDelayTicks } from "./lease.ts";
import { pruneMemberships, scanMemberships } from "./membership/track-membership.ts";
import { proposeCommand, proposeMembership, proposeTransfer } from "./propose.ts";
import {
  entriesBetween,
  entryBytes,
  lastIndex,
  markStable,
  stableIndex,
  takeUnstable,
} from "./raft-log-view.ts";
import { confirmReads, flushReads, hasReadsToFlush } from "./read-index.ts";
import { becomeFollower } from "./roles.ts";
import { broadcastAppends } from "./send-append.ts";
import { step } from "./step.ts";
import { tick } from "./tick.ts";
import { acknowledge } from "./tracker/progress.ts";

/** Bytes of committed entries in one batch; the rest follows in the next ones. */
const COMMITTED_BYTES_MAX = 8 * 1024 * 1024;

export { decodeMembership, encodeMembership } from "./membership/membership-codec.ts";
export { RaftInvariantError } from "./invariant.ts";

/** Throws RaftInvariantError when the durable state contradicts itself. */
export function createRawNode(options: {
  config: RaftConfig;
  log: LogReader;
  hardState: HardState;
  /** In force at `applied`: of the newest snapshot or membership entry up to there, or the first one ever. */
  membership: Membership;
  applied: Index;
}): RawNode {
  const { config, log, hardState, membership, applied } = options;
  const memberships = scanMemberships(log, membership, applied);
  const core = createCore({ config, log, hardState, memberships, applied });
  pruneMemberships(core);
  becomeFollower(core, core.term, core.leader);
  core.electionTimeout += startDelayTicks(core);
  assertOrder(core);
  const out: BatchesOut = { handed: { ...hardState }, open: null };
  return {
    tick: () => tick(core),
    step: (message) => step(core, message),
    propose: (data) => proposeCommand(core, data),
    changeMembership: (next) => proposeMembership(core, next),
    transferLeader: (target) => proposeTransfer(core, target),
    readIndex: (request) => takeRead(core, request),
    leaseIndex: () => leaseIndex(core),
    campaign: () => campaignNow(core),
    hasReady: () => hasReady(core, out),
    takeNow: () => takeNow(core),
    tellCommit: () => {
      if (core.commitUntold && core.role === "leader") core.broadcastWanted = true;
      core.commitUntold = false;
    },
    commitIsUntold: () => core.commitUntold && core.role === "leader",
    ready: () => takeBatch(core, out),
    persisted: (batch) => takePersisted(core, out, batch),
    applied: (index) => takeApplied(core, index),
    reportSnapshot: (to, ok) => whenLeader(core, () => takeSnapshotReport(core, to, ok)),
    reportUnreachable: (id) => whenLeader(core, () => takeUnreachable(core, id)),
    status: () => statusOf(core),
    leadership: () => ({ term: core.term, leader: core.leader }),
  };
}

/** The hard state handed out last, and the batch that is out. */
interface BatchesOut {
  handed: HardState;
  open: Batch | null;
}

function whenLeader(core: Core, act: () => void): void {
  if (core.role === "leader") act();
}

function campaignNow(core: Core): void {
  if (!isBound(core)) campaign(core);
}

function takeRead(core: Core, request: number): boolean {
  if (core.role !== "leader") return false;
  core.readsWaiting.push(request);
  return true;
}

function takeApplied(core: Core, index: Index): void {
  invariant(index <= core.handedOut, () => `applied ${index} was never handed out (${core.handedOut})`);
  core.applied = Math.max(core.applied, index);
}

function hasNewHardState(core: Core, out: BatchesOut): boolean {
  const { handed } = out;
  return handed.term !== core.term || handed.vote !== core.vote || handed.commit !== core.view.commit;
}

function hasReady(core: Core, out: BatchesOut): boolean {
  const { view } = core;
  return (
    view.tail.length > 0 ||
    view.commit > core.handedOut ||
    core.messages.length > 0 ||
    core.messagesNow.length > 0 ||
    core.readStates.length > 0 ||
    view.pendingSnapshot !== null ||
    hasNewHardState(core, out) ||
    (core.broadcastWanted && core.progress.size > 1) ||
    hasReadsToFlush(core)
  );
}

function takeNow(core: Core): { messages: Message[]; readStates: ReadState[] } | null {
  flushReads(core);
  confirmReads(core);
  const { messagesNow: messages, readStates } = core;
  if (messages.length === 0 && readStates.length === 0) return null;
  core.messagesNow = [];
  core.readStates = [];
  return { messages, readStates };
}

function takeBatch(core: Core, out: BatchesOut): Batch {
  invariant(out.open === null, () => "the batch before was not persisted");
  flushReads(core);
  confirmReads(core);
  if (core.broadcastWanted) broadcastAppends(core);
  const hardState: HardState | null = hasNewHardState(core, out)
    ? { term: core.term, vote: core.vote, commit: core.view.commit }
    : null;
  const { entries, snapshot } = takeUnstable(core.view);
  if (snapshot !== null) core.handedOut = Math.max(core.handedOut, snapshot.index);
  const committed = takeCommitted(core);
  const batch: Batch = {
    hardState,
    entries,
    snapshot,
    messagesNow: core.messagesNow,
    messages: core.messages,
    committed,
    readStates: core.readStates,
  };
  core.messagesNow = [];
  core.messages = [];
  core.readStates = [];
  if (hardState !== null) out.handed = hardState;
  out.open = batch;
  assertOrder(core);
  return batch;
}

function takeCommitted(core: Core): Entry[] {
  const { view } = core;
  const committed = entriesBetween(view, core.handedOut + 1, view.commit + 1, COMMITTED_BYTES_MAX);
  const last = committed.at(-1);
  if (last === undefined) return committed;
  core.handedOut = last.index;
  if (core.role === "leader") {
    // Those of earlier terms were not counted here when they were proposed.
    for (const entry of committed) {
      if (entry.kind === "command" && entry.term === core.term) core.uncommittedBytes -= entryBytes(entry);
    }
  }
  return committed;
}

function takePersisted(core: Core, out: BatchesOut, batch: Batch): void {
  invariant(out.open === batch, () => "persisted is not for the batch that is out");
  out.open = null;
  markStable(core.view, batch.snapshot);
  if (batch.hardState !== null) core.durable = { term: batch.hardState.term, vote: batch.hardState.vote };
  if (batch.snapshot !== null) core.applied = Math.max(core.applied, batch.snapshot.index);
  countOwnVote(core);
  if (core.role !== "leader") return;
  const own = core.progress.get(core.config.id);
  if (own !== undefined && acknowledge(own, stableIndex(core.view))) advanceCommit(core);
}

function statusOf(core: Core): RaftStatus {
  const { voters, outgoing, learners } = membershipOf(core);
  const others = [...core.progress].filter(([id]) => id !== core.config.id);
  return {
    id: core.config.id,
    role: core.role,
    term: core.term,
    vote: core.vote,
    leader: core.leader,
    commit: core.view.commit,
    applied: core.applied,
    lastIndex: lastIndex(core.view),
    membership: { voters: [...voters], outgoing: [...outgoing], learners: [...learners] },
    round: core.readContext,
    leaderSince: core.role === "leader" ? core.leaderSince : 0,
    progress: others.map(([id, { match, next, state, active, readAck }]) => ({
      id,
      match,
      next,
      state,
      active,
      answeredRound: readAck,
    })),
  };
}
