import type { BundleRequest } from "../bundle/bundle.ts";
import type { ConfigFormat, Retention, SealedContent } from "../config/config.ts";
import type { BackupOrigin } from "../backup/backup-origin.ts";
import type { Namespace } from "../config/config-name.ts";
import type { Actor } from "./actor.ts";
import type { GateOutcome } from "../publish/publish-gate.ts";
import type { PauseEnd, PublishStageInput, PublishStrategy } from "../publish/publish-plan.ts";
import type { ApprovalPolicy, FreezeWindow } from "../change-request/change-rules.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";

export type { Actor };

/** A version's content inside a command: its bytes are the attachment at this position. */
export interface ContentRef {
  attachment: number;
  /** SHA-256 of the attachment, lower-case hex; the core verifies it before it proposes. */
  sha256: string;
  /** Of an encrypted config: the attachment is an envelope, sealed by the core before it proposes. */
  sealed?: SealedContent | undefined;
}

/** One version whose data key is wrapped anew. Nothing happens when it is not as it was when its new key was made. */
export interface Rewrapping {
  config_id: string;
  version_id: number;
  /** SHA-256 of the envelope before and after. */
  from_sha256: string;
  to_sha256: string;
  key_id: string;
  /** Base64. */
  wrapped_key: string;
}

/** A data key whose envelope stands in a version's content, beside what is not sealed: a secret of a typed config (P7). */
export interface PartRewrapping {
  config_id: string;
  version_id: number;
  /** The wrapped key that is there, base64. Whatever stands around the envelope may have changed meanwhile. */
  from_wrapped_key: string;
  key_id: string;
  wrapped_key: string;
}

/** The data key of a content that an open change request holds. */
export interface HeldRewrapping extends Omit<Rewrapping, "config_id" | "version_id"> {
  change_request_id: string;
}

/** A rule that may name the version that its own item makes. */
export type BatchRule = Omit<ReleaseRule, "version_id" | "publish_id"> & { version_id: number | "new" };
/** What a batch does to one config: a new version, unless `content` is null, and then its rules or its default rule. */
export interface BatchItem {
  config_id: string;
  /** As `expected_revision` of a command of its own. */
  expected_revision: number | null;
  content: ContentRef | null;
  schema: string | null;
  description: string;
  /** The whole list; null: the default rule alone is changed. Exactly one of the two is null. */
  releases: BatchRule[] | null;
  default_version_id: number | "new" | null;
  /** As in `create_version`. */
  judged_by?: string | undefined;
}

