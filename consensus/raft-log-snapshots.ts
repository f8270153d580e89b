/**
 * Snapshots of one node, both ways. A member that is behind the compacted log is sent a copy of the state as it is now,
 * and the message says which index that is: any applied index will do, since all up to it is committed. The copy outlives
 * an attempt that broke off, so that the next one goes on with the same bytes, for as long as the log still follows on it.
 *
 * Installing survives a crash at any point: first the file is durable under INCOMING_FILE, then the log says that it begins
 * there, then the state is replaced in one step. A start that finds the log ahead of the state finishes from that file.
 */
import { join } from "node:path";
import type { NodeId, SnapshotMeta } from "./raft/types.ts";
import { membershipAt } from "./raft-log-compact.ts";
import type { ResolvedOptions } from "./raft-log-options.ts";
import type { StateMachine } from "./replicated-log.ts";
import type { SnapshotFiles } from "./storage/snapshot-files.ts";
import type { Wal } from "./storage/wal.ts";
import type { SnapshotMessage, Transport } from "./transport/transport.ts";

const DIRECTORY = "snapshot";
const INCOMING_FILE = "incoming.db";
const OUTGOING_FILE = "outgoing.db";
/** Of a state machine that does not say. */
const BASE_SNAPSHOT_FORMAT = 1;

type SnapshotOptions = Pick<
  ResolvedOptions<unknown>,
  "directory" | "clock" | "host" | "limits" | "observer" | "readsSnapshots"
> & {
  stateMachine: Pick<
    StateMachine<unknown>,
    "copyTo" | "copyFormat" | "install" | "lastApplied" | "snapshotFormat"
  >;
};
interface SnapshotParts {
  wal: Wal;
  transport: Transport;
  /** Told in a later turn. */
  onFailed: (to: NodeId) => void;
}

/** The one being sent or awaited; `deadlineMs` is set once it is on its way. */
interface Outgoing {
  to: NodeId;
  deadlineMs: number;
  /** Where the member will go on, or before. */
  heldIndex: number;
  stop: AbortController;
}
interface Copy {
  path: string;
  meta: SnapshotMeta;
  format: number;
  untilMs: number;
}

export class Snapshots {
  readonly #options: SnapshotOptions;
  readonly #parts: SnapshotParts;
  readonly #directory: string;
  readonly #copyPath: string;
  #outgoing: Outgoing | null = null;
  #copy: Copy | null = null;
  #copying: Promise<Copy> | null = null;
  /** Members that could not be sent one, and when to try again. */
  readonly #failures = new Map<NodeId, { inARow: number; againAtMs: number }>();
  #incoming: { meta: SnapshotMeta; path: string } | null = null;
  /** The file was claimed and may still be needed: until the next batch is taken, when the one before it is done with. */
  #isClaimed = false;

  constructor(options: SnapshotOptions, parts: SnapshotParts) {
    this.#options = options;
    this.#parts = parts;
    this.#directory = join(options.directory, DIRECTORY);
    this.#copyPath = join(this.#directory, OUTGOING_FILE);
    options.host.snapshotFiles.ensureDirectory(this.#directory);
    // Of a process before this one, whose members ask anew.
    options.host.snapshotFiles.remove(this.#copyPath);
  }

  /** Begins to send a copy of the state to a member; one at a time, others are failed and asked for again. */
  send(message: SnapshotMessage): void {
    const { stateMachine, clock } = this.#options;
    const isPaused = (this.#failures.get(message.to)?.againAtMs ?? 0) > clock.nowMs();
    if (this.#outgoing !== null || stateMachine.copyTo === undefined || isPaused) {
      this.#options.host.nextTurn(() => this.#parts.onFailed(message.to));
      return;
    }
    const heldIndex = stateMachine.lastApplied();
    const outgoing = { to: message.to, deadlineMs: Infinity, heldIndex, stop: new AbortController() };
    this.#outgoing = outgoing;
    void this.#deliver(message, outgoing);
  }

  /** The index from which on entries must stay, or a member could not go on from the copy that is sent or kept for it. */
  heldIndex(): number {
    return this.#outgoing?.heldIndex ?? this.#copy?.meta.index ?? Infinity;
  }

  /** Gives up what is being sent, and removes the copy. */
  close(): void {
    this.#outgoing?.stop.abort();
    this.#outgoing = null;
    this.#dropCopy();
  }

  async #deliver(message: SnapshotMessage, outgoing: Outgoing): Promise<void> {
    const { stateMachine, clock, limits } = this.#options;
    try {
      const kept = this.#keptCopy();
      // So that none is made for nothing; while it is made a command may change the format.
      this.#checkRead(message.to, kept?.format ?? stateMachine.snapshotFormat ?? BASE_SNAPSHOT_FORMAT);
      const copy = kept ?? (await this.#newCopy());
      this.#checkRead(message.to, copy.format);
      outgoing.heldIndex = copy.meta.index;
      if (this.#outgoing !== outgoing) return;
      const { format, meta, path } = copy;
      const signal = outgoing.stop.signal;
      await this.#parts.transport.sendSnapshot({ ...message, meta }, path, { copy, format, signal });
      outgoing.deadlineMs = clock.nowMs() + limits.snapshotReplyTimeoutMs;
    } catch (error) {
      this.#fail(outgoing, error instanceof Error ? error.message : String(error));
    }
  }

  #checkRead(to: NodeId, format: number): void {
    if (this.#options.readsSnapshots?.(to, format) !== false) return;
    throw new Error(`it is not known to read snapshots of format ${format}`);
  }

  /** The copy of an earlier attempt, while the log still goes on from it. */
  #keptCopy(): Copy | null {
    const { clock, limits } = this.#options;
    const kept = this.#copy;
    if (kept === null || this.#parts.wal.log.term(kept.meta.index) !== kept.meta.term) return null;
    kept.untilMs = clock.nowMs() + limits.snapshotCopyKeptMs;
    return kept;
  }

  #newCopy(): Promise<Copy> {
    this.#copying ??= this.#makeCopy().finally(() => {
      this.#copying = null;
    });
    return this.#copying;
  }

  async #makeCopy(): Promise<Copy> {
    const { stateMachine, clock, limits } = this.#options;
    const { wal } = this.#parts;
    const path = this.#copyPath;
    this.#dropCopy();
    this.#options.host.snapshotFiles.remove(path);
    const index = await stateMachine.copyTo!(path);
    const term = wal.log.term(index);
    if (term === undefined) throw new Error(`the log was compacted past ${index} meanwhile`);
    const format = stateMachine.copyFormat?.(path) ?? BASE_SNAPSHOT_FORMAT;
    const untilMs = clock.nowMs() + limits.snapshotCopyKeptMs;
    const membership = membershipAt(wal, index);
    if (membership === null) throw new Error(`this node does not know the membership at ${index}`);
    this.#copy = { path, meta: { index, term, membership }, format, untilMs };
    return this.#copy;
  }

