import {
  FEED_ANSWER_BYTES_MAX,
  FEED_LIMIT_MAX,
  FEED_RETAINED_ENTRIES_MAX,
  FEED_WAIT_MS_MAX,
  INLINE_BYTES_MAX,
} from "../../contracts/limits.ts";
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
  Position,
  ProposeAnswer,
  PublishAnswer,
  StatusAnswer,
  VersionAnswer,
} from "../../contracts/core/core-api.ts";
import type { BackupListAnswer, ClusterJob } from "../../contracts/backup/backup-api.ts";
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
import type { CoreRewrapAnswer, CoreRewrapInput } from "../../contracts/encryption/rewrap-api.ts";
import type { CorePort, SealUnder } from "../../contracts/core/core-port.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { epochsOf } from "../../domain/backup/epochs-of.ts";
import type { ChangeRequestHead } from "../../domain/change-request/change-request.ts";
import { readChangeRules } from "../../domain/change-request/change-rules.ts";
import { listChangeRequests, readChangeRequest } from "../../domain/change-request/read-changes.ts";
import { readAuditAnchors } from "../../domain/access/anchor-audit.ts";
import type { ExportScope } from "../../domain/bundle/export-bundle.ts";
import type { RestoredState } from "../../domain/backup/backup-origin.ts";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { type Command, type CommandKind, type CommandOf, isCoreKind } from "../../domain/command/command.ts";
import type { CommandResults } from "../../domain/command/command-result.ts";
import { parseCommand } from "../../domain/command/command-schema.ts";
import type { FeedEntry } from "../../domain/command/feed-entry.ts";
import type { MemoryState } from "../../domain/command/memory-state.ts";
import { MemoryStateMachine } from "../../domain/command/memory-state-machine.ts";
import { toBase64 } from "./encode-base64.ts";
import { clampLimit } from "./clamp-limit.ts";
import { orThrow } from "./or-throw.ts";
import { verifyAttachments } from "./verify-attachments.ts";
import { coreCommand, MemoryBackups } from "./memory-backups.ts";
import { readEdgeConfig } from "../../domain/command/read-edge-config.ts";
import { readEdgeSnapshot } from "../../domain/command/read-edge-snapshot.ts";
import { readFeed } from "../../domain/command/read-feed.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { parseFullName } from "../../domain/config/config-name.ts";
import type { Config, ConfigVersion } from "../../domain/config/config.ts";
import {
  listConfigs,
  listVersions,
  readConfig,
  readConfigByName,
  readDeletedConfig,
  readVersion,
} from "../../domain/config/read-configs.ts";
import { exportInMemory, planInMemory, refuseEncryptedInMemory } from "./memory-bundles.ts";
import type { ContentSealer } from "../kms/content-sealer.ts";
import { protectInMemory, rewrapInMemory, sealInMemory } from "./memory-encryption.ts";
import { checkKey, memoryCluster, noteCommand } from "./memory-cluster.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import { listDuePublishes, listPublishes, readPublish } from "../../domain/publish/read-publishes.ts";

/**
 * The core in memory, on the same domain functions as the real one and held to the same conformance suite: for tests
 * of what calls the core. One node, always the leader; nothing survives it.
 */
export class MemoryCore implements CorePort {
  readonly #machine: MemoryStateMachine;
  readonly #clusterId: string;
  readonly #now: () => number;
  readonly #waiters = new Set<() => void>();
  readonly #backups: MemoryBackups;
  readonly #sealer: ContentSealer | null;

