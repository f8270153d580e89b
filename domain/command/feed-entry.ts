import type { ConfigFormat } from "../config/config.ts";
import type { Namespace } from "../config/config-name.ts";
import type { PublishCause } from "../publish/publish-plan.ts";
import type { ReleaseRule, RulePercentage } from "../release-rule/release-rule.ts";
import type { Actor, CommandKind } from "./command.ts";

/** A version that a rule names: what the edge must be able to serve. */
export interface Variant {
  version_id: number;
  sha256: string;
  content_bytes: number;
  format: ConfigFormat;
}

export interface ConfigChanged {
  type: "config_changed";
  config_id: string;
  namespace: Namespace;
  name: string;
  encrypted: boolean;
  latest_version_id: number;
  releases: ReleaseRule[];
  /** Exactly the versions that `releases` names, ascending. */
  variants: Variant[];
}
export interface ConfigDeleted {
  type: "config_deleted";
  config_id: string;
  namespace: Namespace;
  name: string;
}
export interface TokenRevoked {
  type: "token_revoked";
  jti: string;
  expires_at_ms: number;
}
/** A backup has taken the place of the state: what comes from here on is of another epoch. */
export interface StateRestored {
  type: "state_restored";
  backup_id: string;
  /** Of the backup; what the previous epoch held after it is rolled back. */
  restored_index: number;
  epoch: number;
  previous_epoch: number;
  tokens_not_before_ms: number;
}
/** A transition of a publish plan. The edge knows nothing of plans and is never shown one. */
export interface PublishChanged {
  type: "publish_changed";
  publish_id: string;
  config_id: string;
  namespace: Namespace;
  name: string;
  version_id: number;
  /** What the default rule named before the plan; deprecated when the plan is full. Null: nothing. */
  previous_version_id: number | null;
  /** `stage1`, `paused`, `full`, `aborted`, `deprecated`; null before the plan. */
  from: string | null;
  to: string;
  /** Of the stage that the plan is in, whose clients join those of the stages before; all null when it has ended. */
  regions: string[] | null;
  labels: Record<string, string> | null;
  percentage?: RulePercentage | undefined;
  /** The stage that the plan is in or ended in, from 1; 0 without stages. Left out in entries of older builds, as is the next. */
  stage?: number | undefined;
  /** Regions in which the version is given out now (gray-groups.ts). */
  gray_groups?: string[] | undefined;
  cause: PublishCause;
  /** What a gate said that stopped the plan, or why a person let it go on without its gates. */
  reason?: string | undefined;
  /** When the plan may go on by itself (`goesOnAtMs`), in the log's time. Left out: not by itself, and by older builds. */
  goes_on_at_ms?: number | undefined;
}
/** Somebody has approved the stage that a plan is in. No move: nothing about the plan's version has changed. */
export interface PublishApproved {
  type: "publish_approved";
  publish_id: string;
  config_id: string;
  /** From 1. */
  stage: number;
  /** As above. */
  goes_on_at_ms?: number | undefined;
}
/** What the edge must know. */
export type EdgeEvent = ConfigChanged | ConfigDeleted | TokenRevoked | StateRestored;
export type FeedEvent = EdgeEvent | PublishChanged | PublishApproved;

export type AuditAction = "write" | "delete" | "publish" | "approve";

/** What an audit row of a log write needs; projected by lambdas/feed-projection. */
export interface FeedAudit {
  actor: Actor;
  ip: string;
  action: AuditAction;
  resource: string;
  summary: string;
  /** Absent: it was done. */
  outcome?: "failure";
}

/**
 * One applied command that changed something. `prev_index` is the index of the entry before it in the feed
 * (0 for the first), so that a follower sees a gap although raft indexes of no-ops are missing.
 */
export interface FeedEntry {
  index: number;
  prev_index: number;
  timestamp_ms: number;
  tenant: string;
  kind: CommandKind;
  trace_id: string;
  events: FeedEvent[];
  audit: FeedAudit;
}
