import { randomBytes } from "node:crypto";
import type { NodeId, RaftConfig } from "./raft/types.ts";
import type { StateMachine } from "./replicated-log.ts";
import { type DirectoryLock, lockDirectory } from "./storage/directory-lock.ts";
import { type FileLayer, nodeFileLayer } from "./storage/file-layer.ts";
import type { RecoveryReport } from "./storage/recover-wal.ts";
import { nodeSnapshotFiles, type SnapshotFiles } from "./storage/snapshot-files.ts";
import { PREALLOCATE_BYTES, SEGMENT_BYTES, type WalSync } from "./storage/wal.ts";
import type { Transport } from "./transport/transport.ts";

/** Time as an argument: monotonic, in milliseconds. */
export interface Clock {
  nowMs(): number;
  /** Calls `act` every `intervalMs` until the answer is called. */
  every(intervalMs: number, act: () => void): () => void;
}

const systemClock: Clock = {
  nowMs: () => performance.now(),
  every: (intervalMs, act) => {
    const timer = setInterval(act, intervalMs);
    return () => clearInterval(timer);
  },
};

/** What the driver asks of the machine it runs on, beside time: an argument, so that a simulated one can take its place. */
export interface RaftLogHost {
  /** Runs `act` in a later turn, after everything that arrived in this one. */
  nextTurn(act: () => void): void;
  /** Throws `DirectoryLockedError`. */
  lockDirectory(directory: string): DirectoryLock;
  files: FileLayer;
  snapshotFiles: SnapshotFiles;
  /** Eight bytes that no other log has (wal.ts). */
  newLogId(): Uint8Array;
}

const systemHost: RaftLogHost = {
  nextTurn: (act) => {
    setImmediate(act);
  },
  lockDirectory,
  files: nodeFileLayer,
  snapshotFiles: nodeSnapshotFiles,
  newLogId: () => randomBytes(8),
};

/** Every limit of the driver; units last. */
export const RAFT_LOG_LIMITS = {
  /** The core's unit of time, and the pause between heartbeats. */
  tickMs: 100,
  /** Followers hear of a commit with the next entries, and at the latest this much later. */
  commitNoticeMs: 2,
  /** A follower stands for election after this many to twice as many ticks without its leader. */
  electionTicks: 5,
  /** By how many ticks clocks may drift apart while a promise lasts; only looked at for reads by lease. */
  leaseDriftTicks: 1,
  /** Bytes of one command. */
  entryBytesMax: 16 * 1024 * 1024,
  appendBytesMax: 1024 * 1024,
  /** On the way to one follower: append messages, and bytes of their entries. */
  inflightMax: 64,
  inflightBytesMax: 16 * 1024 * 1024,
  /** Past it proposals are refused until some commit. */
  uncommittedBytesMax: 64 * 1024 * 1024,
  /** Then the outcome is called unknown. Checked every tick. */
  proposeTimeoutMs: 10_000,
  readTimeoutMs: 5_000,
  /** How long a member may take to install a snapshot that was sent to it whole; then it is sent another. */
  snapshotReplyTimeoutMs: 60_000,
  /** How long the copy of the state is kept after an attempt that broke off, so that the next one goes on with it. */
  snapshotCopyKeptMs: 5 * 60_000,
  /** Pause before a member that could not be sent a snapshot is sent one again; doubles with each failure in a row. */
  snapshotRetryMinMs: 250,
  snapshotRetryMaxMs: 5_000,
  /** How long `start` waits for a leader. */
  startTimeoutMs: 10_000,
  /** Applied entries kept in memory and on disk before they are compacted, and what is left of them then. */
  retainedBytesMax: 64 * 1024 * 1024,
  retainedBytesAfter: 16 * 1024 * 1024,
  /** As much stays while a member is sent a snapshot, so that it can go on from there; past it, it is sent another. */
  retainedBytesDuringSnapshotMax: 256 * 1024 * 1024,
  /** See wal.ts. */
  segmentBytes: SEGMENT_BYTES,
  preallocateBytes: PREALLOCATE_BYTES,
} as const;
export type RaftLogLimits = { [K in keyof typeof RAFT_LOG_LIMITS]: number };

