import { connectPostgres } from "../../adapters/postgres/connect.ts";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { fetchThrough } from "../../adapters/core-client/fetch-through.ts";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { pingPostgres } from "../../adapters/postgres/ping-postgres.ts";
import { type AdminApp, createAdmin } from "./app.ts";
import { type AuthBindings, createAuthDeps } from "./auth-deps.ts";
import { authenticate } from "./authenticate.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { consumeDelivery } from "./consume-delivery.ts";
import { applicationKeys } from "./encryption-keys.ts";
import { limitRequests } from "./limit-requests.ts";
import type { LogLine } from "./principal.ts";
import { createRefusalAudit } from "./refusal-audit.ts";
import { quotasOf } from "./quotas-of.ts";
import type { RequestWindow } from "./request-window.ts";
import { openRequestWindows } from "./request-windows.ts";
import { routesWithDatabase } from "./routes-with-database.ts";

export { RequestWindow } from "./request-window.ts";

/** The admin Worker's environment; wrangler.toml says which are secrets. */
interface AdminBindings extends AuthBindings {
  /** JSON list of the core's base URLs. */
  CORE_URLS: string;
  CORE_SERVICE_KEY: string;
  /** Presents the client certificate that the core's load balancer asks for; absent where there is none before it. */
  CORE_TLS?: Pick<Fetcher, "fetch">;
  /** Shared with the edge Worker. */
  INDEX_SIGNING_KEY: string;
  /** Key of the digests of idempotent requests' bodies. */
  IDEMPOTENCY_KEY: string;
  /** The regions there are, separated by commas. */
  REGIONS: string;
  /** One object a tenant counts its requests. */
  REQUEST_WINDOW: DurableObjectNamespace<RequestWindow>;
}

function log(line: LogLine): void {
  // oxlint-disable-next-line no-console -- the console is where a Worker's log lines are collected
  console.log(JSON.stringify({ worker: "conflux-admin", ...line }));
}

/** One app an isolate: nothing in it belongs to a request. */
let app: AdminApp | null = null;

function build(env: AdminBindings): AdminApp {
  const auth = createAuthDeps(env);
  const establish = authenticate(auth);
  const count = limitRequests({ ...auth, windows: openRequestWindows(env.REQUEST_WINDOW), log });
  const core = new CoreClient({
    urls: JSON.parse(env.CORE_URLS) as string[],
    serviceKey: env.CORE_SERVICE_KEY,
    role: "admin",
    ...fetchThrough(env.CORE_TLS),
  });
  return createAdmin(
    {
      core,
      indexSigner: createIndexSigner(env.INDEX_SIGNING_KEY),
      idempotencyKey: env.IDEMPOTENCY_KEY,
      regions: env.REGIONS.split(","),
      // Who is not known is refused before anything is counted, and what is over the quota before a permission is read.
      authenticate: (c, next) => establish(c, async () => void (await count(c, next))),
      quotasOf: quotasOf(auth),
      applicationKeys: applicationKeys(auth),
      tenantOf: (c, named) => resolveTenant(c, auth, named),
      readiness: {
        core: async () => (await core.status()).leader_id !== null,
        postgres: () => pingPostgres(env.HYPERDRIVE.connectionString),
      },
      noteRefusal: createRefusalAudit({
        database: () => connectPostgres(env.HYPERDRIVE.connectionString, { connectionsMax: 1 }),
        nowMs: Date.now,
        log,
      }),
      log,
    },
    { routes: routesWithDatabase(auth) },
  );
}

export default {
  fetch(request, env, context) {
    app ??= build(env);
    return app.fetch(request, env, context);
  },

  /** Takes what the edge has queued of delivery reports (wrangler.toml: `conflux-delivery`). */
  async queue(batch, env, context) {
    const database = connectPostgres(env.HYPERDRIVE.connectionString);
    try {
      await consumeDelivery(batch.messages, { database, nowMs: Date.now, log });
    } finally {
      context.waitUntil(database.close());
    }
  },
} satisfies ExportedHandler<AdminBindings>;
