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
 * yet, so that there is something to release.
 */
export async function createSampleData(admin: AdminClient, tenant: string): Promise<void> {
  const place = { tenant, app: "shop", env: "prod", release: true };
  const app = await admin.post("/mgt/configs", {
    ...place,
    name: "app.json",
    format: "json",
    content: APP_V1,
    schema: APP_SCHEMA,
    description: "What the shop front shows",
  });
  await admin.post(`/mgt/configs/${String(app["id"])}/versions`, {
    content: APP_V2,
    description: "Switch the new basket on",
  });
  await admin.post("/mgt/configs", {
    ...place,
    name: "routes.yaml",
    format: "yaml",
    content: ROUTES_YAML,
    description: "Upstreams of the shop",
  });
  await admin.post("/mgt/configs", {
    ...place,
    name: "worker.properties",
    format: "properties",
    content: WORKER_PROPERTIES,
    description: "Order queue consumer",
  });
}
