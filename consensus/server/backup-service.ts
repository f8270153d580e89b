import { rmSync } from "node:fs";
import type {
  BackupListAnswer,
  BackupView,
  ClusterJob,
  CoreRestoreRequest,
  DrillReport,
} from "../../contracts/backup/backup-api.ts";
import { type BackupManifest, manifestName } from "../../contracts/backup/backup-manifest.ts";
import type { ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { PendingRestore } from "../../domain/backup/backup-origin.ts";
import { epochBegunBy } from "../../domain/backup/epochs-of.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { NotProposedError } from "../replicated-log.ts";
import { audited, auditFailure } from "./backup-audit.ts";
import { BackupMetrics } from "./backup-metrics.ts";
import { type BackupRetention, byAge, pruneBackups, takenAtMs } from "./backup-prune.ts";
import { listBackupIds, readManifest } from "./backup-read.ts";
import { takeBackup } from "./backup-take.ts";
import { ClusterJobs, type JobWork } from "./cluster-jobs.ts";
import type { CoreContext } from "./core-context.ts";
import type { RestoreAuthor } from "./restore-feed.ts";
import { dropRestore, requireRestoreSupported, runRestore, toReport } from "./restore-run.ts";

/** Pause between two looks at whether a backup is due or a restore was left behind. */
export const BACKUP_TICK_MS = 5_000;
/** Pause after a scheduled backup that failed; doubled with each failure, up to the interval. */
const RETRY_MS = 60_000;
/** How long a stopping node waits for a backup, restore or drill. */
const CLOSE_GRACE_MS = 5_000;
const SYSTEM_AUTHOR: RestoreAuthor = {
  actor: { type: "system", id: "core", name: "core" },
  ip: "",
  traceId: "0".repeat(32),
};

type RestoreOrder = Omit<CoreRestoreRequest, "actor" | "ip">;

export interface BackupSettings extends BackupRetention {
  /** Milliseconds between two scheduled backups; 0: none are scheduled. */
  intervalMs: number;
}
export interface BackupParts extends BackupSettings {
  storage: ObjectStorage;
  /** Of this node alone, for copies that do not outlive their job. */
  directory: string;
  /** Proves a backup beside the running cluster (restore-drill.ts). */
  drill: (backupId: string) => Promise<DrillReport>;
  nowMs: () => number;
}

/**
 * Backups, restores and drills of one node (R13). They are the leader's; a follower points to it. Nothing here can hurt the
 * node: what fails is a job that failed, with a line of the log and a count in the metrics.
 */
export class BackupService {
  readonly #core: CoreContext;
  readonly #parts: BackupParts;
  readonly #jobs: ClusterJobs;
  #timer: ReturnType<typeof setInterval> | null = null;
  /** When the next scheduled backup is due; null: to be found out from the storage. */
  #dueAtMs: number | null = null;
  #failures = 0;
  #isTicking = false;

  constructor(core: CoreContext, parts: BackupParts) {
    this.#core = core;
    this.#parts = parts;
    const metrics = new BackupMetrics(core.metrics.registry);
    this.#jobs = new ClusterJobs(parts.nowMs, (job, durationMs, error) => {
      metrics.ended(job, durationMs);
      this.#log(job, durationMs, error);
    });
  }

  /** Begins to look after the schedule and after restores that were left behind. */
  start(): void {
    // Of a process that was killed in the middle of a job.
    rmSync(this.#parts.directory, { recursive: true, force: true });
    this.#timer = setInterval(() => void this.tick(), BACKUP_TICK_MS);
  }

  /**
   * Ends the looking after. A job on its way has CLOSE_GRACE_MS to end; later its next step fails, which does no more harm
   * than a crash there.
   */
  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    const running = this.#jobs.running?.job_id;
    if (running !== undefined) await this.#jobs.wait(running, CLOSE_GRACE_MS);
  }

  /**
   * `requestId` names the request, so that a repeated one is answered with the job of the first; `author` is who asks, null
   * for the schedule.
   */
  startBackup(requestId: string | null, author: RestoreAuthor | null): ClusterJob {
    this.#requireLeader();
    return this.#start("backup", requestId, author, async (note) => {
      const { store, log, clusterId } = this.#core;
      const { storage, directory, nowMs } = this.#parts;
      const manifest = await takeBackup({
        clusterId,
        store,
        status: () => log.status(),
        storage,
        directory,
        nowMs,
        onId: (backup_id) => note({ backup_id }),
      });
      note({ backup: this.#view(manifest) });
      this.#dueAtMs = this.#dueAfter(manifest.taken_at_ms);
      this.#failures = 0;
      await pruneBackups(storage, clusterId, { ...this.#parts, nowMs: nowMs() });
    });
  }

  /** Proves a backup: the newest that can be used when none is named. Rejects with `not_found` when there is none. */
  async startDrill(backupId: string | null, author: RestoreAuthor): Promise<ClusterJob> {
    this.#requireLeader();
    const id = backupId ?? (await this.#newestUsable());
    await readManifest(this.#parts.storage, id);
    return this.#start("drill", null, author, async (note) => {
      note({ backup_id: id });
      const drill = await this.#parts.drill(id);
      note({ drill });
      if (!drill.proven) throw new ConfluxError("validation_failed", `${id} does not prove itself`);
    });
  }

  /**
   * Rejects, before anything begins, when there is no such backup, or it is damaged, or another cluster's, with
   * `already_exists` when it was done and another restore has followed, and with `upgrade_in_progress` while some voter is
   * not known to apply the commands of a restore.
   */
  async startRestore(request: RestoreOrder, author: RestoreAuthor): Promise<ClusterJob> {
    this.#requireLeader();
    await this.#core.log.readBarrier("leader");
    const known = this.#jobs.find(request.restore_id);
    if (known !== null && known.state !== "failed") return known;
    // Also what failed here: the commit of unknown outcome, or another leader in the meantime, may have done it.
    const last = this.#core.store.restored();
    if (last?.restore_id === request.restore_id) {
      const done = toReport(last);
      return this.#jobs.start("restore", request.restore_id, async (note) => {
        note({ backup_id: done.backup_id, restore: done });
      });
    }
    const begun = epochBegunBy(last, request.restore_id);
    if (begun !== null) {
      throw new ConfluxError(
        "already_exists",
        `this restore was done: epoch ${begun} began with it, and another restore has followed`,
      );
    }
    const manifest = await this.#manifestToRestore(request).catch(async (error: unknown) => {
      const backupId = request.backup_id ?? null;
      await auditFailure(this.#core, author, "restore", { backupId, error });
      throw error;
    });
    return this.#start("restore", request.restore_id, author, async (note) => {
      note({ backup_id: manifest.backup_id });
      const restore = await runRestore(this.#core, {
        ...this.#parts,
        manifest,
        restoreId: request.restore_id,
        force: request.force,
        epochMin: request.epoch_min,
        author,
      });
      note({ restore });
    });
  }

  async #manifestToRestore(request: RestoreOrder): Promise<BackupManifest> {
    requireRestoreSupported(this.#core);
    const manifest = await readManifest(this.#parts.storage, this.#backupIdOf(request));
    const { clusterId } = this.#core;
    if (manifest.cluster_id === clusterId || request.force) return manifest;
    throw new ConfluxError(
      "validation_failed",
      `the backup is of cluster ${manifest.cluster_id}, this is ${clusterId}`,
      { errors: [{ path: "/force", message: "true, to take over another cluster's state" }] },
    );
  }

  #start(
    kind: ClusterJob["kind"],
    jobId: string | null,
    author: RestoreAuthor | null,
    work: JobWork,
  ): ClusterJob {
    return this.#jobs.start(kind, jobId, audited(this.#core, author, kind, work));
  }

  /** Rejects with `not_found` on the leader; elsewhere the leader is pointed to. */
  async job(jobId: string, waitMs: number, signal?: AbortSignal): Promise<ClusterJob> {
    await this.#jobs.wait(jobId, waitMs, signal);
    const job = this.#jobs.find(jobId);
    if (job !== null) return job;
    this.#requireLeader();
    throw new ConfluxError(
      "not_found",
      `no job ${jobId} is known here: a node forgets its jobs when it ends`,
    );
  }

  /** The newest backup when none can be used: what ails it is then said of it. */
  async #newestUsable(): Promise<string> {
    const { storage, nowMs } = this.#parts;
    const ids = byAge(await listBackupIds(storage, this.#core.clusterId), nowMs());
    for (const id of ids) if ((await this.#readUsable(id)) !== null) return id;
    const [newest] = ids;
    if (newest === undefined) throw new ConfluxError("not_found", "there is no backup yet");
    return newest;
  }

  /** Newest first. What cannot be used is named by its id alone, and logged. */
  async list(input: { cursor: string | null; limit: number }): Promise<BackupListAnswer> {
    const { storage } = this.#parts;
    const ids = await listBackupIds(storage, this.#core.clusterId);
    const { cursor, limit } = input;
    const from = cursor === null ? 0 : ids.findIndex((id) => id < cursor);
    const page = from < 0 ? [] : ids.slice(from, from + limit);
    const items: BackupView[] = [];
    const unusable: string[] = [];
    for (const id of page) {
      const manifest = await this.#readUsable(id);
      if (manifest === null) unusable.push(id);
      else items.push(this.#view(manifest));
    }
    const isLast = from < 0 || from + limit >= ids.length;
    const next_cursor = isLast ? null : (page.at(-1) ?? null);
    return { items, ...(unusable.length === 0 ? {} : { unusable }), next_cursor };
  }

  /** Null, and a line of the log, for a backup that cannot be used. Rejects when the storage cannot. */
  async #readUsable(id: string): Promise<BackupManifest | null> {
    try {
      return await readManifest(this.#parts.storage, id);
    } catch (error) {
      if (!(error instanceof ConfluxError) || error.code === "unavailable") throw error;
      const told = { backup_id: id, error: error.message };
      this.#core.logger({ level: "warn", msg: "a backup cannot be used", ...told });
      return null;
    }
  }

  /** One look: drops a restore that nobody feeds any more, and takes the backup that is due. Never rejects. */
  async tick(): Promise<void> {
    if (this.#isTicking) return;
    this.#isTicking = true;
    try {
      if (this.#core.log.status().role !== "leader") {
        this.#dueAtMs = null;
        return;
      }
      await this.#dropAbandoned();
      if (this.#parts.intervalMs > 0 && this.#jobs.running === null && (await this.#isDue())) {
        this.#failures += 1;
        this.#dueAtMs = this.#parts.nowMs() + this.#retryMs();
        this.startBackup(null, null);
      }
    } catch (error) {
      this.#core.logger({ level: "warn", msg: "backups could not be looked after", error: String(error) });
    } finally {
      this.#isTicking = false;
    }
  }

  async #dropAbandoned(): Promise<void> {
    const pending = this.#core.store.json(stateKey.pendingRestore) as PendingRestore | undefined;
    if (pending === undefined || this.#jobs.running?.job_id === pending.restore_id) return;
    this.#core.logger({
      level: "warn",
      msg: "dropping a restore left behind",
      restore_id: pending.restore_id,
    });
    await dropRestore(this.#core, pending.restore_id, SYSTEM_AUTHOR);
  }

  /** A backup is due an interval after the newest one, whichever node made it. */
  async #isDue(): Promise<boolean> {
    const { storage, nowMs } = this.#parts;
    if (this.#dueAtMs === null) {
      // A storage that does not even tell is tried at once: what ails it then fails a backup, and is counted.
      const ids = await listBackupIds(storage, this.#core.clusterId).catch((error: unknown) => {
        if (error instanceof ConfluxError) return [];
        throw error;
      });
      const [newest] = byAge(ids, nowMs());
      this.#dueAtMs = newest === undefined ? nowMs() : this.#dueAfter(takenAtMs(newest));
    }
    return nowMs() >= this.#dueAtMs;
  }

  /** An interval after a backup; from now on when its clock was ahead of ours. */
  #dueAfter(takenMs: number): number {
    const { intervalMs, nowMs } = this.#parts;
    return Math.min(takenMs, nowMs()) + intervalMs;
  }

  #retryMs(): number {
    return Math.min(this.#parts.intervalMs, RETRY_MS * 2 ** Math.min(this.#failures - 1, 10));
  }

  #backupIdOf({ backup_id, url }: RestoreOrder): string {
    if (backup_id !== undefined) return backup_id;
    const base = this.#parts.storage.url;
    const id = /^[a-z][a-z0-9]{0,31}\/manifests\/([\w-]+)\.json$/.exec((url ?? "").slice(base.length))?.[1];
    if (id !== undefined && url?.startsWith(base) === true) return id;
    throw new ConfluxError("validation_failed", "the url names no manifest in this core's storage", {
      errors: [{ path: "/url", message: `${base}<cluster>/manifests/<backup_id>.json` }],
    });
  }

  #requireLeader(): void {
    const { role, leaderId } = this.#core.log.status();
    if (role !== "leader") throw new NotProposedError("backups are the leader's", leaderId);
  }

  #view(manifest: BackupManifest): BackupView {
    const { backup_id, cluster_id, epoch, index, term, state_hash, state_bytes, stored_bytes } = manifest;
    return {
      backup_id,
      cluster_id,
      epoch,
      index,
      term,
      timestamp: new Date(manifest.timestamp_ms).toISOString(),
      taken_at: new Date(manifest.taken_at_ms).toISOString(),
      state_hash,
      state_bytes,
      stored_bytes,
      chunks: manifest.chunks.length,
      url: this.#parts.storage.url + manifestName(cluster_id, backup_id),
    };
  }

  #log(job: ClusterJob, durationMs: number, error: unknown): void {
    const { kind, job_id, state, backup_id } = job;
    this.#core.logger({
      level: state === "failed" ? "error" : "info",
      msg: `${kind} ${state}`,
      job_id,
      backup_id,
      duration_ms: Math.round(durationMs),
      ...(job.backup === null ? {} : { index: job.backup.index, stored_bytes: job.backup.stored_bytes }),
      ...(job.restore === null ? {} : { epoch: job.restore.epoch, index: job.restore.index }),
      ...(error === null
        ? {}
        : { error: error instanceof Error ? (error.stack ?? error.message) : "not an error" }),
    });
  }
}
