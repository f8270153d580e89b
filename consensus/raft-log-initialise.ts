import type { RaftLogOptions } from "./raft-log-options.ts";
import { finishInstallation } from "./raft-log-snapshots.ts";
import type { SnapshotFiles } from "./storage/snapshot-files.ts";
import type { Wal } from "./storage/wal.ts";

/**
 * First boot: notes whose log this is and the cluster's first membership. Later: checks that log, state machine and node
 * belong together, and throws an `Error` that says how they do not.
 */
export async function initialiseRaftLog<R>(
  wal: Wal,
  { nodeId, directory, members, stateMachine }: RaftLogOptions<R>,
  files: SnapshotFiles,
): Promise<void> {
  const known = wal.cluster();
  if (known !== null) finishInstallation(directory, wal, stateMachine, files);
  const applied = stateMachine.lastApplied();
  if (known === null) {
    if (applied > 0) {
      throw new Error(
        `${directory} holds state up to index ${applied} but no log: it was removed or is elsewhere`,
      );
    }
    if (members.length === 0) throw new Error(`${directory} has lost the log of node ${nodeId}`);
    if (!members.includes(nodeId))
      throw new Error(`node ${nodeId} is not among the members ${members.join(", ")}`);
    const voters = members.toSorted((a, b) => a - b);
    await wal.initialise({ nodeId, membership: { voters, outgoing: [], learners: [] } });
    return;
  }
  if (known.nodeId !== nodeId)
    throw new Error(`${directory} belongs to node ${known.nodeId}, not to node ${nodeId}`);
  if (applied > wal.log.lastIndex()) {
    const last = wal.log.lastIndex();
    throw new Error(
      `${directory} holds state up to index ${applied} but its log ends at ${last}: entries were lost`,
    );
  }
  if (applied < wal.log.firstIndex() - 1) {
    const first = wal.log.firstIndex();
    throw new Error(
      `${directory} holds state up to index ${applied} but its log begins at ${first}: state was lost`,
    );
  }
}
