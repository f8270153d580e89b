import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { createAdmin } from "./app.ts";
import { registerAuditRoutes } from "./audit-routes.ts";
import { type AuthBindings, createAuthDeps } from "./auth-deps.ts";
import { registerAuthRoutes } from "./auth-routes.ts";
import { authenticate } from "./authenticate.ts";
import type { AdminApp } from "./app.ts";

interface AdminBindings extends AuthBindings {
  CORE_URLS: string;
  CORE_SERVICE_KEY: string;
  INDEX_SIGNING_KEY: string;
  IDEMPOTENCY_KEY: string;
  REGIONS: string;
}

let app: AdminApp | null = null;

function build(env: AdminBindings): AdminApp {
  const auth = createAuthDeps(env);
  const core = new CoreClient({
    urls: JSON.parse(env.CORE_URLS) as string[],
    serviceKey: env.CORE_SERVICE_KEY,
    role: "admin",
  });
  return createAdmin(
    {
      core,
      indexSigner: createIndexSigner(env.INDEX_SIGNING_KEY),
      idempotencyKey: env.IDEMPOTENCY_KEY,
      regions: env.REGIONS.split(","),
      authenticate: authenticate(auth),
      readiness: { core: async () => (await core.status()).leader_id !== null },
      // oxlint-disable-next-line no-console -- the console is where a Worker's log lines are collected
      log: (line) => console.log(JSON.stringify({ worker: "conflux-admin", ...line })),
    },
    { routes: [(a) => registerAuthRoutes(a, auth), (a) => registerAuditRoutes(a, auth)] },
  );
}

export default {
  fetch(request, env, context) {
    app ??= build(env);
    return app.fetch(request, env, context);
  },
} satisfies ExportedHandler<AdminBindings>;
