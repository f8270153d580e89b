import { anchorAudit } from "../access/anchor-audit.ts";
import { revokeToken } from "../access/revoke-token.ts";
import { abortRestore } from "../backup/restore-abort.ts";
import { beginRestore } from "../backup/restore-begin.ts";
import { stageRestoreChunk } from "../backup/restore-chunk.ts";
import { commitRestore } from "../backup/restore-commit.ts";
import { applyBundle } from "../bundle/apply-bundle.ts";
import { moveNode } from "../cluster/move-node.ts";
import { noteFailure } from "../cluster/note-failure.ts";
import { noteOperation } from "../cluster/note-operation.ts";
import { registerNode } from "../cluster/register-node.ts";
import { retireNode } from "../cluster/retire-node.ts";
import { batchReleases } from "../config/batch-releases.ts";
import { approveChange } from "../change-request/approve-change.ts";
import { editChange } from "../change-request/edit-change.ts";
import { executeChange } from "../change-request/execute-change.ts";
import { planOf } from "../change-request/changes-of.ts";
import { guardChange } from "../change-request/guard-change.ts";
import { rejectChange } from "../change-request/reject-change.ts";
import { requestChange } from "../change-request/request-change.ts";
import { setChangeRules } from "../change-request/set-change-rules.ts";
import { withdrawChange } from "../change-request/withdraw-change.ts";
import { createConfig } from "../config/create-config.ts";
import { createVersion } from "../config/create-version.ts";
import { deleteConfig } from "../config/delete-config.ts";
import { putReleases } from "../config/put-releases.ts";
import { rollbackConfig } from "../config/rollback-config.ts";
import { setRetention } from "../config/set-retention.ts";
import { rewrapKeys } from "../encryption/rewrap-keys.ts";
import { abortPublish } from "../publish/abort-publish.ts";
import { advancePublish } from "../publish/advance-publish.ts";
import { approvePublishStage } from "../publish/approve-publish-stage.ts";
import { pausePublish } from "../publish/pause-publish.ts";
import { reportGates } from "../publish/report-gates.ts";
import { endPause, resumePublish } from "../publish/resume-publish.ts";
import { startPublish } from "../publish/start-publish.ts";
import { type ApplyInput, type ApplyVerb, type Refusal, refuse } from "./apply-verb.ts";
import type { Command, CommandKind } from "./command.ts";
import type { CommandResults, FeatureOutcome, StatePlace } from "./command-result.ts";
import type { FeedEntry } from "./feed-entry.ts";
import { findResult, keepResult } from "./idempotency.ts";
import type { StateChange, StateView } from "./state-view.ts";

/** What the state machine answers for a command. On a replay, `index` and `timestamp_ms` are those of the first time. */
export type ApplyOutcome =
  | {
      ok: true;
      replayed: boolean;
      index: number;
      timestamp_ms: number;
      result: CommandResults[CommandKind];
    }
  | Refusal;

export interface Applied {
  /** All to be written, or none of them. Empty when the command was refused or replayed. */
  changes: StateChange[];
  /** The command's place in the feed; null when it changed nothing. */
  feedEntry: FeedEntry | null;
  /** Where the state stands from now on, when the command put another one in its place; null: where it would anyway. */
  movedTo: StatePlace | null;
  outcome: ApplyOutcome;
}

/** What a command that is refused or replayed does. */
const NOTHING = { changes: [], feedEntry: null, movedTo: null };

/** Every kind of command and the one function that applies it. */
const VERBS: { [K in CommandKind]: ApplyVerb<K> } = {
  create_config: createConfig,
  create_version: createVersion,
  put_releases: putReleases,
  rollback: rollbackConfig,
  delete_config: deleteConfig,
  set_retention: setRetention,
  revoke_token: revokeToken,
  begin_restore: beginRestore,
  restore_chunk: stageRestoreChunk,
  commit_restore: commitRestore,
  abort_restore: abortRestore,
  register_node: registerNode,
  move_node: moveNode,
  retire_node: retireNode,
  note_operation: noteOperation,
  note_failure: noteFailure,
  start_publish: startPublish,
  advance_publish: advancePublish,
  abort_publish: abortPublish,
  report_gates: reportGates,
  approve_publish_stage: approvePublishStage,
  pause_publish: pausePublish,
  resume_publish: resumePublish,
  end_pause: endPause,
  batch_releases: batchReleases,
  rewrap_keys: rewrapKeys,
  anchor_audit: anchorAudit,
  set_change_rules: setChangeRules,
  request_change: requestChange,
  edit_change: editChange,
  approve_change: approveChange,
  reject_change: rejectChange,
  withdraw_change: withdrawChange,
  execute_change: executeChange,
  apply_bundle: applyBundle,
};

/** Every kind that this build applies. */
export const COMMAND_KINDS = Object.keys(VERBS) as CommandKind[];

/**
 * Applies one command of the log to the state: pure, so that every node comes to the same bytes. A key used before
 * answers its first result, or `idempotency_conflict` when the request was another one; a refusal writes nothing and is
 * not remembered. `prevFeedIndex` is the index of the feed's last entry, 0 for none.
 */
export function applyCommand(input: {
  state: StateView;
  command: Command;
  attachments: readonly Uint8Array[];
  index: number;
  prevFeedIndex: number;
  timestampMs: number;
  clusterId: string;
  epoch: number;
}): Applied {
  const { state, command } = input;
  const before = findResult(state, command, input.timestampMs);
  if (before !== null) return { ...NOTHING, outcome: replay(before, command) };
  const planned = planOf(state, command);
  const guarded = guardChange(state, command, { nowMs: input.timestampMs, planned });
  if (!guarded.ok) return { ...NOTHING, outcome: guarded };
  const outcome = dispatch({ ...input, command, planned });
  if (!outcome.ok) return { ...NOTHING, outcome };
  const { result, events, audit, moveTo } = outcome;
  const { index, timestampMs } = moveTo ?? input;
  return {
    changes: [
      ...outcome.changes,
      // The results of another state are none of this one's business.
      ...(moveTo === undefined ? keepResult({ state, command, index, timestampMs, result }) : []),
    ],
    movedTo: moveTo ?? null,
    feedEntry: audit && {
      index,
      prev_index: input.prevFeedIndex,
      timestamp_ms: timestampMs,
      tenant: command.tenant,
      kind: command.kind,
      trace_id: command.trace_id,
      events,
      audit: {
        actor: command.actor,
        ip: command.ip,
        ...audit,
        // Said first, so that nobody reads past it.
        summary: guarded.note + audit.summary,
      },
    },
    outcome: { ok: true, replayed: false, index, timestamp_ms: timestampMs, result },
  };
}

function dispatch<K extends CommandKind>(input: ApplyInput<K>): FeatureOutcome<K> {
  const verb: ApplyVerb<K> = VERBS[input.command.kind];
  return verb(input);
}

function replay(before: NonNullable<ReturnType<typeof findResult>>, command: Command): ApplyOutcome {
  if (before.digest !== command.idempotency?.digest || before.kind !== command.kind) {
    return refuse("idempotency_conflict", "the idempotency key was used with another request");
  }
  const { index, timestamp_ms, result } = before;
  return { ok: true, replayed: true, index, timestamp_ms, result };
}
