import { z } from "zod";
import {
  type CoreRestoreRequest,
  coreRestoreRequest,
  JOB_WAIT_MS_MAX,
  RESTORE_BODY_BYTES_MAX,
} from "../../contracts/backup/backup-api.ts";
import { operationHead } from "../../contracts/core/cluster-api.ts";
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { BackupService } from "./backup-service.ts";
import type { CoreReply, CoreRequest, Route } from "./http-router.ts";
import { readOperation } from "./cluster-operation.ts";
import { wholeNumber } from "./query.ts";
import type { RestoreAuthor } from "./restore-feed.ts";

const REQUEST_ID = /^[A-Za-z0-9._~:-]{1,128}$/;

/** Backups, restores and drills (contracts/core/core-api.ts). Null: no storage is set up, and everything says so. */
export function backupRoutes(service: BackupService | null): Route[] {
  const route = (
    method: "GET" | "POST",
    path: string,
    handle: (service: BackupService, request: CoreRequest) => Promise<CoreReply>,
  ): Route => ({
    method,
    path,
    roles: ["admin"],
    handle: (request) => {
      if (service !== null) return handle(service, request);
      throw new ConfluxError("precondition_failed", "no storage for backups is set up: CONFLUX_BACKUP_STORE");
    },
  });
  return [
    route("GET", "/v1/backups", async (backups, { query }) => {
      const limit = wholeNumber(query, "limit", {
        min: 1,
        max: LIST_LIMIT_MAX,
        fallback: LIST_LIMIT_DEFAULT,
      });
      return { json: await backups.list({ cursor: query.get("cursor"), limit }) };
    }),
    route("POST", "/v1/backups", async (backups, request) => {
      const requestId = request.query.get("request_id");
      if (requestId !== null && !REQUEST_ID.test(requestId)) {
        throw new ConfluxError("malformed_request", "request_id is not valid");
      }
      const author = await readAuthor(request);
      return answerJob(backups, request, backups.startBackup(requestId, author).job_id);
    }),
    route("POST", "/v1/backups/:id/drill", async (backups, request) => {
      const [id = ""] = request.params;
      const job = await backups.startDrill(id === "latest" ? null : id, await readAuthor(request));
      return answerJob(backups, request, job.job_id);
    }),
    route("POST", "/v1/restore", async (backups, request) => {
      const { actor, ip, ...asked } = await readRestore(request);
      const job = await backups.startRestore(asked, { actor, ip, traceId: request.traceId });
      return answerJob(backups, request, job.job_id);
    }),
    route("GET", "/v1/jobs/:id", (backups, request) => answerJob(backups, request, request.params[0] ?? "")),
  ];
}

async function answerJob(backups: BackupService, request: CoreRequest, jobId: string): Promise<CoreReply> {
  const waitMs = wholeNumber(request.query, "wait_ms", { min: 0, max: JOB_WAIT_MS_MAX, fallback: 0 });
  const job = await backups.job(jobId, waitMs, request.signal);
  return { json: job, status: job.state === "running" ? 202 : 200 };
}

const authorInput = z.object({ head: operationHead }).strict();

async function readAuthor(request: CoreRequest): Promise<RestoreAuthor> {
  const { head } = await readOperation(request, authorInput);
  return { actor: head.actor, ip: head.ip, traceId: head.trace_id };
}

async function readRestore(request: CoreRequest): Promise<CoreRestoreRequest> {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder().decode(await request.body(RESTORE_BODY_BYTES_MAX)));
  } catch (cause) {
    if (cause instanceof ConfluxError) throw cause;
    throw new ConfluxError("malformed_request", "the body is not JSON", { cause });
  }
  const parsed = coreRestoreRequest.safeParse(body);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ path, message }) => ({ path: `/${path.join("/")}`, message }));
  throw new ConfluxError("malformed_request", "the request is not valid", { errors });
}
