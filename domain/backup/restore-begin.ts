import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import type { PendingRestore, RestoredState } from "./backup-origin.ts";
import { epochBegunBy } from "./epochs-of.ts";

/**
 * Begins a restore: its chunks come next, and nothing of it is seen before its commit. One that was under way is dropped,
 * since whoever fed it is gone. Refused: another cluster's backup unless `force`, and the id of a restore that is done.
 */
export const beginRestore: ApplyVerb<"begin_restore"> = ({ state, command, clusterId }) => {
  const { restore_id, origin, epoch_min, chunks, force } = command.payload;
  if (origin.cluster_id !== clusterId && !force) {
    return refuse(
      "validation_failed",
      `the backup is of cluster ${origin.cluster_id}, this is ${clusterId}`,
      [{ path: "/force", message: "true, to take over another cluster's state" }],
    );
  }
  const begun = epochBegunBy(state.json(stateKey.restored) as RestoredState | undefined, restore_id);
  if (begun !== null) {
    return refuse("already_exists", `the restore ${restore_id} is done: epoch ${begun} began with it`);
  }
  const pending: PendingRestore = { restore_id, origin, epoch_min, chunks, staged: 0 };
  return {
    ok: true,
    changes: [{ op: "drop_staged" }, { op: "put_json", key: stateKey.pendingRestore, value: pending }],
    events: [],
    result: { restore_id, staged: 0 },
    audit: null,
  };
};
