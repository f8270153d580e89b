import type { AuditAnchor } from "../../domain/access/anchor-audit.ts";
import type { BundleGuard, BundlePlan } from "../../domain/bundle/bundle.ts";
import type { ExportedConfig } from "../../domain/bundle/export-bundle.ts";
import type { EpochStart } from "../../domain/backup/backup-origin.ts";
import type { LastRestore } from "../../domain/backup/epochs-of.ts";
import type { CommandKind } from "../../domain/command/command.ts";
import type { CommandResults } from "../../domain/command/command-result.ts";
import type { ConfigChanged, FeedEntry, TokenRevoked } from "../../domain/command/feed-entry.ts";
import type { EdgeEntry } from "../../domain/command/read-feed.ts";
import type { Config, ConfigVersion, DeletedConfig } from "../../domain/config/config.ts";
import type { ChangeRequest } from "../../domain/change-request/change-request.ts";
import type { ChangeRules } from "../../domain/change-request/change-rules.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";

/**
 * The HTTP surface of a core node: for the admin Worker, replicas and Lambdas, never for the public.
 * Every request but health and metrics carries `Authorization: Bearer <service token>`: an HS256 JWT with audience
 * `CORE_AUDIENCE`, issuer `CORE_ISSUER`, subject one of `SERVICE_ROLES`, at most `SERVICE_TOKEN_TTL_S` long, signed with
 * the cluster's service key. Refusals are problem documents. JSON both ways, but for commands and blobs (bytes).
 *
 *   POST /v1/propose                        body: encodeCommand(...)          -> ProposeAnswer
 *   POST /v1/propose?key_id                 the same, as COMMAND_TO_SEAL_CONTENT_TYPE: its contents are sealed first
 *   POST /v1/rewrap-keys                    body: CoreRewrapInput             -> CoreRewrapAnswer (rewrap-api.ts)
 *   POST /v1/seal?tenant&app&env&name&key_id  body: the secret's bytes        -> its envelope (bytes)
 *   GET  /v1/configs?tenant&app&env&name_prefix&cursor&limit&consistency      -> ListAnswer<Config>
 *   GET  /v1/configs/{id}                                                     -> ConfigAnswer
 *   GET  /v1/deleted-configs/{id}                                             -> DeletedConfigAnswer
 *   GET  /v1/config-by-name/{tenant}/{app}/{env}/{name}                       -> ConfigAnswer
 *   GET  /v1/configs/{id}/versions?cursor&limit                               -> ListAnswer<ConfigVersion> (newest first)
 *   GET  /v1/configs/{id}/versions/{v}                                        -> VersionAnswer
 *   GET  /v1/publishes?config_id&cursor&limit                                 -> ListAnswer<PublishPlan> (newest first)
 *   GET  /v1/publishes?due_before=<ms>&cursor&limit                           -> ListAnswer<PublishPlan> (longest due first)
 *   GET  /v1/publishes/{id}                                                   -> PublishAnswer
 *   GET  /v1/change-rules/{tenant}                                            -> ChangeRulesAnswer
 *   GET  /v1/change-requests?tenant&app&env&config_id&state&cursor&limit            -> ListAnswer<ChangeRequestHead> (newest first)
 *   GET  /v1/change-requests/{id}                                             -> ChangeRequestAnswer
 *   GET  /v1/audit-anchors/{tenant}                                           -> AuditAnchorsAnswer
 *   POST /v1/bundle-plan                    body: encodeCommand(...), no attachments -> BundlePlanAnswer
 *   GET  /v1/bundle-export?tenant&app&env                                     -> BundleExportAnswer
 *   GET  /v1/blobs/{tenant}/{sha256}                                          -> bytes
 *   GET  /v1/feed?after&limit&wait_ms&view=edge|full&inline=1                 -> FeedAnswer
 *   GET  /v1/edge-snapshot?cursor&limit&inline=1                              -> EdgeSnapshotAnswer
 *   GET  /v1/edge-config/{tenant}/{app}/{env}/{name}?jti&inline=1&consistency -> EdgeConfigAnswer
 *   GET  /v1/status?consistency=stale|leader                                  -> StatusAnswer
 *   GET  /v1/backups?cursor&limit                                             -> BackupListAnswer (newest first)
 *   POST /v1/backups?wait_ms                                                  -> ClusterJob
 *   POST /v1/backups/{id}/drill?wait_ms                                       -> ClusterJob
 *   POST /v1/restore?wait_ms                body: RestoreRequest              -> ClusterJob
 *   GET  /v1/jobs/{id}?wait_ms                                                -> ClusterJob
 *   POST /v1/cluster/add-node · remove-node · transfer-leader · snapshot      (cluster-api.ts)
 *   GET  /metrics · /healthz (alive) · /readyz (has a leader and has applied what was committed at start)
 */
export const CORE_ISSUER = "conflux";
export const CORE_AUDIENCE = "conflux-core";
export const SERVICE_TOKEN_TTL_S = 300;
export const SERVICE_ROLES = ["admin", "replica", "lambda"] as const;
/**
 * `admin` may propose and read all; `replica` reads feed, snapshot, single configs, blobs, status; `lambda` reads all and may propose
 * what PROPOSED_BY_LAMBDA names.
 */
