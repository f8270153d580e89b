import type { BackupListAnswer, ClusterJob } from "../../contracts/backup/backup-api.ts";
import {
  COMMAND_CONTENT_TYPE,
  COMMAND_TO_SEAL_CONTENT_TYPE,
  encodeCommand,
} from "../../contracts/core/command-codec.ts";
import type {
  AddNodeAnswer,
  AddNodeInput,
  RemoveNodeAnswer,
  RemoveNodeInput,
  SnapshotAnswer,
  SnapshotInput,
  TransferLeaderAnswer,
  TransferLeaderInput,
} from "../../contracts/core/cluster-api.ts";
import type {
  AuditAnchorsAnswer,
  ChangeRequestAnswer,
  ChangeRulesAnswer,
  BundleExportAnswer,
  BundlePlanAnswer,
  ConfigAnswer,
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
} from "../../contracts/core/core-api.ts";
import type { CoreRewrapAnswer, CoreRewrapInput } from "../../contracts/encryption/rewrap-api.ts";
import type { CorePort, ReadOptions } from "../../contracts/core/core-port.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ExportScope } from "../../domain/bundle/export-bundle.ts";
import type { Command, CommandKind, CommandOf } from "../../domain/command/command.ts";
import { parseFullName } from "../../domain/config/config-name.ts";
import type { Config, ConfigVersion } from "../../domain/config/config.ts";
import type { ChangeRequestHead } from "../../domain/change-request/change-request.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import {
  CoreCaller,
  type CoreClientOptions,
  FEED_GRACE_MS,
  OPERATION_TIMEOUT_MS,
  PROPOSE_TIMEOUT_MS,
  READ_TIMEOUT_MS,
} from "./call-core.ts";

/** How long a core may take to begin a job: it reads a manifest from the storage first. */
const JOB_GRACE_MS = 15_000;
const UPGRADE_RETRY_AFTER_S = 5;

/**
 * The core over HTTP (contracts/core/core-port.ts), for Workers and Node alike. A write without an idempotency key is
 * sent again only when it surely did not arrive; one with a key, and every read, goes on to the other nodes, within
 * CALL_TRIES_MAX (one node) or CLUSTER_TRIES_MAX and LEADER_WAIT_MS (several). No timer or promise outlives a call.
 */
export class CoreClient implements CorePort {
  readonly #caller: CoreCaller;

  constructor(options: CoreClientOptions) {
    this.#caller = new CoreCaller(options);
  }

