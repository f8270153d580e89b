import type { OpenAPIHono } from "@hono/zod-openapi";
import { adoptClusterEpoch } from "../../adapters/postgres/adopt-cluster-epoch.ts";
import { readClusterEpoch } from "../../adapters/postgres/read-cluster-epoch.ts";
import { clusterJob, JOB_WAIT_MS_MAX, restoreRequest } from "../../contracts/backup/backup-api.ts";
import { createHeaders } from "../../contracts/config/fields.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { CLUSTER_RESOURCE, requireOperator } from "./cluster-operator.ts";
import { requestId } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

const job = { description: "How it stands", content: json(clusterJob) };
const route = declareRoute(
  { action: "execute", resource: CLUSTER_RESOURCE },
  {
    method: "post",
    path: "/api/v1/mgt/cluster/restore-from-backup",
    tags: ["cluster"],
    summary:
      "Put a backup in the place of the state: ends every token and session, and all that was written after the backup",
    request: { headers: createHeaders, body: { required: true, content: json(restoreRequest) } },
    responses: { 200: { ...job, description: "It has ended" }, 202: job },
  },
);

/** `POST /mgt/cluster/restore-from-backup`. A repetition under one idempotency key restores once. */
export function registerClusterRestore(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    await requireOperator(c);
    const { core } = c.var.deps;
    const { cluster_id } = await core.status();
    const { actor } = c.var.principal;
    const answer = await core.startRestore(
      {
        ...c.req.valid("json"),
        restore_id: (await requestId(c)) ?? crypto.randomUUID(),
        // A core made anew knows no epoch but its first; what was served under higher ones is known here.
        epoch_min: await readClusterEpoch(deps.database(c), cluster_id),
        actor,
        ip: c.var.principal.ip,
        wait_ms: JOB_WAIT_MS_MAX,
      },
      { traceparent: c.var.traceparent },
    );
    if (answer.restore !== null) {
      // The feed's projection does the same; this ends the sessions at once.
      await adoptClusterEpoch(deps.database(c), {
        clusterId: cluster_id,
        epoch: answer.restore.epoch,
        tokensNotBeforeMs: Date.parse(answer.restore.tokens_not_before),
      });
    }
    return c.json(answer, answer.state === "running" ? 202 : 200);
  });
}
