import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import type { PendingRestore } from "./backup-origin.ts";
import { isStateRows } from "./restore-rows.ts";

/**
 * Stages the next chunk of the restore under way. The bytes have the hash that the command says, which the core checked
 * before it proposed; here it must be the one that the beginning announced. A chunk that is staged already is answered
 * like a new one, so that a proposal of unknown outcome may be repeated.
 */
export const stageRestoreChunk: ApplyVerb<"restore_chunk"> = ({ state, command, attachments }) => {
  const { restore_id, position, content } = command.payload;
  const pending = state.json(stateKey.pendingRestore) as PendingRestore | undefined;
  if (pending?.restore_id !== restore_id) {
    return refuse("precondition_failed", `no restore ${restore_id} is under way`);
  }
  if (position < pending.staged) {
    return { ok: true, changes: [], events: [], result: { restore_id, staged: pending.staged }, audit: null };
  }
  if (position > pending.staged) {
    return refuse("precondition_failed", `chunk ${pending.staged} comes next, not ${position}`);
  }
  const bytes = attachments[content.attachment];
  if (bytes === undefined || pending.chunks[position] !== content.sha256 || !isStateRows(bytes)) {
    return refuse("validation_failed", `chunk ${position} is not the one that was announced`);
  }
  const staged = pending.staged + 1;
  return {
    ok: true,
    changes: [
      { op: "stage_rows", chunk: bytes },
      {
        op: "put_json",
        key: stateKey.pendingRestore,
        value: { ...pending, staged } satisfies PendingRestore,
      },
    ],
    events: [],
    result: { restore_id, staged },
    audit: null,
  };
};