export interface CommandPayloads {
  create_config: {
    namespace: Namespace;
    name: string;
    format: ConfigFormat;
    content: ContentRef;
    schema: string | null;
    description: string;
    encrypted: boolean;
    retention: Retention | null;
    releases: ReleaseRule[];
    /** Configs that the tenant may have, this one included; left out: any number. */
    max_configs?: number | undefined;
  };
  create_version: {
    config_id: string;
    content: ContentRef;
    format: ConfigFormat | null;
    schema: string | null;
    description: string;
    /** SHA-256 of `judgedText`: the config's format and schema that the content was judged by; left out: whatever they are. */
    judged_by?: string | undefined;
  };
  /** Edits the draft of a typed config, or makes the next one when its latest version is none (P1). */
  write_draft: { config_id: string; content: ContentRef; description: string };
  /** `abort_plan`: ends a running publish plan instead of being refused because of it. */
  put_releases: { config_id: string; releases: ReleaseRule[]; abort_plan?: boolean | undefined };
  /** Points the default rule at an old version, making one when there is none (C6). */
  rollback: { config_id: string; version_id: number; abort_plan?: boolean | undefined };
  delete_config: { config_id: string };
  /** Which old versions are kept; null: all of them. */
  set_retention: { config_id: string; retention: Retention | null };
  /**
   * Removes old versions that the config's retention keeps no longer and that lie in the archive, as they were then (C10).
   * Only a core proposes it. Each is judged anew by the state that the command meets.
   */
  prune_versions: {
    config_id: string;
    versions: { version_id: number; sha256: string }[];
    /** Where they were archived, for the audit. */
    archive: string;
    /** 2: versions that change requests of several configs name stay, too; left out: as builds before did it. */
    form?: 2 | undefined;
  };
  /** Makes every edge refuse a token until it would have expired anyway. */
  revoke_token: { jti: string; expires_at_ms: number };
  /** The four steps of a restore. Only a core proposes them, never a caller (`isRestoreKind`). */
  begin_restore: {
    restore_id: string;
    origin: BackupOrigin;
    /** SHA-256 of each chunk, in order. */
    chunks: string[];
    epoch_min: number;
    /** Take over the state of another cluster. */
    force: boolean;
  };
  restore_chunk: { restore_id: string; position: number; content: ContentRef };
  /** `keep_ids`: the restore before stays known by its id. Absent: a build that forgot it proposed this. */
  commit_restore: { restore_id: string; keep_ids?: true | undefined };
  abort_restore: { restore_id: string };
  /** Admits a node of the core: where it is, and which disk is its own (R5). */
  register_node: { node_id: number; raft_address: string; url: string; disk_id: string };
  /** Corrects where a node is that nobody reached at the address before; its disk stays its own. */
  move_node: { node_id: number; raft_address: string };
  /** Uses an id of a node up. */
  retire_node: { node_id: number };
  /** An operation on the core that changes no state: here for its audit. */
  note_operation: { summary: string };
  /** One that was refused or failed. */
  note_failure: { summary: string };
  /** Makes the version (or takes one that is there) and puts the rule of the first stage, all or nothing (C7). */
  start_publish: {
    config_id: string;
    /** Exactly one of the two is null. */
    content: ContentRef | null;
    version_id: number | null;
    description: string;
    strategy: PublishStrategy;
    stages: PublishStageInput[];
    /** 2: the plan may have several stages and percentages, and deprecates what it replaces. Left out: none of that. */
    form?: 2 | undefined;
    /** Ends a running plan instead of being refused because of it. */
    abort_plan?: boolean | undefined;
    /** As in `create_version`. */
    judged_by?: string | undefined;
  };
  /**
   * Takes a plan past `expected_stage`; refused when another one bakes, so that a repetition does no harm. With
   * `bake_over` it is refused, too, until the stage has baked by the log's time. `gates`, of a stage that has some: all
   * were found to hold, or a person lets the plan go on without them, for a reason.
   */
  advance_publish: {
    publish_id: string;
    expected_stage: number;
    cause: "by_hand" | "bake_over";
    gates?: "held" | { skipped: string } | undefined;
  };
  /** What the gates of `expected_stage` say now, in their order. One that fails pauses or aborts the plan, as it asks. */
  report_gates: { publish_id: string; expected_stage: number; outcomes: GateOutcome[] };
  /** The word of a person other than the plan's creator that `expected_stage` may be left. */
  approve_publish_stage: { publish_id: string; expected_stage: number; comment: string };
  /** Ends a plan and takes its rules away: everyone gets the version before. */
  abort_publish: { publish_id: string };
  /** Halts a plan in `expected_stage`, for `minutes` at most: then it is ended as `on_timeout` says. */
  pause_publish: { publish_id: string; expected_stage: number; minutes: number; on_timeout: PauseEnd };
  /** `skip_gates`: why the stage goes on without its gates. */
  resume_publish: { publish_id: string; skip_gates?: string | undefined };
  /** Ends the pause that began at `paused_at_ms`, refused until it counts as forgotten by the log's time. */
  end_pause: { publish_id: string; paused_at_ms: number };
  /** Versions and rules of several configs of a tenant, all or nothing (C7). `abort_plan`: as for rules alone, for all of them. */
  batch_releases: { items: BatchItem[]; abort_plan: boolean };
  /**
   * Wraps data keys anew after a KMS key was rotated or changed (K3); contents stay as they are. Only a core proposes it.
   * `resource`: what was asked for, for the audit; `next_cursor`: where to go on. `parts` and `held` are left out where there
   * are none, so that a build without them takes all other pages.
   */
  rewrap_keys: {
    resource: string;
    items: Rewrapping[];
    parts?: PartRewrapping[] | undefined;
    held?: HeldRewrapping[] | undefined;
    next_cursor: string | null;
  };
  /** Writes down where the audit chain of the command's tenant ends, so that a cut tail shows (A5). */
  anchor_audit: { seq: number; hash: string };
  /** Replaces what the command's tenant asks of changes (C14). */
  set_change_rules: { approvals: ApprovalPolicy[]; freezes: FreezeWindow[] };
  /** Asks for a change of a config as it is at `config_revision`, for others to approve. */
  request_change: ChangeRequestInput;
  /** Puts another operation in the place of the one asked for; all approvals are void. */
  edit_change: ChangeRequestInput & { change_request_id: string };
  /** Approves exactly what has this digest. */
  approve_change: { change_request_id: string; digest: string; comment: string };
  reject_change: { change_request_id: string; comment: string };
  withdraw_change: { change_request_id: string; comment: string };
  /** Makes the change and ends its request, both or neither. */
  execute_change: { change_request_id: string; digest: string };
  /** Makes configs as a bundle wants them, all or nothing (C13). */
  apply_bundle: BundleRequest & {
    /** The digest of the plan that was looked at; another one is refused. Null: whatever the plan is. */
    if_plan: string | null;
    max_configs?: number | undefined;
  };
}

