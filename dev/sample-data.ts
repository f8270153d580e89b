import type { AdminClient } from "./admin-client.ts";

const APP_V1 = `{
  "title": "Demo shop",
  "currency": "EUR",
  "checkout": { "retries": 2, "timeout_ms": 1500 },
  "features": { "new_basket": false }
}
`;
const APP_V2 = APP_V1.replace('"new_basket": false', '"new_basket": true');
const APP_SCHEMA = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  required: ["title", "currency", "checkout", "features"],
  properties: {
    title: { type: "string" },
    currency: { type: "string", pattern: "^[A-Z]{3}$" },
    checkout: {
      type: "object",
      properties: {
        retries: { type: "integer", minimum: 0, maximum: 10 },
        timeout_ms: { type: "integer", minimum: 1 },
      },
    },
    features: { type: "object", additionalProperties: { type: "boolean" } },
  },
};
const ROUTES_YAML = `# Where the shop sends its requests.
routes:
  - path: /basket
    upstream: http://basket.internal:8080
  - path: /pay
    upstream: http://pay.internal:8080
    timeout_ms: 3000
`;
const WORKER_PROPERTIES = `# Consumer of the order queue
group.id=orders
max.poll.records=200
enable.auto.commit=false
`;

/**
 * What a new user finds: three configs in three formats, all served; the first has a second version that no rule serves
 * yet, so that there is something to release. A start that was cut short in the middle is completed by the next one.
 * Answers the last config and the index from which on all are there; null for the index when they all were before.
 */
export async function createSampleData(
  admin: AdminClient,
  tenant: string,
): Promise<{ config: string; index: string | null }> {
  const place = { tenant, app: "shop", env: "prod", release: true };
  const app = await ensureConfig(admin, {
    ...place,
    name: "app.json",
    format: "json",
    content: APP_V1,
    schema: APP_SCHEMA,
    description: "What the shop front shows",
  });
  if (app["latest_version_id"] === 1) {
    await admin.request("POST", `/mgt/configs/${String(app["id"])}/versions`, {
      content: APP_V2,
      description: "Switch the new basket on",
    });
  }
  await ensureConfig(admin, {
    ...place,
    name: "routes.yaml",
    format: "yaml",
    content: ROUTES_YAML,
    description: "Upstreams of the shop",
  });
  const last = await ensureConfig(admin, {
    ...place,
    name: "worker.properties",
    format: "properties",
    content: WORKER_PROPERTIES,
    description: "Order queue consumer",
  });
  const index = last["index"];
  return {
    config: `${tenant}/shop/prod/worker.properties`,
    index: typeof index === "string" ? index : null,
  };
}

/** Creates a config, or finds the one that is there. */
async function ensureConfig(
  admin: AdminClient,
  body: { tenant: string; app: string; env: string; name: string } & Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const { tenant, app, env, name } = body;
  const query = new URLSearchParams({ tenant, app, env, name_prefix: name });
  const found = await admin.request("GET", `/mgt/configs?${query.toString()}`);
  const items = found["items"] as Record<string, unknown>[];
  return items.find((item) => item["name"] === name) ?? admin.request("POST", "/mgt/configs", body);
}
