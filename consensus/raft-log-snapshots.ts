/**
 * Snapshots of one node, both ways. A member that is behind the compacted log is sent a copy of the state as it is now,
 * and the message says which index that is: any applied index will do, since all up to it is committed.
 *
 * Installing survives a crash at any point: first the file is durable under INCOMING_FILE, then the log says that it begins
 * there, then the state is replaced in one step. A start that finds the log ahead of the state finishes from that file.
 */
import { join } from "node:path";
import type { NodeId, SnapshotMeta } from "./raft/types.ts";
import { membershipAt } from "./raft-log-compact.ts";
import type { RaftLogHost } from "./raft-log-options.ts";
import type { StateMachine } from "./replicated-log.ts";
import type { SnapshotFiles } from "./storage/snapshot-files.ts";
import type { Wal } from "./storage/wal.ts";
import type { SnapshotMessage, Transport } from "./transport/transport.ts";

const DIRECTORY = "snapshot";
const INCOMING_FILE = "incoming.db";
const OUTGOING_FILE = "outgoing.db";

interface SnapshotOptions {
  /** The node's data directory. */
  directory: string;
  wal: Wal;
  stateMachine: Pick<StateMachine<unknown>, "copyTo" | "install" | "lastApplied">;
  transport: Transport;
  host: Pick<RaftLogHost, "nextTurn" | "snapshotFiles">;
  nowMs: () => number;
  /** How long a member may take to install what it was sent. */
  replyTimeoutMs: number;
  /** Told in a later turn. */
  onFailed: (to: NodeId) => void;
}

export class Snapshots {
  readonly #options: SnapshotOptions;
  readonly #directory: string;
  /** The one being sent or awaited; `deadlineMs` is set once it is on its way. */
  #outgoing: { to: NodeId; deadlineMs: number } | null = null;
  #incoming: { meta: SnapshotMeta; path: string } | null = null;

  constructor(options: SnapshotOptions) {
    this.#options = options;
    this.#directory = join(options.directory, DIRECTORY);
    options.host.snapshotFiles.ensureDirectory(this.#directory);
  }

  /** Begins to send the present state to a member; one at a time, others are failed and asked for again. */
  send(message: SnapshotMessage): void {
    if (this.#outgoing !== null || this.#options.stateMachine.copyTo === undefined) {
      this.#options.host.nextTurn(() => this.#options.onFailed(message.to));
      return;
    }
    const outgoing = { to: message.to, deadlineMs: Infinity };
    this.#outgoing = outgoing;
    void this.#deliver(message, outgoing);
  }

  async #deliver(message: SnapshotMessage, outgoing: { to: NodeId; deadlineMs: number }): Promise<void> {
    try {
      await this.#copyAndSend(message);
      outgoing.deadlineMs = this.#options.nowMs() + this.#options.replyTimeoutMs;
    } catch {
      // The member could not be reached, or the copy failed: both are tried again when it answers next.
      this.#fail(outgoing);
    }
  }

  async #copyAndSend(message: SnapshotMessage): Promise<void> {
    const { stateMachine, wal, transport, host } = this.#options;
    const path = join(this.#directory, OUTGOING_FILE);
    try {
      host.snapshotFiles.remove(path);
      const index = await stateMachine.copyTo!(path);
      const term = wal.log.term(index);
      if (term === undefined) throw new Error(`the log was compacted past ${index} meanwhile`);
      await transport.sendSnapshot(
        { ...message, meta: { index, term, membership: membershipAt(wal, index) } },
        path,
      );
    } finally {
      host.snapshotFiles.remove(path);
    }
  }

  #fail(outgoing: { to: NodeId }): void {
    if (this.#outgoing !== outgoing) return;
    this.#outgoing = null;
    this.#options.onFailed(outgoing.to);
  }

  /** Every tick: whom the core no longer waits for is done, and who took too long has failed. */
  check(isWaitedFor: (to: NodeId) => boolean): void {
    const outgoing = this.#outgoing;
    if (outgoing === null || outgoing.deadlineMs === Infinity) return;
    if (!isWaitedFor(outgoing.to)) this.#outgoing = null;
    else if (this.#options.nowMs() > outgoing.deadlineMs) this.#fail(outgoing);
  }

  /** Takes a file that arrived, before its message is put to the core. False: it is not wanted now. */
  accept(message: SnapshotMessage, arrived: string): boolean {
    const { snapshotFiles } = this.#options.host;
    if (this.#incoming !== null || this.#options.stateMachine.install === undefined) {
      snapshotFiles.remove(arrived);
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