export type ServiceRole = (typeof SERVICE_ROLES)[number];
export const PROPOSED_BY_LAMBDA: readonly CommandKind[] = [
  "advance_publish",
  "report_gates",
  "abort_publish",
  "end_pause",
  "anchor_audit",
];

/** On every answer: the id of the node that gave it. */
export const CORE_NODE_ID_HEADER = "x-conflux-node-id";
/** On a refusal that another node could have served: the leader's node id, when it is known. */
export const CORE_LEADER_ID_HEADER = "x-conflux-leader-id";
/** Beside it: the leader's base URL, when it is known, so that a caller finds a node that it was never told of. */
export const CORE_LEADER_URL_HEADER = "x-conflux-leader-url";
/** Beside that: the cluster's signature of it (leader-proof.ts), without which a caller goes to no new URL. */
export const CORE_LEADER_PROOF_HEADER = "x-conflux-leader-proof";

export type Consistency = "stale" | "leader" | "linearizable";

/** Where an answer stands in the log: cluster, epoch and the applied index it reflects. */
export interface Position {
  cluster_id: string;
  epoch: number;
  index: number;
}

export interface ProposeAnswer<K extends CommandKind = CommandKind> extends Position {
  timestamp_ms: number;
  /** True when the idempotency key had been used: `index` and `result` are the first ones. */
  replayed: boolean;
  result: CommandResults[K];
}

export interface ConfigAnswer extends Position {
  config: Config;
}
export interface DeletedConfigAnswer extends Position {
  deleted: DeletedConfig;
}
export interface VersionAnswer extends Position {
  version: ConfigVersion;
}
export interface PublishAnswer extends Position {
  publish: PublishPlan;
}
/** What a tenant asks of changes; empty lists before it has set any. */
export interface ChangeRulesAnswer extends Position {
  rules: ChangeRules;
}
export interface ChangeRequestAnswer extends Position {
  request: ChangeRequest;
}
/** What an `apply_bundle` would do now. */
export interface BundlePlanAnswer extends Position {
  plan: BundlePlan;
  /** What the rules of changes hold against it now; left out by an older build. */
  guards?: BundleGuard[];
}
export interface BundleExportAnswer extends Position {
  configs: ExportedConfig[];
  /** Contents by sha256, base64; those of encrypted configs are left out. */
  blobs: Record<string, string>;
}
/** What the log remembers of a tenant's audit chain, ascending; empty when nobody has anchored it yet. */
export interface AuditAnchorsAnswer extends Position {
  anchors: AuditAnchor[];
}
export interface ListAnswer<T> extends Position {
  items: T[];
  next_cursor: string | null;
}

/** In `view=edge` the audit part, the actor and the moves of publish plans are left out. */
export type EdgeFeedEntry = EdgeEntry;

export interface FeedAnswer<E extends EdgeFeedEntry | FeedEntry = FeedEntry> extends Position {
  /** Ascending. Empty when nothing came within `wait_ms`. */
  entries: E[];
  /** The index of the last entry of the feed (not of this answer). */
  last_index: number;
  /** With `inline=1`: contents named by the entries, base64 by sha256, each at most INLINE_BYTES_MAX. */
  blobs: Record<string, string>;
}

/**
 * One page of everything the edge must know. A page shows the state at `index`, which may grow from page to page:
 * a follower stages the pages, then follows the feed from the *first* page's index and goes live only once it
 * has reached the *last* page's index.
 */
export interface EdgeSnapshotAnswer extends Position {
  configs: ConfigChanged[];
  /** Only on the first page. */
  revocations: TokenRevoked[];
  /** Tokens issued before are refused, whoever they are for; 0 when none are. */
  tokens_not_before_ms: number;
  /** For each config of the page: the revision (log index of its last change). */
  revisions: Record<string, number>;
  blobs: Record<string, string>;
  next_cursor: string | null;
}

/** What the edge needs to answer one fetch by itself when its replica is away. */
export interface EdgeConfigAnswer extends Position {
  /** Null: no such config. */
  config: ConfigChanged | null;
  /** Whether the token of the `jti` asked for is revoked. */
  token_revoked: boolean;
  /** As in EdgeSnapshotAnswer. */
  tokens_not_before_ms: number;
  blobs: Record<string, string>;
}

export interface NodeStatus {
  node_id: number;
  role: "leader" | "follower" | "learner";
  raft_address: string;
  match_index: number;
  last_applied: number;
  healthy: boolean;
  /** It has lost its disk: it follows and never votes (R5). Left out by builds before this. */
  fenced?: boolean;
}
export interface StatusAnswer extends Position {
  leader_id: number | null;
  term: number;
  nodes: NodeStatus[];
  compacted_index: number;
  /** As in EdgeSnapshotAnswer. */
  tokens_not_before_ms: number;
  /** Which epoch an index of the feed is of, ascending; at least one, the present epoch last. */
  epochs: EpochStart[];
  /** The last restore, for readers whose feed no longer holds it; null without one. Left out by builds before this. */
  last_restore?: LastRestore | null;
}
