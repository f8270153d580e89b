import { sha256Hex } from "../digest/sha256-hex.ts";
import type {
  BackupListAnswer,
  BackupView,
  ClusterJob,
  CoreRestoreRequest,
} from "../../contracts/backup/backup-api.ts";
import type { OperationHead } from "../../contracts/core/cluster-api.ts";
import { backupIdOf } from "../../contracts/backup/backup-manifest.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { encodeStateRow } from "../../domain/backup/restore-rows.ts";
import type { RestoredState } from "../../domain/backup/backup-origin.ts";
import { type Actor, COMMAND_FORMAT_VERSION, type CommandPayloads } from "../../domain/command/command.ts";
import type { MemoryState } from "../../domain/command/memory-state.ts";
import { isKeptRow, stateKey } from "../../domain/command/state-view.ts";

type OwnKind = RestoreKind | "note_operation";
type RestoreKind = "begin_restore" | "restore_chunk" | "commit_restore" | "abort_restore";
/** What backups need of the core in memory. */
export interface MemoryBackupParts {
  state: MemoryState;
  clusterId: string;
  now: () => number;
  at: () => { epoch: number; index: number; timestampMs: number };
  /** Applies a command that only a core makes. */
  apply: <K extends RestoreKind>(
    kind: K,
    payload: CommandPayloads[K],
    more: { actor: Actor; ip: string; attachments?: Uint8Array[] },
  ) => void;
  /** Writes an operation down for its audit. */
  note: (summary: string, head: OperationHead) => void;
}

/** Backups of the core in memory: one chunk each, done at once, gone with it. */
export class MemoryBackups {
  readonly #parts: MemoryBackupParts;
  readonly #backups = new Map<string, { view: BackupView; chunk: Uint8Array }>();
  readonly #jobs = new Map<string, ClusterJob>();
  #serial = 0;

  constructor(parts: MemoryBackupParts) {
    this.#parts = parts;
  }

  list({ cursor, limit }: { cursor: string | null; limit: number }): BackupListAnswer {
    const views = [...this.#backups.values()].map(({ view }) => view).toReversed();
    const from = cursor === null ? 0 : views.findIndex(({ backup_id }) => backup_id < cursor);
    const items = from < 0 ? [] : views.slice(from, from + limit);
    const isLast = from < 0 || from + limit >= views.length;
    return { items, next_cursor: isLast ? null : (items.at(-1)?.backup_id ?? null) };
  }

  async startBackup(requestId: string | null, head: OperationHead): Promise<ClusterJob> {
    const known = requestId === null ? undefined : this.#jobs.get(requestId);
    if (known !== undefined) return known;
    const { clusterId, state, now } = this.#parts;
    const { epoch, index, timestampMs } = this.#parts.at();
    const chunk = encodeRows(state);
    const unique = (this.#serial += 1).toString(16).padStart(8, "0");
    // Ids sort by time; within a millisecond by number.
    const takenAtMs = now() + this.#serial;
    const backup_id = backupIdOf({ clusterId, takenAtMs, index, unique });
    const view: BackupView = {
      backup_id,
      cluster_id: clusterId,
      epoch,
      index,
      term: 1,
      timestamp: new Date(timestampMs).toISOString(),
      taken_at: new Date(takenAtMs).toISOString(),
      state_hash: await sha256Hex(chunk),
      state_bytes: chunk.byteLength,
      stored_bytes: chunk.byteLength,
      chunks: 1,
      url: `memory:///${clusterId}/manifests/${backup_id}.json`,
    };
    this.#backups.set(backup_id, { view, chunk });
    this.#parts.note(`took backup ${backup_id}`, head);
    return this.#done("backup", requestId, { backup_id, backup: view });
  }

  startDrill(backupId: string | null, head: OperationHead): ClusterJob {
    const { view } = this.#find(backupId ?? this.list({ cursor: null, limit: 1 }).items[0]?.backup_id ?? "");
    const { backup_id, index, state_hash, state_bytes } = view;
    const drill = {
      backup_id,
      index,
      rows: 0,
      state_bytes,
      expected_state_hash: state_hash,
      state_hash,
      hash_matches: true,
      invariants_broken: [],
      proven: true,
      duration_ms: 0,
    };
    this.#parts.note(`proved backup ${backup_id} by a drill`, head);
    return this.#done("drill", null, { backup_id, drill });
  }

  startRestore(request: CoreRestoreRequest): ClusterJob {
    const { restore_id, actor, ip, force, epoch_min } = request;
    const known = this.#jobs.get(restore_id);
    if (known !== undefined) return known;
    const id = request.backup_id ?? /\/([\w-]+)\.json$/.exec(request.url ?? "")?.[1] ?? "";
    const { view, chunk } = this.#find(id);
    const { backup_id, cluster_id, epoch, index, state_hash } = view;
    const sha = state_hash;
    const origin = {
      backup_id,
      cluster_id,
      epoch,
      index,
      timestamp_ms: Date.parse(view.timestamp),
      state_hash,
    };
    const author = { actor, ip };
    const { apply, state } = this.#parts;
    apply("begin_restore", { restore_id, origin, chunks: [sha], epoch_min, force }, author);
    const content = { attachment: 0, sha256: sha };
    apply("restore_chunk", { restore_id, position: 0, content }, { ...author, attachments: [chunk] });
    apply("commit_restore", { restore_id }, author);
    const restored = state.json(stateKey.restored) as RestoredState;
    return this.#done("restore", restore_id, {
      backup_id,
      restore: {
        restore_id,
        backup_id,
        restored_index: index,
        index: restored.index,
        epoch: restored.epoch,
        tokens_not_before: new Date(restored.tokens_not_before_ms).toISOString(),
      },
    });
  }

