import type { SnapshotAnswer, SnapshotInput } from "../../contracts/core/cluster-api.ts";
import { proposeOperation, requireLeader } from "./cluster-operation.ts";
import type { CoreContext } from "./core-context.ts";

/** Makes the leader's state durable as it is and lets go of the log before it. Throws what the log throws. */
export async function takeSnapshot(core: CoreContext, input: SnapshotInput): Promise<SnapshotAnswer> {
  await requireLeader(core);
  const { nodeId } = core.log.status();
  await proposeOperation(core, input.head, "note_operation", { summary: `snapshot on node ${nodeId}` });
  const snapshotIndex = await core.log.triggerSnapshot();
  return { ...core.position(), node_id: nodeId, snapshot_index: snapshotIndex };
}
