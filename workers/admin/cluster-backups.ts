import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { backupPage, clusterJob, JOB_WAIT_MS_MAX } from "../../contracts/backup/backup-api.ts";
import { clusterOfBackup } from "../../contracts/backup/backup-manifest.ts";
import { listCursor } from "../../contracts/list-cursor.ts";
import { createHeaders } from "../../contracts/config/fields.ts";
import { LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX } from "../../contracts/limits.ts";
import { wholeNumber } from "../../contracts/whole-number.ts";
import { CLUSTER_RESOURCE, operationRequest, requireOperator } from "./cluster-operator.ts";
import { requestId } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

const path = "/api/v1/mgt/cluster/backups";
const job = { description: "How it stands", content: json(clusterJob) };
const listRoute = declareRoute(
  { action: "execute", resource: CLUSTER_RESOURCE },
  {
    method: "get",
    path,
    tags: ["cluster"],
    summary: "Backups in the core's storage, newest first",
    request: {
      query: z.object({
        cursor: listCursor((cursor) => clusterOfBackup(cursor) !== null),
        limit: wholeNumber(1, LIST_LIMIT_MAX).default(LIST_LIMIT_DEFAULT),
      }),
    },
    responses: {
      200: {
        description: "A page",
        content: json(backupPage),
      },
    },
  },
);
const takeRoute = declareRoute(
  { action: "execute", resource: CLUSTER_RESOURCE },
  {
    method: "post",
    path,
    tags: ["cluster"],
    summary: "Take a backup now; 202 when it is not done within seconds",
    request: { headers: createHeaders },
    responses: { 201: { ...job, description: "It is taken, or has failed" }, 202: job },
  },
);
const drillRoute = declareRoute(
  { action: "execute", resource: CLUSTER_RESOURCE },
  {
    method: "post",
    path: `${path}/{backup_id}/drill`,
    tags: ["cluster"],
    summary: "Prove a backup (`latest`: the newest) by restoring it beside the running cluster",
    request: { params: z.object({ backup_id: z.string().max(128) }), headers: createHeaders },
    responses: { 200: { ...job, description: "It has ended" }, 202: job },
  },
);
const jobRoute = declareRoute(
  { action: "execute", resource: CLUSTER_RESOURCE },
  {
    method: "get",
    path: "/api/v1/mgt/cluster/jobs/{job_id}",
    tags: ["cluster"],
    summary: "How a backup, drill or restore stands; waits for its end up to `wait_ms`",
    request: {
      params: z.object({ job_id: z.string().max(128) }),
      query: z.object({ wait_ms: wholeNumber(0, JOB_WAIT_MS_MAX).default(0) }),
    },
    responses: { 200: job },
  },
);

/** `GET`, `POST /mgt/cluster/backups`, `POST .../{backup_id}/drill`, `GET /mgt/cluster/jobs/{job_id}`. */
export function registerClusterBackups(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(listRoute, async (c) => {
    await requireOperator(c);
    const { cursor = null, limit } = c.req.valid("query");
    return c.json(await c.var.deps.core.listBackups({ cursor, limit }), 200);
  });
  app.openapi(takeRoute, async (c) => {
    const { head } = await operationRequest(c);
    const answer = await c.var.deps.core.startBackup({
      request_id: await requestId(c),
      wait_ms: JOB_WAIT_MS_MAX / 2,
      head,
    });
    return c.json(answer, answer.state === "running" ? 202 : 201);
  });
  app.openapi(drillRoute, async (c) => {
    const { head } = await operationRequest(c);
    const { backup_id } = c.req.valid("param");
    const answer = await c.var.deps.core.startDrill({
      backup_id: backup_id === "latest" ? null : backup_id,
      wait_ms: JOB_WAIT_MS_MAX,
      head,
    });
    return c.json(answer, answer.state === "running" ? 202 : 200);
  });
  app.openapi(jobRoute, async (c) => {
    await requireOperator(c);
    const { job_id } = c.req.valid("param");
    return c.json(await c.var.deps.core.getJob({ job_id, ...c.req.valid("query") }), 200);
  });
}
