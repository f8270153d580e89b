import type { SnapshotAnswer, SnapshotInput } from "../../contracts/core/cluster-api.ts";
import { answerAt, findEarlier, proposeOperation, requireLeader } from "./cluster-operation.ts";
import type { CoreContext } from "./core-context.ts";

/**
 * Makes the leader's state durable as it is and lets go of the log before it. Under a key it is recorded once; to do it again
 * does no harm, so a repetition does and says how far it reaches now. Throws what the log throws.
 */
export async function takeSnapshot(core: CoreContext, input: SnapshotInput): Promise<SnapshotAnswer> {
  await requireLeader(core);
  const earlier = findEarlier(core, input);
  const { nodeId } = core.log.status();
  if (earlier === null) {
    await proposeOperation(core, input, "note_operation", { summary: `snapshot on node ${nodeId}` });
  }
  const snapshotIndex = await core.log.triggerSnapshot();
  return { ...answerAt(core, earlier, { worked: false }), node_id: nodeId, snapshot_index: snapshotIndex };
}