export type ReadMode = "quorum" | "lease";

/** For metrics and log lines; none of it may throw. */
export interface RaftLogObserver {
  onRecovered?: (report: RecoveryReport) => void;
  onSync?: (sync: WalSync) => void;
  onApplied?: (applied: { entries: number; durationMs: number }) => void;
  /** A membership entry was applied: its members. The log's status may have newer ones already, not committed yet. */
  onMembership?: (members: readonly NodeId[]) => void;
  /** A member that is far behind could not be sent a snapshot; it will be tried again. */
  onSnapshotTrouble?: (trouble: { to: NodeId; reason: string }) => void;
  onLeadership?: (change: { term: number; leaderId: number | null; isLeader: boolean }) => void;
}

export interface RaftLogOptions<R> {
  nodeId: NodeId;
  /** The node's data directory; the log takes it for itself alone (directory-lock.ts) and lives in `wal/` below it. */
  directory: string;
  /** Voters of a new cluster, this node among them; empty: the log must be there already. Looked at only on first boot. */
  members: readonly NodeId[];
  /**
   * On first boot, instead of members: the log begins with none, and a leader that has let this node in tells the rest. Safe
   * only for an id that never had another disk: whoever opens the log must have made sure of that.
   */
  joins?: boolean;
  /**
   * This id has lost its disk (R5): it may have voted in ways it no longer knows, so it neither votes nor stands, for good.
   * It still follows: what it acknowledges from now on it truly has, and every election quorum is of nodes that never forgot.
   */
  fenced?: boolean;
  stateMachine: StateMachine<R>;
  transport: Transport;
  /**
   * How a leader answers linearizable reads: `quorum` (the default) asks a majority each time; `lease` answers at once while
   * a majority has promised it to vote for nobody else, which leans on clocks (raft/lease.ts). Members may differ.
   */
  readMode?: ReadMode;
  /** Whether a member reads copies of the state in a format; absent: all members run this build. */
  readsSnapshots?: (nodeId: NodeId, format: number) => boolean;
  /** Whether another member is fenced, as far as is known: it is never chosen to take leadership over. Absent: none is. */
  isFenced?: (nodeId: NodeId) => boolean;
  /** The node cannot go on: state machine or disk failed. The process should end and start again. Called once. */
  onFatal: (error: Error) => void;
  clock?: Clock;
  /** In [0, 1). */
  random?: () => number;
  observer?: RaftLogObserver;
  limits?: Partial<RaftLogLimits>;
  host?: Partial<RaftLogHost>;
}

/** The options with their defaults filled in. */
export interface ResolvedOptions<R> extends RaftLogOptions<R> {
  clock: Clock;
  random: () => number;
  observer: RaftLogObserver;
  limits: RaftLogLimits;
  host: RaftLogHost;
}

export function resolveOptions<R>(options: RaftLogOptions<R>): ResolvedOptions<R> {
  return {
    ...options,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    observer: options.observer ?? {},
    limits: { ...RAFT_LOG_LIMITS, ...options.limits },
    host: { ...systemHost, ...options.host },
  };
}

/** The core's settings, with the driver's clock and limits in them. */
export function coreConfig<R>(options: ResolvedOptions<R>): RaftConfig {
  const { nodeId, clock, limits, random, readMode, isFenced } = options;
  const { electionTicks, appendBytesMax, inflightMax, inflightBytesMax, uncommittedBytesMax } = limits;
  const lease = {
    // A monotonic clock goes on while the process is stopped, which ticks do not.
    nowTicks: () => clock.nowMs() / limits.tickMs,
    driftTicks: limits.leaseDriftTicks,
  };
  return {
    id: nodeId,
    heartbeatTicks: 1,
    electionTicks,
    appendBytesMax,
    inflightMax,
    inflightBytesMax,
    uncommittedBytesMax,
    random,
    commitNotice: "when_told",
    ...(readMode === "lease" ? { lease } : {}),
    ...(isFenced === undefined ? {} : { isFenced }),
  };
}
