import type { BackupListAnswer, ClusterJob, CoreRestoreRequest } from "../backup/backup-api.ts";
import type { ExportScope } from "../../domain/bundle/export-bundle.ts";
import type { CoreRewrapAnswer, CoreRewrapInput } from "../encryption/rewrap-api.ts";
import type { Command, CommandKind, CommandOf } from "../../domain/command/command.ts";
import type { Config, ConfigVersion } from "../../domain/config/config.ts";
import type { ChangeRequestHead } from "../../domain/change-request/change-request.ts";
import type { ChangeRequestFilter } from "../../domain/change-request/read-changes.ts";
import type { ConfigIdentity } from "../../domain/encryption/envelope-text.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import type {
  AddNodeAnswer,
  AddNodeInput,
  OperationHead,
  RemoveNodeAnswer,
  RemoveNodeInput,
  SnapshotAnswer,
  SnapshotInput,
  TransferLeaderAnswer,
  TransferLeaderInput,
} from "./cluster-api.ts";
import type {
  AuditAnchorsAnswer,
  ChangeRequestAnswer,
  ChangeRulesAnswer,
  BundleExportAnswer,
  BundlePlanAnswer,
  ConfigAnswer,
  Consistency,
  DeletedConfigAnswer,
  EdgeConfigAnswer,
  EdgeFeedEntry,
  EdgeSnapshotAnswer,
  FeedAnswer,
  ListAnswer,
  ProposeAnswer,
  PublishAnswer,
  StatusAnswer,
  VersionAnswer,
} from "./core-api.ts";

/** The KMS keys that contents are sealed under. */
export interface SealUnder {
  /** Null: the core's default. */
  key_id: string | null;
  /** By application; for those that it does not name: `key_id`. */
  keys?: Readonly<Record<string, string>> | undefined;
}

export interface ReadOptions {
  consistency?: Consistency;
  /** W3C `traceparent` to pass on. */
  traceparent?: string;
}

/**
 * The core as its callers see it: one client over HTTP (adapters/core-client), one in memory (adapters/memory), one
 * conformance suite for both. Every refusal is a `ConfluxError`; a core that cannot be reached is `not_proposed` for a
 * write that was surely not sent, `outcome_unknown` for one that may have been, and `unavailable` for a read.
 */
