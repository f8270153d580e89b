import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { EPOCHS_MAX } from "../limits.ts";
import type { EpochStart, PendingRestore, RestoredState } from "./backup-origin.ts";

/**
 * Puts the staged rows in the place of the state, all at once: a new epoch begins with this command. Its index is past the
 * backup's, in a young cluster too, so that ids and revisions made of indexes never come twice. Tokens issued before now
 * end: some of them may have been revoked after the backup.
 */
export const commitRestore: ApplyVerb<"commit_restore"> = ({ state, command, index, timestampMs, epoch }) => {
  const { restore_id, keep_ids } = command.payload;
  const last = state.json(stateKey.restored) as RestoredState | undefined;
  // A commit of unknown outcome was repeated.
  if (last?.restore_id === restore_id) {
    return { ok: true, changes: [], events: [], result: { restored: last }, audit: null };
  }
  const pending = state.json(stateKey.pendingRestore) as PendingRestore | undefined;
  if (pending?.restore_id !== restore_id) {
    return refuse("precondition_failed", `no restore ${restore_id} is under way`);
  }
  const { origin, staged, chunks } = pending;
  if (staged !== chunks.length) {
    return refuse("precondition_failed", `${staged} of ${chunks.length} chunks are staged`);
  }
  const to = {
    epoch: Math.max(epoch, origin.epoch, pending.epoch_min) + 1,
    index: Math.max(index, origin.index + 1),
    timestampMs: Math.max(timestampMs, origin.timestamp_ms),
  };
  const before: EpochStart[] = last?.epochs ?? [{ epoch, first_index: 0 }];
  const earlier = keep_ids === true ? withLastId(before, last) : before;
  const restored: RestoredState = {
    restore_id,
    origin,
    index: to.index,
    epoch: to.epoch,
    tokens_not_before_ms: to.timestampMs,
    epochs: [...earlier, { epoch: to.epoch, first_index: to.index }].slice(-EPOCHS_MAX),
  };
  return {
    ok: true,
    moveTo: to,
    changes: [
      { op: "adopt_staged" },
      { op: "delete", key: stateKey.pendingRestore },
      { op: "put_json", key: stateKey.restored, value: restored },
    ],
    events: [
      {
        type: "state_restored",
        backup_id: origin.backup_id,
        restored_index: origin.index,
        epoch: to.epoch,
        previous_epoch: epoch,
        tokens_not_before_ms: restored.tokens_not_before_ms,
      },
    ],
    result: { restored },
    audit: {
      action: "write",
      resource: "cluster",
      summary:
        `restored backup ${origin.backup_id} of index ${origin.index}; epoch ${to.epoch} begins at ${to.index}; ` +
        `what epoch ${epoch} held after index ${origin.index} is rolled back`,
    },
  };
};

/** The last restore is not forgotten with the one that follows: whoever asks for it again must not get it twice. */
function withLastId(epochs: readonly EpochStart[], last: RestoredState | undefined): EpochStart[] {
  if (last === undefined) return [...epochs];
  const { restore_id } = last;
  return epochs.map((start, i) => (i === epochs.length - 1 ? { ...start, restore_id } : start));
}
