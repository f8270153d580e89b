import { z } from "zod";

/** A backup that is in the storage. */
export const backupView = z
  .object({
    backup_id: z.string(),
    cluster_id: z.string(),
    epoch: z.int(),
    index: z.int(),
    term: z.int(),
    /** Leader's time of the newest write that it holds. */
    timestamp: z.string(),
    taken_at: z.string(),
    state_hash: z.string(),
    state_bytes: z.int(),
    stored_bytes: z.int(),
    chunks: z.int(),
    url: z.string(),
  })
  .meta({ id: "Backup" });
export type BackupView = z.infer<typeof backupView>;

export const drillReport = z
  .object({
    backup_id: z.string(),
    index: z.int(),
    rows: z.int(),
    state_bytes: z.int(),
    expected_state_hash: z.string(),
    state_hash: z.string(),
    hash_matches: z.boolean(),
    /** One sentence for each thing that does not hold of the restored state; at most DRILL_FINDINGS_MAX. */
    invariants_broken: z.array(z.string()),
    proven: z.boolean(),
    duration_ms: z.int(),
  })
  .meta({ id: "DrillReport" });
export type DrillReport = z.infer<typeof drillReport>;
export const DRILL_FINDINGS_MAX = 20;

const restoreReport = z
  .object({
    restore_id: z.string(),
    backup_id: z.string(),
    /** Index of the backup, and of the command that put it in the place of the state. */
    restored_index: z.int(),
    index: z.int(),
    epoch: z.int(),
    tokens_not_before: z.string(),
  })
  .meta({ id: "RestoreReport" });
export type RestoreReport = z.infer<typeof restoreReport>;

/** A backup, restore or drill on its way, or how it ended. The node that runs it remembers it until it ends. */
export const clusterJob = z
  .object({
    job_id: z.string(),
    kind: z.enum(["backup", "restore", "drill"]),
    state: z.enum(["running", "complete", "failed"]),
    /** Null until it is known. */
    backup_id: z.string().nullable(),
    started_at: z.string(),
    finished_at: z.string().nullable(),
    error: z.object({ code: z.string(), detail: z.string() }).nullable(),
    backup: backupView.nullable(),
    restore: restoreReport.nullable(),
    drill: drillReport.nullable(),
  })
  .meta({ id: "ClusterJob" });
export type ClusterJob = z.infer<typeof clusterJob>;

export const backupPage = z
  .object({
    items: z.array(backupView),
    unusable: z.array(z.string()).optional().meta({
      description: "Ids of this page whose manifest is damaged, or of a format that this build does not know",
    }),
    next_cursor: z.string().nullable(),
  })
  .meta({ id: "BackupPage" });
export type BackupListAnswer = z.infer<typeof backupPage>;

export const RESTORE_BODY_BYTES_MAX = 4096;
const restoreFields = {
  backup_id: z.string().max(128).optional(),
  /** Of the manifest, in the storage that the core is set up with. */
  url: z.string().max(1024).optional(),
  /** Take over another cluster's state. */
  force: z.boolean().default(false),
};
const isOneOf = (body: { backup_id?: string | undefined; url?: string | undefined }): boolean =>
  (body.backup_id === undefined) !== (body.url === undefined);
const notOneOf = { message: "either backup_id or url", path: ["backup_id"] };

export const restoreRequest = z
  .object(restoreFields)
  .strict()
  .refine(isOneOf, notOneOf)
  .meta({ id: "RestoreRequest" });

/** What the core is asked for: the request, whose it is, and the epoch that others know of. */
export const coreRestoreRequest = z
  .object({
    ...restoreFields,
    /** Names the request, so that a repeated one restores once. */
    restore_id: z.string().regex(/^[A-Za-z0-9._~:-]{1,128}$/),
    /** The new epoch is above this one, whatever the state says. */
    epoch_min: z.int().min(0).max(2_000_000_000),
    actor: z.object({
      type: z.enum(["user", "token", "system"]),
      id: z.string().max(256),
      name: z.string().max(256),
    }),
    ip: z.string().max(64),
  })
  .strict()
  .refine(isOneOf, notOneOf);
export type CoreRestoreRequest = z.infer<typeof coreRestoreRequest>;
/** How long a caller may wait for a job to end. */
export const JOB_WAIT_MS_MAX = 20_000;
