import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import type { ClusterJob } from "../../contracts/backup/backup-api.ts";

const SECONDS = [0.1, 0.5, 1, 5, 15, 60, 300, 1800];

/** What is alerted on: that backups are made, and how long ago the last one was. */
export class BackupMetrics {
  readonly #jobs: Counter<"kind" | "result">;
  readonly #seconds: Histogram<"kind">;
  readonly #lastSuccess: Gauge;
  readonly #storedBytes: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#jobs = new Counter({
      name: "conflux_backup_jobs_total",
      help: "Backups, restores and drills that ended on this node.",
      labelNames: ["kind", "result"],
      registers,
    });
    this.#seconds = new Histogram({
      name: "conflux_backup_job_duration_seconds",
      help: "From the start of a backup, restore or drill to its end.",
      labelNames: ["kind"],
      buckets: SECONDS,
      registers,
    });
    this.#lastSuccess = new Gauge({
      name: "conflux_backup_last_success_timestamp_seconds",
      help: "When the newest backup that this node made was begun.",
      registers,
    });
    this.#storedBytes = new Gauge({
      name: "conflux_backup_last_stored_bytes",
      help: "Bytes of the newest backup that this node made, as stored.",
      registers,
    });
  }

  ended({ kind, state, backup }: ClusterJob, durationMs: number): void {
    this.#jobs.inc({ kind, result: state === "complete" ? "success" : "failure" });
    this.#seconds.observe({ kind }, durationMs / 1000);
    if (kind !== "backup" || backup === null) return;
    this.#lastSuccess.set(Date.parse(backup.taken_at) / 1000);
    this.#storedBytes.set(backup.stored_bytes);
  }
}
