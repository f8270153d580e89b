/** The admin app, the core in memory, and the edge with the replicas of two regions, all in one workerd. */
import { createExecutionContext } from "cloudflare:test";
import { env as testEnv } from "cloudflare:workers";
import { ContentSealer } from "../../adapters/kms/content-sealer.ts";
import { MemoryKeyService } from "../../adapters/memory/memory-key-service.ts";
import { generateSigningJwk, importSigningKey, signClientToken } from "../../adapters/tokens/sign-token.ts";
import { kvBindingName } from "../../contracts/delivery/replica-rpc.ts";
import { decryptEnvelope } from "../../sdk/decrypt-envelope.ts";
import { GRANTS, TEST_REGIONS, testingAdmin } from "../../workers/admin/testing-admin.ts";
import { createEdge } from "../../workers/edge/app.ts";
import type { EdgeEnv } from "../../workers/edge/env.ts";
import { regionFaults } from "../../workers/watch/testing/test-objects.ts";
import type { ModelAnswer, ModelWorld } from "../fuzz/model-world.ts";

const bindings = testEnv as unknown as Pick<EdgeEnv, "REPLICA" | "HUB"> & { KV_US_EAST_1: KVNamespace };
/** The key of `testingAdmin`. */
const INDEX_KEY = "index-key-of-the-tests";

/** Of contents that are encrypted. */
const KEY_ID = "key-of-the-model";
/** The first is the tenant's admin. */
const USERS = ["admin", "ada", "bob"];

export async function makeModelWorld(): Promise<ModelWorld> {
  const keys = new MemoryKeyService([KEY_ID]);
  const admin = testingAdmin({ sealer: new ContentSealer({ keys, defaultKeyId: KEY_ID }) });
  for (const name of USERS.slice(1)) GRANTS[name] = [{ action: "*", pattern: "demo/**" }];
  // The replicas follow the core that the admin API writes to.
  for (const region of TEST_REGIONS) regionFaults(region).core.core = admin.core;
  const key = await importSigningKey(await generateSigningJwk());
  const client = await signClientToken(key, {
    id: "demo.model",
    tenant: "demo",
    scopes: ["read:demo/**"],
    nowMs: Date.now(),
    ttlS: 3600,
  });
  const env: EdgeEnv = {
    REPLICA: bindings.REPLICA,
    HUB: bindings.HUB,
    ADMIN: { fetch: async () => Response.json(key.jwks) },
    DELIVERY: { send: async () => ({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } }) },
    CORE_URLS: "[]",
    CORE_SERVICE_KEY: "",
    INDEX_SIGNING_KEY: INDEX_KEY,
    HEAD_TTL_MS: "0",
    REGIONS: TEST_REGIONS.join(","),
  };
  for (const region of TEST_REGIONS) env[kvBindingName(region) as `KV_${string}`] = bindings.KV_US_EAST_1;
  const edge = createEdge({
    regionOf: (request) => new URL(request.url).hostname.split(".")[0] ?? "",
    locationOf: () => undefined,
    openCore: () => null,
    log: () => undefined,
  });
  return {
    tenant: "demo",
    regions: TEST_REGIONS,
    users: USERS,
    async send({ method, path, user = 0, body, headers }) {
      const authorization = `Bearer ${USERS[user] ?? ""}`;
      return toAnswer(await admin.send(method, `/api/v1${path}`, body, { authorization, ...headers }));
    },
    async open({ envelope, config }) {
      const content = await decryptEnvelope({
        body: envelope,
        config,
        decryptDataKey: (wrapped, keyId, context) =>
          keys.decryptDataKey({ keyId, wrapped, context: { ...context } }),
      });
      return new TextDecoder().decode(content);
    },
    async fetch({ config, region, labels, minIndex }) {
      const headers = new Headers({ authorization: `Bearer ${client.token}` });
      for (const [name, value] of Object.entries(labels)) headers.set(`x-client-label-${name}`, value);
      if (minIndex !== null) headers.set("x-conflux-min-index", minIndex);
      const request = new Request(`http://${region}.test/api/v1/fetch/config/${config}`, { headers });
      return toAnswer(await edge.fetch(request, env, createExecutionContext()));
    },
  };
}

async function toAnswer(response: Response): Promise<ModelAnswer> {
  return {
    status: response.status,
    header: (name) => response.headers.get(name),
    text: await response.text(),
  };
}
