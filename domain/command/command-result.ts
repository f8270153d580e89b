import type { BundlePlan } from "../bundle/bundle.ts";
import type { ErrorCode, FieldError } from "./command-error.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import type { RestoredState } from "../backup/backup-origin.ts";
import type { ChangeRequestHead } from "../change-request/change-request.ts";
import type { ChangeRules } from "../change-request/change-rules.ts";
import type { PublishPlan } from "../publish/publish-plan.ts";
import type { KeptVersion } from "../retention/kept-version.ts";
import type { CommandKind } from "./command.ts";
import type { AuditAction, FeedEvent } from "./feed-entry.ts";
import type { StateChange } from "./state-view.ts";

/** A config without its schema text, which may be large and is never part of an answer to a write. */
export type ConfigHead = Omit<Config, "schema">;
/** A version without its schema text. */
export type VersionHead = Omit<ConfigVersion, "schema">;

/** What each command answers. Kept 24 h for idempotent replay: no secrets, and all that the HTTP answer needs. */
export interface CommandResults {
  create_config: { config: ConfigHead; version: VersionHead };
  create_version: { config: ConfigHead; version: VersionHead };
  write_draft: { config: ConfigHead; version: VersionHead };
  put_releases: { config: ConfigHead; warnings: string[] };
  rollback: { config: ConfigHead };
  delete_config: { config_id: string };
  set_retention: { config: ConfigHead };
  prune_versions: { config_id: string; removed: number[]; kept: KeptVersion[] };
  revoke_token: { jti: string };
  begin_restore: { restore_id: string; staged: number };
  restore_chunk: { restore_id: string; staged: number };
  commit_restore: { restored: RestoredState };
  abort_restore: { restore_id: string; staged: number };
  register_node: { node_id: number };
  move_node: { node_id: number };
  retire_node: { node_id: number };
  note_operation: Record<string, never>;
  note_failure: Record<string, never>;
  start_publish: { publish: PublishPlan; config: ConfigHead; warnings: string[] };
  advance_publish: { publish: PublishPlan; config: ConfigHead };
  report_gates: { publish: PublishPlan };
  approve_publish_stage: { publish: PublishPlan };
  abort_publish: { publish: PublishPlan; config: ConfigHead };
  apply_bundle: { bundle_id: string; plan: BundlePlan };
  pause_publish: { publish: PublishPlan };
  resume_publish: { publish: PublishPlan };
  end_pause: { publish: PublishPlan };
  /** In the order of the items; a rule names its version by number. */
  batch_releases: { items: { config: ConfigHead; version: VersionHead | null; warnings: string[] }[] };
  rewrap_keys: { rewrapped: number; next_cursor: string | null };
  anchor_audit: { seq: number; hash: string };
  set_change_rules: { rules: ChangeRules };
  request_change: { request: ChangeRequestHead };
  edit_change: { request: ChangeRequestHead };
  approve_change: { request: ChangeRequestHead };
  reject_change: { request: ChangeRequestHead };
  withdraw_change: { request: ChangeRequestHead };
  execute_change: { request: ChangeRequestHead; warnings: string[] };
}

/** Where a state stands in the log. */
export interface StatePlace {
  epoch: number;
  index: number;
  timestampMs: number;
}

/** What one feature's `apply` decides: writes, events for the feed, the answer, and a line for the audit. */
export type FeatureOutcome<K extends CommandKind> =
  | {
      ok: true;
      changes: StateChange[];
      events: FeedEvent[];
      result: CommandResults[K];
      /** Null: a step of something that is told of when it is done, so no entry of the feed. */
      audit: { action: AuditAction; resource: string; summary: string } | null;
      /** The command puts another state in the place of this one, which stands here. */
      moveTo?: StatePlace;
    }
  | { ok: false; code: ErrorCode; detail: string; errors?: FieldError[] };
