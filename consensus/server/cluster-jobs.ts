import { randomBytes } from "node:crypto";
import type { ClusterJob } from "../../contracts/backup/backup-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { toRefusal } from "./http-reply.ts";

/** Jobs that a node remembers; the oldest that has ended goes first. */
const JOBS_KEPT_MAX = 50;

/** What a job comes to know. */
export type JobFindings = Partial<Pick<ClusterJob, "backup_id" | "backup" | "restore" | "drill">>;
/** Does the work; what it notes is seen at once, what it throws is how the job failed. */
export type JobWork = (note: (findings: JobFindings) => void) => Promise<void>;

/** Long operations of one node, one at a time: each is started, and then asked for until it has ended. */
export class ClusterJobs {
  readonly #jobs = new Map<string, { job: ClusterJob; ended: Promise<void> }>();
  readonly #nowMs: () => number;
  readonly #onEnd: (job: ClusterJob, durationMs: number, error: unknown) => void;
  #running: ClusterJob | null = null;

  constructor(
    nowMs: () => number,
    onEnd: (job: ClusterJob, durationMs: number, error: unknown) => void = () => undefined,
  ) {
    this.#nowMs = nowMs;
    this.#onEnd = onEnd;
  }

  get running(): ClusterJob | null {
    return this.#running;
  }

  find(jobId: string): ClusterJob | null {
    return this.#jobs.get(jobId)?.job ?? null;
  }

  /**
   * Starts a job; one of this id that runs or is complete is answered as it is, and one that failed is begun anew: a
   * refusal is not remembered. Throws `already_exists` while another one runs.
   */
  start(kind: ClusterJob["kind"], jobId: string | null, work: JobWork): ClusterJob {
    const known = jobId === null ? undefined : this.#jobs.get(jobId)?.job;
    if (known !== undefined && known.state !== "failed") return known;
    if (this.#running !== null) {
      const { kind: what, job_id, backup_id } = this.#running;
      const of = backup_id === null ? "" : ` of ${backup_id}`;
      throw new ConfluxError(
        "already_exists",
        `a ${what}${of} is under way as job ${job_id}: wait for its end`,
      );
    }
    const job: ClusterJob = {
      job_id: jobId ?? `job-${randomBytes(8).toString("hex")}`,
      kind,
      state: "running",
      backup_id: null,
      started_at: new Date(this.#nowMs()).toISOString(),
      finished_at: null,
      error: null,
      backup: null,
      restore: null,
      drill: null,
    };
    this.#running = job;
    // As the newest: the oldest are forgotten first.
    this.#jobs.delete(job.job_id);
    this.#jobs.set(job.job_id, { job, ended: this.#run(job, work) });
    this.#forgetOldest();
    return job;
  }

  /** Resolves when the job has ended, or after `waitMs`. */
  async wait(jobId: string, waitMs: number, signal?: AbortSignal): Promise<void> {
    const ended = this.#jobs.get(jobId)?.ended;
    if (ended === undefined || waitMs <= 0) return;
    const done = Promise.withResolvers<void>();
    const timer = setTimeout(done.resolve, waitMs);
    signal?.addEventListener("abort", () => done.resolve(), { once: true });
    await Promise.race([ended, done.promise]);
    clearTimeout(timer);
  }

  async #run(job: ClusterJob, work: JobWork): Promise<void> {
    const startedMs = performance.now();
    let failure: unknown = null;
    try {
      await work((findings) => Object.assign(job, findings));
      job.state = "complete";
    } catch (error) {
      failure = error;
      const { refusal } = toRefusal(error);
      job.state = "failed";
      job.error = { code: refusal.code, detail: refusal.message };
    }
    job.finished_at = new Date(this.#nowMs()).toISOString();
    this.#running = null;
    this.#onEnd(job, performance.now() - startedMs, failure);
  }

  #forgetOldest(): void {
    for (const [id, { job }] of this.#jobs) {
      if (this.#jobs.size <= JOBS_KEPT_MAX) return;
      if (job.state !== "running") this.#jobs.delete(id);
    }
  }
}