  #dropCopy(): void {
    if (this.#copy !== null) this.#options.host.snapshotFiles.remove(this.#copy.path);
    this.#copy = null;
  }

  #fail(outgoing: Outgoing, reason: string): void {
    if (this.#outgoing !== outgoing) return;
    this.#outgoing = null;
    const { clock, limits, observer } = this.#options;
    const inARow = (this.#failures.get(outgoing.to)?.inARow ?? 0) + 1;
    const pauseMs = Math.min(limits.snapshotRetryMinMs * 2 ** (inARow - 1), limits.snapshotRetryMaxMs);
    this.#failures.set(outgoing.to, { inARow, againAtMs: clock.nowMs() + pauseMs });
    observer.onSnapshotTrouble?.({ to: outgoing.to, reason });
    this.#parts.onFailed(outgoing.to);
  }

  /** Every tick: whom the core no longer waits for is done or given up, and who took too long has failed. */
  check(isWaitedFor: (to: NodeId) => boolean): void {
    const nowMs = this.#options.clock.nowMs();
    const outgoing = this.#outgoing;
    if (outgoing === null) {
      if (this.#copy !== null && this.#copy.untilMs < nowMs) this.#dropCopy();
      return;
    }
    if (!isWaitedFor(outgoing.to)) {
      this.#outgoing = null;
      this.#failures.delete(outgoing.to);
      outgoing.stop.abort();
      this.#dropCopy();
    } else if (nowMs > outgoing.deadlineMs)
      this.#fail(outgoing, "it did not install what it was sent in time");
  }

  /**
   * Takes a file that arrived, before its message is put to the core. False: it is not wanted now, and its sender is told
   * so. While one is being installed no other may come, say from the next leader: it would take that one's place on
   * the disk, and neither this process nor the next could finish what the log has recorded.
   */
  accept(message: SnapshotMessage, arrived: string | undefined): boolean {
    // Its meta alone must not replace the log.
    if (arrived === undefined) return false;
    const { host, stateMachine } = this.#options;
    const { snapshotFiles } = host;
    if (this.#incoming !== null || this.#isClaimed || stateMachine.install === undefined) {
      snapshotFiles.remove(arrived);
      const { from: to, to: from, term } = message;
      this.#parts.transport.send([{ type: "snapshot_reply", from, to, term, ok: false, matchIndex: 0 }]);
      return false;
    }
    const path = join(this.#directory, INCOMING_FILE);
    snapshotFiles.replace(arrived, path);
    this.#incoming = { meta: message.meta, path };
    return true;
  }

  /**
   * Right after the core's next batch was taken: the file to install once the batch is durable, or null. A file that the
   * core had no use for is removed. Throws when the core wants to install what never came.
   */
  claim(meta: SnapshotMeta | null): string | null {
    const incoming = this.#incoming;
    this.#incoming = null;
    this.#isClaimed = meta !== null;
    if (meta === null) {
      if (incoming !== null) this.#options.host.snapshotFiles.remove(incoming.path);
      return null;
    }
    if (incoming === null || incoming.meta.index !== meta.index || incoming.meta.term !== meta.term) {
      throw new Error(`a snapshot up to ${meta.index} is to be installed, but it is not here`);
    }
    return incoming.path;
  }
}

/** Finishes an installation that a crash cut off after the log had recorded it. Throws what `install` throws. */
export function finishInstallation(
  directory: string,
  wal: Wal,
  stateMachine: Pick<StateMachine<unknown>, "install" | "lastApplied">,
  files: SnapshotFiles,
): void {
  const path = join(directory, DIRECTORY, INCOMING_FILE);
  const index = wal.log.snapshot()?.index ?? 0;
  if (index > stateMachine.lastApplied() && files.exists(path)) stateMachine.install?.(path, index);
  files.remove(path);
}
