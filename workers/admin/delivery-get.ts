import type { OpenAPIHono } from "@hono/zod-openapi";
import { type ConfigDelivery, readConfigDelivery } from "../../adapters/postgres/read-config-delivery.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { idParams } from "../../contracts/config/fields.ts";
import { deliveryQuery, deliveryView } from "../../contracts/delivery/delivery-api.ts";
import type { Config } from "../../domain/config/config.ts";
import { fullName } from "../../domain/config/config-name.ts";
import { PROPAGATION_BOUNDS_MS, propagationQuantile } from "../../domain/delivery/propagation.ts";
import { defaultVersion } from "../../domain/release-rule/default-rule.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { toTime } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfig } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/configs/{id}/delivery",
    tags: ["delivery"],
    summary:
      "Who runs which version of a config, when it was last fetched, and how long changes take to arrive",
    request: { params: idParams, query: deliveryQuery },
    responses: { 200: { description: "As clients have reported it", content: json(deliveryView) } },
  },
);

export function registerDeliveryGet(
  app: OpenAPIHono<AdminEnv>,
  deps: Pick<AuthDeps, "database" | "nowMs">,
): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid("query");
    const config = await findConfig(c, c.req.valid("param").id, query.consistency);
    const nowMs = deps.nowMs();
    const { tenant } = config.namespace;
    const version = defaultVersion(config.releases);
    const since = (ms: number): number => Math.max(config.created_at_ms, nowMs - ms);
    const delivery = await withTenant(deps.database(c), tenant, (tx) =>
      readConfigDelivery(tx, {
        tenant,
        config: fullName(config.namespace, config.name),
        latestVersionId: config.latest_version_id,
        versionId: version,
        clientsSinceMs: since(query.seen_within_hours * HOUR_MS),
        fetchesSinceMs: config.created_at_ms,
        propagationSinceMs: since((query.propagation_days - 1) * DAY_MS),
      }),
    );
    return c.json(viewDelivery(config, version, delivery), 200);
  });
}

function viewDelivery(config: Config, version: number | null, delivery: ConfigDelivery) {
  const { clients, running, groups, fetches, propagation } = delivery;
  const lastMs = fetches.reduce((last, { lastFetchedAt }) => Math.max(last, lastFetchedAt.getTime()), -1);
  return {
    config_id: config.id,
    namespace: config.namespace,
    name: config.name,
    clients,
    default_version: version,
    adoption_rate: version === null || clients === 0 ? null : running / clients,
    clients_by_version: groups.map(({ versionId, ...group }) => ({ version: versionId, ...group })),
    last_fetched_at: lastMs < 0 ? null : toTime(lastMs),
    last_fetched: fetches.map(({ region, lastFetchedAt }) => ({
      region,
      last_fetched_at: lastFetchedAt.toISOString(),
    })),
    propagation: viewPropagation(propagation),
  };
}

function viewPropagation(samples: ReadonlyMap<number, number>) {
  const total = [...samples.values()].reduce((sum, n) => sum + n, 0);
  let count = 0;
  const buckets = PROPAGATION_BOUNDS_MS.map((bound): { le_ms: number | null; count: number } => {
    count += samples.get(bound) ?? 0;
    return { le_ms: bound, count };
  });
  return {
    samples: total,
    p50_ms: propagationQuantile(samples, 0.5),
    p99_ms: propagationQuantile(samples, 0.99),
    buckets: [...buckets, { le_ms: null, count: total }],
  };
}