  async propose<K extends CommandKind>(
    input: Parameters<CorePort["propose"]>[0] & { command: CommandOf<K> & Command },
    options: { traceparent?: string } = {},
  ): Promise<ProposeAnswer<K>> {
    const { seal } = input;
    const keyId = seal?.key_id ?? null;
    const call = this.#caller.call({
      method: "POST",
      path: withQuery("/v1/propose", keyId === null ? {} : { key_id: keyId }),
      body: encodeCommand({ ...input, sealKeys: seal?.keys }),
      contentType: seal === undefined ? COMMAND_CONTENT_TYPE : COMMAND_TO_SEAL_CONTENT_TYPE,
      timeoutMs: PROPOSE_TIMEOUT_MS,
      traceparent: options.traceparent,
      repeatable: input.command.idempotency !== null,
    });
    const response = seal === undefined ? await call : await call.catch(refuseOldBuild);
    try {
      return (await response.json()) as ProposeAnswer<K>;
    } catch (cause) {
      throw new ConfluxError("outcome_unknown", "the core's answer to the write was cut off", { cause });
    }
  }

  async rewrapKeys(
    input: CoreRewrapInput,
    options: { traceparent?: string } = {},
  ): Promise<CoreRewrapAnswer> {
    const response = await this.#caller.call({
      method: "POST",
      path: "/v1/rewrap-keys",
      body: jsonBody(input),
      contentType: "application/json",
      timeoutMs: PROPOSE_TIMEOUT_MS,
      traceparent: options.traceparent,
      repeatable: true,
    });
    try {
      return (await response.json()) as CoreRewrapAnswer;
    } catch (cause) {
      throw new ConfluxError("outcome_unknown", "the core's answer to the write was cut off", { cause });
    }
  }

  getConfig(id: string, options?: ReadOptions): Promise<ConfigAnswer> {
    return this.#read(`/v1/configs/${encodeURIComponent(id)}`, {}, options);
  }

  getDeletedConfig(id: string, options?: ReadOptions): Promise<DeletedConfigAnswer> {
    return this.#read(`/v1/deleted-configs/${encodeURIComponent(id)}`, {}, options);
  }

  async planBundle(command: CommandOf<"apply_bundle">, options: ReadOptions = {}): Promise<BundlePlanAnswer> {
    const response = await this.#caller.call({
      method: "POST",
      path: "/v1/bundle-plan",
      body: encodeCommand({ command, attachments: [] }),
      contentType: COMMAND_CONTENT_TYPE,
      timeoutMs: READ_TIMEOUT_MS,
      traceparent: options.traceparent,
      repeatable: true,
    });
    return (await readable(response.json())) as BundlePlanAnswer;
  }

  exportBundle(scope: ExportScope, options?: ReadOptions): Promise<BundleExportAnswer> {
    return this.#read("/v1/bundle-export", scope, options);
  }

  getAuditAnchors(tenant: string, options?: ReadOptions): Promise<AuditAnchorsAnswer> {
    return this.#read(`/v1/audit-anchors/${encodeURIComponent(tenant)}`, {}, options);
  }

  async getConfigByName(fullName: string, options?: ReadOptions): Promise<ConfigAnswer> {
    if (parseFullName(fullName) === null) throw new ConfluxError("not_found", `no config ${fullName}`);
    return this.#read(`/v1/config-by-name/${fullName}`, {}, options);
  }

  listConfigs(
    input: Parameters<CorePort["listConfigs"]>[0],
    options?: ReadOptions,
  ): Promise<ListAnswer<Config>> {
    return this.#read("/v1/configs", input, options);
  }

  listVersions(
    input: Parameters<CorePort["listVersions"]>[0],
    options?: ReadOptions,
  ): Promise<ListAnswer<ConfigVersion>> {
    const { config_id, ...query } = input;
    return this.#read(`/v1/configs/${encodeURIComponent(config_id)}/versions`, query, options);
  }

  getVersion(
    input: { config_id: string; version_id: number },
    options?: ReadOptions,
  ): Promise<VersionAnswer> {
    return this.#read(
      `/v1/configs/${encodeURIComponent(input.config_id)}/versions/${input.version_id}`,
      {},
      options,
    );
  }

  getPublish(id: string, options?: ReadOptions): Promise<PublishAnswer> {
    return this.#read(`/v1/publishes/${encodeURIComponent(id)}`, {}, options);
  }

  listPublishes(
    input: Parameters<CorePort["listPublishes"]>[0],
    options?: ReadOptions,
  ): Promise<ListAnswer<PublishPlan>> {
    return this.#read("/v1/publishes", input, options);
  }

  listDuePublishes(
    { due_before_ms, ...page }: Parameters<CorePort["listDuePublishes"]>[0],
    options?: ReadOptions,
  ): Promise<ListAnswer<PublishPlan>> {
    return this.#read("/v1/publishes", { due_before: due_before_ms, ...page }, options);
  }

  getChangeRules(tenant: string, options?: ReadOptions): Promise<ChangeRulesAnswer> {
    return this.#read(`/v1/change-rules/${encodeURIComponent(tenant)}`, {}, options);
  }

  getChangeRequest(id: string, options?: ReadOptions): Promise<ChangeRequestAnswer> {
    return this.#read(`/v1/change-requests/${encodeURIComponent(id)}`, {}, options);
  }

  listChangeRequests(
    input: Parameters<CorePort["listChangeRequests"]>[0],
    options?: ReadOptions,
  ): Promise<ListAnswer<ChangeRequestHead>> {
    return this.#read("/v1/change-requests", input, options);
  }

  async getBlob(input: { tenant: string; sha256: string }, options: ReadOptions = {}): Promise<Uint8Array> {
    const response = await this.#caller.call({
      method: "GET",
      path: `/v1/blobs/${encodeURIComponent(input.tenant)}/${encodeURIComponent(input.sha256)}`,
      timeoutMs: READ_TIMEOUT_MS,
      traceparent: options.traceparent,
      repeatable: true,
      behindCodes: ["not_found"],
    });
    return new Uint8Array(await readable(response.arrayBuffer()));
  }

  feed(input: Parameters<CorePort["feed"]>[0]): Promise<FeedAnswer> {
    const { signal, ...query } = input;
    return this.#readFeed(query, signal);
  }

  edgeFeed(input: Parameters<CorePort["edgeFeed"]>[0]): Promise<FeedAnswer<EdgeFeedEntry>> {
    const { signal, ...query } = input;
    return this.#readFeed({ ...query, view: "edge", inline: 1 }, signal);
  }

  edgeSnapshot(input: { cursor: string | null; limit: number }): Promise<EdgeSnapshotAnswer> {
    const cursor = input.cursor === null ? {} : { cursor: input.cursor };
    return this.#read("/v1/edge-snapshot", { limit: input.limit, inline: 1, ...cursor });
  }

  async edgeConfig(
    { name, jti }: { name: string; jti: string },
    options?: ReadOptions,
  ): Promise<EdgeConfigAnswer> {
    if (parseFullName(name) === null) throw new ConfluxError("not_found", `no config ${name}`);
    const path = name.split("/").map(encodeURIComponent).join("/");
    return this.#read(`/v1/edge-config/${path}`, { jti, inline: 1 }, options);
  }

  /** As the leader sees the cluster; as some node does while there is none. */
  async status(): Promise<StatusAnswer> {
    try {
      return await this.#read("/v1/status", {}, { consistency: "leader" });
    } catch (error) {
      if (!(error instanceof ConfluxError && error.code === "unavailable")) throw error;
      return this.#read("/v1/status", {}, { consistency: "stale" });
    }
  }

  listBackups({ cursor, limit }: Parameters<CorePort["listBackups"]>[0]): Promise<BackupListAnswer> {
    return this.#read("/v1/backups", cursor === null ? { limit } : { cursor, limit });
  }

  startBackup({ request_id, wait_ms, head }: Parameters<CorePort["startBackup"]>[0]): Promise<ClusterJob> {
    const query = request_id === null ? { wait_ms } : { request_id, wait_ms };
    return this.#job("POST", withQuery("/v1/backups", query), {
      wait_ms,
      repeatable: request_id !== null,
      body: jsonBody({ head }),
    });
  }

  startDrill({ backup_id, wait_ms, head }: Parameters<CorePort["startDrill"]>[0]): Promise<ClusterJob> {
    const path = `/v1/backups/${encodeURIComponent(backup_id ?? "latest")}/drill`;
    const body = jsonBody({ head });
    return this.#job("POST", withQuery(path, { wait_ms }), { wait_ms, repeatable: false, body });
  }

  startRestore(
    { wait_ms, ...request }: Parameters<CorePort["startRestore"]>[0],
    { traceparent }: { traceparent?: string } = {},
  ): Promise<ClusterJob> {
    const body = jsonBody(request);
    const path = withQuery("/v1/restore", { wait_ms });
    return this.#job("POST", path, { wait_ms, repeatable: true, traceparent, body });
  }

  getJob({ job_id, wait_ms }: Parameters<CorePort["getJob"]>[0]): Promise<ClusterJob> {
    const path = withQuery(`/v1/jobs/${encodeURIComponent(job_id)}`, { wait_ms });
    return this.#job("GET", path, { wait_ms, repeatable: true });
  }

  async #job(
    method: "GET" | "POST",
    path: string,
    {
      wait_ms,
      ...call
    }: { wait_ms: number; repeatable: boolean; traceparent?: string | undefined; body?: Uint8Array },
  ): Promise<ClusterJob> {
    const timeoutMs = wait_ms + JOB_GRACE_MS;
    const response = await this.#caller.call({ method, path, timeoutMs, ...call });
    return (await readable(response.json())) as ClusterJob;
  }

  addNode(input: AddNodeInput): Promise<AddNodeAnswer> {
    return this.#operate("add-node", input);
  }
  removeNode(input: RemoveNodeInput): Promise<RemoveNodeAnswer> {
    return this.#operate("remove-node", input);
  }
  transferLeader(input: TransferLeaderInput): Promise<TransferLeaderAnswer> {
    return this.#operate("transfer-leader", input);
  }
  takeSnapshot(input: SnapshotInput): Promise<SnapshotAnswer> {
    return this.#operate("snapshot", input);
  }

  /** Sent again when its outcome is not known: what is done already is answered so. */
  async #operate<T>(name: string, input: object): Promise<T> {
    const response = await this.#caller.call({
      method: "POST",
      path: `/v1/cluster/${name}`,
      body: jsonBody(input),
      contentType: "application/json",
      timeoutMs: OPERATION_TIMEOUT_MS,
      repeatable: true,
    });
    try {
      return (await response.json()) as T;
    } catch (cause) {
      throw new ConfluxError("outcome_unknown", "the core's answer to the operation was cut off", { cause });
    }
  }

  async #readFeed<T>(
    query: { wait_ms: number; view: "full" | "edge"; inline?: 1 },
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const response = await this.#caller.call({
      method: "GET",
      path: withQuery("/v1/feed", query),
      timeoutMs: query.wait_ms + FEED_GRACE_MS,
      signal,
      repeatable: true,
      behindCodes: ["feed_ahead"],
    });
    return (await readable(response.json())) as T;
  }

  async #read<T>(path: string, query: object, options: ReadOptions = {}): Promise<T> {
    const { consistency, traceparent } = options;
    const response = await this.#caller.call({
      method: "GET",
      path: withQuery(path, consistency === undefined ? query : { ...query, consistency }),
      timeoutMs: READ_TIMEOUT_MS,
      traceparent,
      repeatable: true,
    });
    return (await readable(response.json())) as T;
  }
}

/** A core that does not know the type of a command to seal is of a build before. */
function refuseOldBuild(error: unknown): never {
  if (!(error instanceof ConfluxError) || error.code !== "unsupported_media_type") throw error;
  throw new ConfluxError("upgrade_in_progress", "the core does not encrypt yet; nothing was changed", {
    cause: error,
    retryAfterS: UPGRADE_RETRY_AFTER_S,
  });
}

/** The rest of an answer to a read; `unavailable` when it is cut off. */
async function readable<T>(body: Promise<T>): Promise<T> {
  try {
    return await body;
  } catch (cause) {
    if (cause instanceof Error && cause.name === "AbortError") throw cause;
    throw new ConfluxError("unavailable", "the core's answer was cut off", { cause, retryAfterS: 1 });
  }
}

function jsonBody(value: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

function withQuery(path: string, query: object): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) search.set(name, String(value));
  }
  return search.size === 0 ? path : `${path}?${search.toString()}`;
}
