import type { OpenAPIHono } from "@hono/zod-openapi";
import type { IndexSigner } from "../../adapters/index-signature/index-signer.ts";
import {
  type DeliveryClientRow,
  listDeliveryClients,
} from "../../adapters/postgres/list-delivery-clients.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { idParams } from "../../contracts/config/fields.ts";
import { deliveryClientList, deliveryClientsQuery } from "../../contracts/delivery/delivery-api.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";

const HOUR_MS = 60 * 60 * 1000;

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}/delivery/clients",
    tags: ["delivery"],
    summary: "The clients of a config, and what each reported last",
    request: { params: idParams, query: deliveryClientsQuery },
    responses: {
      200: { description: "A page, in the order of client ids", content: json(deliveryClientList) },
    },
  },
);

export function registerDeliveryClients(
  app: OpenAPIHono<AdminEnv>,
  deps: Pick<AuthDeps, "database" | "nowMs">,
): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid("query");
    const config = await findConfig(c, c.req.valid("param").id, query.consistency);
    const { tenant } = config.namespace;
    const seenSinceMs = Math.max(config.created_at_ms, deps.nowMs() - query.seen_within_hours * HOUR_MS);
    const page = await withTenant(deps.database(c), tenant, (tx) =>
      listDeliveryClients(tx, {
        tenant,
        config: fullName(config.namespace, config.name),
        latestVersionId: config.latest_version_id,
        version: query.version,
        state: query.state,
        region: query.region,
        seenSinceMs,
        cursor: query.cursor ?? null,
        limit: query.limit,
      }),
    );
    const items = await Promise.all(page.items.map((row) => viewClient(row, c.var.deps.indexSigner)));
    return c.json({ items, next_cursor: page.nextCursor }, 200);
  });
}

async function viewClient(row: DeliveryClientRow, signer: IndexSigner) {
  const { clusterId, epoch, logIndex } = row;
  const isPlaced = clusterId !== null && epoch !== null && logIndex !== null;
  return {
    client_id: row.clientId,
    region: row.region,
    version: row.versionId,
    state: row.state,
    reason: row.reason,
    running_version: row.runningVersionId,
    index: isPlaced ? await signer.sign({ cluster_id: clusterId, epoch, index: logIndex }) : null,
    reported_at: row.reportedAt.toISOString(),
    seen_at: row.seenAt.toISOString(),
  };
}
