import type { ClusterJob } from "../../contracts/backup/backup-api.ts";
import type { JobWork } from "./cluster-jobs.ts";
import { proposeOperation } from "./cluster-operation.ts";
import type { CoreContext } from "./core-context.ts";
import { toRefusal } from "./http-reply.ts";
import type { RestoreAuthor } from "./restore-feed.ts";

/** Of a summary in the log. */
const SUMMARY_CHARS_MAX = 256;

/**
 * The work of a job with its end in the audit, before the job says so itself; a restore that is done has a row of its own
 * (its commit). `author` null: the schedule's, which nobody asked for.
 */
export function audited(
  core: CoreContext,
  author: RestoreAuthor | null,
  kind: ClusterJob["kind"],
  work: JobWork,
): JobWork {
  if (author === null) return work;
  return async (note) => {
    let backupId: string | null = null;
    try {
      await work((findings) => {
        backupId = findings.backup_id ?? backupId;
        note(findings);
      });
    } catch (error) {
      await auditFailure(core, author, kind, { backupId, error });
      throw error;
    }
    if (kind === "backup") await propose(core, author, "note_operation", `took backup ${backupId}`);
    if (kind === "drill")
      await propose(core, author, "note_operation", `proved backup ${backupId} by a drill`);
  };
}

/** One that failed, or was refused before it began. */
export function auditFailure(
  core: CoreContext,
  author: RestoreAuthor,
  kind: ClusterJob["kind"],
  { backupId, error }: { backupId: string | null; error: unknown },
): Promise<void> {
  const { code, message } = toRefusal(error).refusal;
  const of = backupId === null ? "" : ` of ${backupId}`;
  return propose(core, author, "note_failure", `${kind}${of} failed: ${code}: ${message}`);
}

/** What the log does not take (no leader, a voter that does not know the kind) is told in the node's own log alone. */
async function propose(
  core: CoreContext,
  { actor, ip, traceId }: RestoreAuthor,
  kind: "note_operation" | "note_failure",
  text: string,
): Promise<void> {
  const summary = text.slice(0, SUMMARY_CHARS_MAX);
  try {
    await proposeOperation(core, { head: { actor, ip, trace_id: traceId } }, kind, { summary });
  } catch (error) {
    const level = "warn";
    core.logger({
      level,
      msg: "an operation is not in the audit",
      trace_id: traceId,
      summary,
      error: String(error),
    });
  }
}