  job(jobId: string): ClusterJob {
    const job = this.#jobs.get(jobId);
    if (job === undefined) throw new ConfluxError("not_found", `no job ${jobId} is known here`);
    return job;
  }

  #find(backupId: string): { view: BackupView; chunk: Uint8Array } {
    const found = this.#backups.get(backupId);
    if (found === undefined) throw new ConfluxError("not_found", `there is no backup ${backupId}`);
    return found;
  }

  #done(kind: ClusterJob["kind"], jobId: string | null, findings: Partial<ClusterJob>): ClusterJob {
    const at = new Date(this.#parts.now()).toISOString();
    const job: ClusterJob = {
      job_id: jobId ?? `job-${(this.#serial += 1)}`,
      kind,
      state: "complete",
      backup_id: null,
      started_at: at,
      finished_at: at,
      error: null,
      backup: null,
      restore: null,
      drill: null,
      ...findings,
    };
    this.#jobs.set(job.job_id, job);
    return job;
  }
}

/** A command of the core's own, as the log would have it. */
export function coreCommand<K extends OwnKind>(
  kind: K,
  payload: CommandPayloads[K],
  { actor, ip }: { actor: Actor; ip: string },
) {
  return {
    format: COMMAND_FORMAT_VERSION as typeof COMMAND_FORMAT_VERSION,
    kind,
    tenant: SYSTEM_TENANT,
    actor,
    ip,
    trace_id: "0".repeat(32),
    idempotency: null,
    expected_revision: null,
    payload,
  };
}

function encodeRows(state: MemoryState): Uint8Array {
  const utf8 = new TextEncoder();
  const rows = state
    .rows()
    .filter(({ key }) => !isKeptRow(key))
    .map(({ key, value }) =>
      encodeStateRow(
        typeof value === "string"
          ? { kind: "json", key: utf8.encode(key), value: utf8.encode(value) }
          : { kind: "bytes", key: utf8.encode(key), value },
      ),
    );
  const chunk = new Uint8Array(rows.reduce((sum, row) => sum + row.byteLength, 0));
  let at = 0;
  for (const row of rows) {
    chunk.set(row, at);
    at += row.byteLength;
  }
  return chunk;
}