/**
 * Null, both of them, where the operation is of several configs, which says itself of which revisions: each item of a batch
 * by `expected_revision`, a bundle by `if_plan`.
 */
export interface ChangeRequestInput {
  config_id: string | null;
  config_revision: number | null;
  operation: ChangeOperation;
  description: string;
}
export type CommandKind = keyof CommandPayloads;

/** Kinds of commands that a change request can stand for: of one config, ... */
const OPERATION_KINDS_OF_ONE = [
  "put_releases",
  "rollback",
  "start_publish",
  "create_version",
  "delete_config",
] as const satisfies readonly CommandKind[];
/** ... and of several. */
const OPERATION_KINDS_OF_SEVERAL = [
  "batch_releases",
  "apply_bundle",
] as const satisfies readonly CommandKind[];
export const CHANGE_OPERATION_KINDS = [...OPERATION_KINDS_OF_ONE, ...OPERATION_KINDS_OF_SEVERAL] as const;
export type ChangeOperationKind = (typeof CHANGE_OPERATION_KINDS)[number];
/** What a change request asks for: a command's kind and payload. A content is held beside it, as bytes. */
type OperationOf<K extends CommandKind> = { [Of in K]: { kind: Of; payload: CommandPayloads[Of] } }[K];
export type OperationOfOne = OperationOf<(typeof OPERATION_KINDS_OF_ONE)[number]>;
export type OperationOfSeveral = OperationOf<(typeof OPERATION_KINDS_OF_SEVERAL)[number]>;
export type ChangeOperation = OperationOfOne | OperationOfSeveral;

export function isOfSeveral(operation: ChangeOperation): operation is OperationOfSeveral {
  return OPERATION_KINDS_OF_SEVERAL.some((kind) => kind === operation.kind);
}

/** Kinds that a core makes itself, from a backup that it has verified. */
export const RESTORE_KINDS = [
  "begin_restore",
  "restore_chunk",
  "commit_restore",
  "abort_restore",
] as const satisfies readonly CommandKind[];
export function isRestoreKind(kind: CommandKind): boolean {
  return RESTORE_KINDS.some((restore) => restore === kind);
}

/** Kinds that no caller proposes: a core makes them from what only it can know. */
export function isCoreKind(kind: CommandKind): boolean {
  return kind === "rewrap_keys" || kind === "prune_versions" || isRestoreKind(kind);
}

/** Results are kept for idempotent replay, so they hold no secrets and all that the answer needs. */
export const COMMAND_FORMAT_VERSION = 1;

export interface CommandOf<K extends CommandKind> {
  format: typeof COMMAND_FORMAT_VERSION;
  kind: K;
  tenant: string;
  actor: Actor;
  ip: string;
  /** 32 hex digits (W3C trace context). */
  trace_id: string;
  /** Scope: digest of principal, tenant, method, path and key. Digest: keyed HMAC of the request body. */
  idempotency: { scope: string; digest: string } | null;
  /** The revision `If-Match` named; null when the caller does not mind. */
  expected_revision: number | null;
  /** Why the change is to pass a freeze window; whoever proposes it has asked whether the caller may. */
  break_glass?: string | undefined;
  payload: CommandPayloads[K];
}
export type Command = { [K in CommandKind]: CommandOf<K> }[CommandKind];