  constructor(
    options: { clusterId?: string; epoch?: number; now?: () => number; sealer?: ContentSealer } = {},
  ) {
    this.#sealer = options.sealer ?? null;
    this.#clusterId = options.clusterId ?? "c1";
    this.#now = options.now ?? Date.now;
    const machine = new MemoryStateMachine({
      clusterId: this.#clusterId,
      feedRetainedEntriesMax: FEED_RETAINED_ENTRIES_MAX,
      ...(options.epoch === undefined ? {} : { epoch: options.epoch }),
    });
    this.#machine = machine;
    this.#backups = new MemoryBackups({
      state: this.state,
      clusterId: this.#clusterId,
      now: this.#now,
      at: () => ({ epoch: machine.epoch(), index: machine.index(), timestampMs: machine.lastTimestampMs() }),
      apply: (kind, payload, { attachments = [], ...author }) => {
        orThrow(this.#apply(coreCommand(kind, payload, author) as Command, attachments));
      },
      note: (summary, { trace_id, ...author }) => {
        const command = { ...coreCommand("note_operation", { summary }, author), trace_id };
        orThrow(this.#apply(command as Command, []));
      },
    });
  }

  get state(): MemoryState {
    return this.#machine.state;
  }

  async propose<K extends CommandKind>(input: {
    command: CommandOf<K> & Command;
    attachments: readonly Uint8Array[];
    seal?: SealUnder | undefined;
  }): Promise<ProposeAnswer<K>> {
    const parsed = parseCommand(input.command);
    if (!parsed.ok)
      throw new ConfluxError("malformed_request", "the command is not valid", { errors: parsed.errors });
    await verifyAttachments(parsed.command, input.attachments);
    refuseEncryptedInMemory(this.state, parsed.command);
    if (isCoreKind(parsed.command.kind)) {
      throw new ConfluxError("forbidden", `${parsed.command.kind} is proposed by a core alone`);
    }
    const given = { ...input, command: parsed.command };
    const { command, attachments } = await protectInMemory(this.state, this.#sealer, given);
    const applied = orThrow(this.#apply(command, attachments));
    const { ok: _ok, ...outcome } = applied;
    return {
      ...this.#position(),
      ...outcome,
      result: outcome.result as CommandResults[K],
    };
  }

  async rewrapKeys(input: CoreRewrapInput): Promise<CoreRewrapAnswer> {
    const command = await rewrapInMemory(this.state, this.#sealer, { ...input, nowMs: this.#now() });
    const { index, replayed, result } = orThrow(this.#apply(command, []));
    return { ...this.#position(), index, replayed, ...(result as CommandResults["rewrap_keys"]) };
  }

  readonly sealSecret: CorePort["sealSecret"] = (input) => sealInMemory(this.#sealer, input);

  #apply(command: Command, attachments: readonly Uint8Array[]): ApplyOutcome {
    const outcome = this.#machine.apply({ command, attachments, timestampMs: this.#now() });
    for (const wake of this.#waiters) wake();
    return outcome;
  }

  async getConfig(id: string): Promise<ConfigAnswer> {
    return { ...this.#position(), config: orThrow(readConfig(this.state, id)).config };
  }

  async getDeletedConfig(id: string): Promise<DeletedConfigAnswer> {
    return { ...this.#position(), deleted: orThrow(readDeletedConfig(this.state, id)).deleted };
  }

  async getConfigByName(fullName: string): Promise<ConfigAnswer> {
    const parsed = parseFullName(fullName);
    if (parsed === null) throw new ConfluxError("not_found", `no config ${fullName}`);
    const found = orThrow(readConfigByName(this.state, parsed.namespace, parsed.name));
    return { ...this.#position(), config: found.config };
  }

  async listConfigs(input: Parameters<CorePort["listConfigs"]>[0]): Promise<ListAnswer<Config>> {
    const { items, next_cursor } = listConfigs(this.state, { ...input, limit: clampLimit(input.limit) });
    return { ...this.#position(), items, next_cursor };
  }

  async listVersions(input: Parameters<CorePort["listVersions"]>[0]): Promise<ListAnswer<ConfigVersion>> {
    const page = orThrow(listVersions(this.state, { ...input, limit: clampLimit(input.limit) }));
    return { ...this.#position(), items: page.items, next_cursor: page.next_cursor };
  }

  async getVersion(input: { config_id: string; version_id: number }): Promise<VersionAnswer> {
    return { ...this.#position(), version: orThrow(readVersion(this.state, input)).version };
  }

  async getPublish(id: string): Promise<PublishAnswer> {
    return { ...this.#position(), publish: orThrow(readPublish(this.state, id)).publish };
  }

  async listPublishes(input: Parameters<CorePort["listPublishes"]>[0]): Promise<ListAnswer<PublishPlan>> {
    const page = orThrow(listPublishes(this.state, { ...input, limit: clampLimit(input.limit) }));
    return { ...this.#position(), items: page.items, next_cursor: page.next_cursor };
  }

  async listDuePublishes(
    input: Parameters<CorePort["listDuePublishes"]>[0],
  ): Promise<ListAnswer<PublishPlan>> {
    const { items, next_cursor } = listDuePublishes(this.state, {
      ...input,
      limit: clampLimit(input.limit),
    });
    return { ...this.#position(), items, next_cursor };
  }

  async planBundle(command: CommandOf<"apply_bundle">): Promise<BundlePlanAnswer> {
    return { ...this.#position(), ...planInMemory(this.state, command, this.#now()) };
  }

  async exportBundle(scope: ExportScope): Promise<BundleExportAnswer> {
    const { blobs, ...exported } = exportInMemory(this.state, scope);
    return { ...this.#position(), ...exported, blobs: toBase64(blobs) };
  }

  async getAuditAnchors(tenant: string): Promise<AuditAnchorsAnswer> {
    return { ...this.#position(), anchors: readAuditAnchors(this.state, tenant) };
  }

  async getChangeRules(tenant: string): Promise<ChangeRulesAnswer> {
    return { ...this.#position(), rules: readChangeRules(this.state, tenant) };
  }

  async getChangeRequest(id: string): Promise<ChangeRequestAnswer> {
    return { ...this.#position(), request: orThrow(readChangeRequest(this.state, id)).request };
  }

  async listChangeRequests(
    input: Parameters<CorePort["listChangeRequests"]>[0],
  ): Promise<ListAnswer<ChangeRequestHead>> {
    const page = orThrow(listChangeRequests(this.state, { ...input, limit: clampLimit(input.limit) }));
    return { ...this.#position(), items: page.items, next_cursor: page.next_cursor };
  }

  async getBlob({ tenant, sha256 }: { tenant: string; sha256: string }): Promise<Uint8Array> {
    const bytes = this.state.bytes(stateKey.blob(tenant, sha256));
    if (bytes === undefined) throw new ConfluxError("not_found", `no content ${sha256}`);
    return bytes;
  }

  async feed(input: Parameters<CorePort["feed"]>[0]): Promise<FeedAnswer> {
    return this.#readFeed(input, "full");
  }

  async edgeFeed(input: Parameters<CorePort["edgeFeed"]>[0]): Promise<FeedAnswer<EdgeFeedEntry>> {
    return this.#readFeed(input, "edge");
  }

  async edgeSnapshot(input: { cursor: string | null; limit: number }): Promise<EdgeSnapshotAnswer> {
    const page = readEdgeSnapshot(this.state, {
      cursor: input.cursor,
      limit: clampLimit(input.limit),
      charsMax: FEED_ANSWER_BYTES_MAX,
      inline: this.#inline(),
    });
    return { ...this.#position(), ...page, blobs: toBase64(page.blobs) };
  }

  async edgeConfig({ name, jti }: { name: string; jti: string }): Promise<EdgeConfigAnswer> {
    const parsed = parseFullName(name);
    if (parsed === null) throw new ConfluxError("not_found", `no config ${name}`);
    const answer = readEdgeConfig(this.state, {
      ...parsed,
      jti,
      charsMax: FEED_ANSWER_BYTES_MAX,
      inline: this.#inline(),
    });
    return { ...this.#position(), ...answer, blobs: toBase64(answer.blobs) };
  }

  async status(): Promise<StatusAnswer> {
    return {
      ...this.#position(),
      leader_id: 1,
      term: 1,
      nodes: [
        {
          node_id: 1,
          role: "leader",
          raft_address: "memory",
          match_index: this.#machine.lastApplied(),
          last_applied: this.#machine.lastApplied(),
          healthy: true,
          fenced: false,
        },
      ],
      compacted_index: this.#machine.compactedIndex(),
      ...epochsOf(this.#restored(), this.#machine.epoch()),
    };
  }

  async listBackups(input: Parameters<CorePort["listBackups"]>[0]): Promise<BackupListAnswer> {
    return this.#backups.list({ ...input, limit: clampLimit(input.limit) });
  }

  startBackup(input: Parameters<CorePort["startBackup"]>[0]): Promise<ClusterJob> {
    return this.#backups.startBackup(input.request_id, input.head);
  }

  async startDrill(input: Parameters<CorePort["startDrill"]>[0]): Promise<ClusterJob> {
    return this.#backups.startDrill(input.backup_id, input.head);
  }

  async startRestore(input: Parameters<CorePort["startRestore"]>[0]): Promise<ClusterJob> {
    return this.#backups.startRestore(input);
  }

  async getJob(input: Parameters<CorePort["getJob"]>[0]): Promise<ClusterJob> {
    return this.#backups.job(input.job_id);
  }

  async addNode(input: AddNodeInput): Promise<AddNodeAnswer> {
    return memoryCluster.addNode(input);
  }
  async removeNode(input: RemoveNodeInput): Promise<RemoveNodeAnswer> {
    return memoryCluster.removeNode(input);
  }
  async transferLeader(input: TransferLeaderInput): Promise<TransferLeaderAnswer> {
    checkKey(this.state, input, this.#now());
    const led = memoryCluster.transferLeader(input);
    if (input.idempotency === undefined) return { ...this.#position(), replayed: false, ...led };
    return { ...this.#note(input, "node 1 leads already"), ...led };
  }
  async takeSnapshot(input: SnapshotInput): Promise<SnapshotAnswer> {
    const noted = this.#note(input, "snapshot on node 1");
    return { ...noted, node_id: 1, snapshot_index: this.#position().index };
  }

  #note(input: SnapshotInput, summary: string): Position & { replayed: boolean } {
    const { replayed, index } = orThrow(this.#apply(noteCommand(input, summary), []));
    return { ...this.#position(), index, replayed };
  }

  /** Drops the feed up to `index`, as the real core does past its retention: for tests of `feed_compacted`. */
  compactFeed(index: number): void {
    this.#machine.compactFeed(index);
  }

  async #readFeed<V extends "full" | "edge">(
    input: { after: number; limit: number; wait_ms: number; signal?: AbortSignal },
    view: V,
  ): Promise<FeedAnswer<V extends "full" ? FeedEntry : EdgeFeedEntry>> {
    const deadlineMs = performance.now() + Math.min(input.wait_ms, FEED_WAIT_MS_MAX);
    for (;;) {
      input.signal?.throwIfAborted();
      const page = orThrow(
        readFeed(this.#machine.feed(), {
          after: input.after,
          limit: Math.min(Math.max(input.limit, 1), FEED_LIMIT_MAX),
          view,
          charsMax: FEED_ANSWER_BYTES_MAX,
          inline: view === "edge" ? this.#inline() : null,
        }),
      );
      const leftMs = deadlineMs - performance.now();
      if (page.entries.length > 0 || leftMs <= 0) {
        return {
          ...this.#position(),
          entries: page.entries,
          last_index: this.#machine.lastFeedIndex(),
          blobs: toBase64(page.blobs),
        };
      }
      await this.#applied(leftMs, input.signal);
    }
  }

  /** Resolves at the next apply, after `timeoutMs`, or when the caller gives up. */
  #applied(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(wake);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#waiters.add(wake);
      signal?.addEventListener("abort", wake);
    });
  }

  #restored(): RestoredState | undefined {
    return this.state.json(stateKey.restored) as RestoredState | undefined;
  }

  #inline(): { bytes: (key: string) => Uint8Array | undefined; bytesMax: number } {
    return { bytes: (key) => this.state.bytes(key), bytesMax: INLINE_BYTES_MAX };
  }

  #position(): Position {
    return { cluster_id: this.#clusterId, epoch: this.#machine.epoch(), index: this.#machine.index() };
  }
}