export interface CorePort {
  /**
   * With `seal` the core encrypts the contents of encrypted configs before anything is written down, under the KMS key of
   * their application in `keys`, else `key_id` or its default for null; it must be given exactly where there is one. Codes of it: `conflict` (no key is
   * known), `key_service_unavailable`, `upgrade_in_progress`.
   */
  propose<K extends CommandKind>(
    input: {
      command: CommandOf<K> & Command;
      attachments: readonly Uint8Array[];
      seal?: SealUnder | undefined;
    },
    options?: { traceparent?: string },
  ): Promise<ProposeAnswer<K>>;
  /**
   * Wraps some data keys anew (K3) and says where to go on. May be repeated. Codes: `key_service_unavailable` when not a
   * single one could be, `conflict` where no key service is set up.
   */
  rewrapKeys(input: CoreRewrapInput, options?: { traceparent?: string }): Promise<CoreRewrapAnswer>;
  /**
   * The envelope of a secret that is a part of the config `identity` (P7), which its caller puts into the config's content: the
   * core keeps nothing of it. `key_id`: as `seal` above. Codes: `conflict`, `key_service_unavailable`,
   * `upgrade_in_progress`, `payload_too_large` over SEALED_SECRET_BYTES_MAX.
   */
  sealSecret(
    input: { identity: ConfigIdentity; key_id: string | null; secret: Uint8Array },
    options?: { traceparent?: string },
  ): Promise<Uint8Array>;
  /** `not_found` when there is none. */
  getConfig(id: string, options?: ReadOptions): Promise<ConfigAnswer>;
  /** What a deleted config was called; `not_found` for one that lives or never was. */
  getDeletedConfig(id: string, options?: ReadOptions): Promise<DeletedConfigAnswer>;
  getConfigByName(fullName: string, options?: ReadOptions): Promise<ConfigAnswer>;
  listConfigs(
    input: {
      tenant: string;
      app?: string;
      env?: string;
      name_prefix?: string;
      cursor?: string;
      limit: number;
    },
    options?: ReadOptions,
  ): Promise<ListAnswer<Config>>;
  listVersions(
    input: { config_id: string; cursor?: string; limit: number },
    options?: ReadOptions,
  ): Promise<ListAnswer<ConfigVersion>>;
  getVersion(input: { config_id: string; version_id: number }, options?: ReadOptions): Promise<VersionAnswer>;
  /** `not_found` when there is none, or it went with its config. */
  getPublish(id: string, options?: ReadOptions): Promise<PublishAnswer>;
  /** The plans of a config, the newest first; `not_found` for no such config. */
  listPublishes(
    input: { config_id: string; cursor?: string; limit: number },
    options?: ReadOptions,
  ): Promise<ListAnswer<PublishPlan>>;
  /** Running plans whose stage has baked at `due_before_ms`, the longest due first. */
  listDuePublishes(
    input: { due_before_ms: number; cursor?: string; limit: number },
    options?: ReadOptions,
  ): Promise<ListAnswer<PublishPlan>>;
  /** What a tenant asks of changes: approvals and freeze windows. */
  getChangeRules(tenant: string, options?: ReadOptions): Promise<ChangeRulesAnswer>;
  /** `not_found` when there is none. */
  getChangeRequest(id: string, options?: ReadOptions): Promise<ChangeRequestAnswer>;
  /** The change requests of a tenant, the newest first; `state` as it is at `now_ms`. */
  listChangeRequests(
    input: ChangeRequestFilter & { now_ms: number; cursor?: string; limit: number },
    options?: ReadOptions,
  ): Promise<ListAnswer<ChangeRequestHead>>;
  /** What the command would do, without doing it; refused like the command when the bundle itself is wrong. */
  planBundle(command: CommandOf<"apply_bundle">, options?: ReadOptions): Promise<BundlePlanAnswer>;
  /** `payload_too_large` for more than a bundle may have. */
  exportBundle(scope: ExportScope, options?: ReadOptions): Promise<BundleExportAnswer>;
  /** Where the audit chain of a tenant (or of the system) was, as the log has it. */
  getAuditAnchors(tenant: string, options?: ReadOptions): Promise<AuditAnchorsAnswer>;
  getBlob(input: { tenant: string; sha256: string }, options?: ReadOptions): Promise<Uint8Array>;
  /** Codes: `feed_compacted` (start from the snapshot), `feed_ahead` (the core is behind the cursor: another epoch). */
  feed(input: {
    after: number;
    limit: number;
    wait_ms: number;
    view: "full";
    signal?: AbortSignal;
  }): Promise<FeedAnswer>;
  edgeFeed(input: {
    after: number;
    limit: number;
    wait_ms: number;
    signal?: AbortSignal;
  }): Promise<FeedAnswer<EdgeFeedEntry>>;
  edgeSnapshot(input: { cursor: string | null; limit: number }): Promise<EdgeSnapshotAnswer>;
  /** One config as the edge must know it, and whether the token `jti` is revoked; a name that cannot be one has none. */
  edgeConfig(input: { name: string; jti: string }, options?: ReadOptions): Promise<EdgeConfigAnswer>;
  status(): Promise<StatusAnswer>;
  /** Newest first. `precondition_failed` where no storage for backups is set up, here and in what follows. */
  listBackups(input: { cursor: string | null; limit: number }): Promise<BackupListAnswer>;
  /**
   * Starts a backup, a drill (`backup_id: null`: of the newest one) or a restore, waits up to `wait_ms` for its end, and
   * answers how it stands. `already_exists` while another one runs; a restore that cannot begin is refused like
   * `not_found` (no such backup) or `validation_failed` (damaged, or another cluster's).
   */
  /** `head`: who asks, for the audit. */
  startBackup(input: {
    request_id: string | null;
    wait_ms: number;
    head: OperationHead;
  }): Promise<ClusterJob>;
  startDrill(input: { backup_id: string | null; wait_ms: number; head: OperationHead }): Promise<ClusterJob>;
  startRestore(
    input: CoreRestoreRequest & { wait_ms: number },
    options?: { traceparent?: string },
  ): Promise<ClusterJob>;
  /** `not_found` when the leader knows no such job: it forgets them when it ends. */
  getJob(input: { job_id: string; wait_ms: number }): Promise<ClusterJob>;
  /**
   * Operations on the nodes of the core (cluster-api.ts). Each may be repeated: what is done already is answered so.
   * Codes: `already_exists`, `not_found`, `malformed_request`, `conflict` (not as things stand: the node is not heard of, it is the last voter).
   */
  addNode(input: AddNodeInput): Promise<AddNodeAnswer>;
  removeNode(input: RemoveNodeInput): Promise<RemoveNodeAnswer>;
  transferLeader(input: TransferLeaderInput): Promise<TransferLeaderAnswer>;
  takeSnapshot(input: SnapshotInput): Promise<SnapshotAnswer>;
}
