import { join } from "node:path";
import { createRawNode } from "./raft/raw-node.ts";
import type { RawNode } from "./raft/types.ts";
import { baseMembership } from "./raft-log-compact.ts";
import { coreConfig, type RaftLogOptions, type ResolvedOptions } from "./raft-log-options.ts";
import { finishInstallation } from "./raft-log-snapshots.ts";
import type { SnapshotFiles } from "./storage/snapshot-files.ts";
import { openWal, type Wal } from "./storage/wal.ts";

const WAL_DIRECTORY = "wal";

/** What lies in the data directory does not belong together, or not to this node. */
export class DirectoryContradictionError extends Error {
  /** The node that the directory belongs to; null when something in it is missing. */
  readonly owner: number | null;
  constructor(message: string, owner: number | null = null) {
    super(message);
    this.name = "DirectoryContradictionError";
    this.owner = owner;
  }
}

/** Opens the log's files and recovers them. `onPoisoned`: the disk failed, nothing more will be written. */
export function openRaftLogWal(
  { directory, host, limits, clock, observer }: ResolvedOptions<unknown>,
  onPoisoned: (error: Error) => void,
): Promise<Wal> {
  return openWal({
    directory: join(directory, WAL_DIRECTORY),
    files: host.files,
    segmentBytes: limits.segmentBytes,
    preallocateBytes: limits.preallocateBytes,
    newLogId: () => host.newLogId(),
    nowMs: () => clock.nowMs(),
    onPoisoned,
    ...(observer.onSync === undefined ? {} : { onSync: observer.onSync }),
  });
}

/**
 * First boot: notes whose log this is and the cluster's first membership. Later: checks that log, state machine and node
 * belong together, and throws a `DirectoryContradictionError` that says how they do not.
 */
export async function initialiseRaftLog<R>(
  wal: Wal,
  { nodeId, directory, members, joins, stateMachine }: RaftLogOptions<R>,
  files: SnapshotFiles,
): Promise<void> {
  const known = wal.cluster();
  if (known !== null) finishInstallation(directory, wal, stateMachine, files);
  const applied = stateMachine.lastApplied();
  if (known === null) {
    if (applied > 0) {
      throw new DirectoryContradictionError(
        `${directory} holds state up to index ${applied} but no log: it was removed or is elsewhere`,
      );
    }
    if (joins !== true && members.length === 0)
      throw new DirectoryContradictionError(`${directory} has lost the log of node ${nodeId}`);
    if (joins !== true && !members.includes(nodeId))
      throw new Error(`node ${nodeId} is not among the members ${members.join(", ")}`);
    const voters = members.toSorted((a, b) => a - b);
    await wal.initialise({ nodeId, membership: { voters, outgoing: [], learners: [] } });
    return;
  }
  if (known.nodeId !== nodeId)
    throw new DirectoryContradictionError(
      `${directory} belongs to node ${known.nodeId}, not to node ${nodeId}`,
      known.nodeId,
    );
  if (applied > wal.log.lastIndex()) {
    const last = wal.log.lastIndex();
    throw new DirectoryContradictionError(
      `${directory} holds state up to index ${applied} but its log ends at ${last}: entries were lost`,
    );
  }
  if (applied < wal.log.firstIndex() - 1) {
    const first = wal.log.firstIndex();
    throw new DirectoryContradictionError(
      `${directory} holds state up to index ${applied} but its log begins at ${first}: state was lost`,
    );
  }
}

/** The core over a log that `initialiseRaftLog` has found or made good. */
export function createRaftLogNode<R>(options: ResolvedOptions<R>, wal: Wal): RawNode {
  return createRawNode({
    config: coreConfig(options),
    log: wal.log,
    hardState: wal.hardState(),
    membership: baseMembership(wal),
    applied: options.stateMachine.lastApplied(),
  });
}
