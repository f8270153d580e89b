import { type ClusterJob, clusterJob } from "../contracts/backup/backup-api.ts";
import type { AdminApi } from "./admin-api.ts";
import { CliError, EXIT } from "./cli-io.ts";

/** How long one question waits at the other end. */
const WAIT_MS = 15_000;

/** Follows a job to its end. Throws a `CliError` when it failed. */
export async function followJob(api: AdminApi, begun: unknown): Promise<ClusterJob> {
  let job = clusterJob.parse(begun);
  while (job.state === "running") {
    job = clusterJob.parse(await api.get(`/mgt/cluster/jobs/${job.job_id}?wait_ms=${WAIT_MS}`));
  }
  if (job.error === null) return job;
  throw new CliError(EXIT.refused, `the ${job.kind} failed: ${job.error.code}: ${job.error.detail}`);
}
