import { backupRoutes } from "./backup-routes.ts";
import type { BackupService } from "./backup-service.ts";
import type { CoreContext } from "./core-context.ts";
import type { Route } from "./http-router.ts";
import { HttpServer } from "./http-server.ts";
import { proposeCommand } from "./propose-command.ts";
import { bundleRoutes } from "./bundle-routes.ts";
import { clusterRoutes } from "./cluster-routes.ts";
import { readRoutes } from "./read-routes.ts";
import { isRemoved, refuseWhenRemoved } from "./removed-node.ts";
import { rewrapKeys } from "./rewrap-keys.ts";
import { sealSecret } from "./seal-secret.ts";
import type { ServiceAuth } from "./service-auth.ts";

/** Answered by a node whatever it is. */
const STATUS_PATH = "/v1/status";

/** The core's HTTP surface (contracts/core/core-api.ts). `backups`: null where no storage for them is set up. */
export function createCoreServer(
  core: CoreContext,
  auth: ServiceAuth,
  backups: BackupService | null,
): HttpServer {
  const { nodeId } = core.log.status();
  return new HttpServer({
    routes: [
      serving(core, {
        method: "POST",
        path: "/v1/propose",
        roles: ["admin", "lambda"],
        handle: (r) => proposeCommand(core, r),
      }),
      ...readRoutes(core).map((route) => (route.path === STATUS_PATH ? route : serving(core, route))),
      ...bundleRoutes(core).map((route) => serving(core, route)),
      serving(core, {
        method: "POST",
        path: "/v1/rewrap-keys",
        roles: ["admin"],
        handle: (r) => rewrapKeys(core, r),
      }),
      serving(core, {
        method: "POST",
        path: "/v1/seal",
        roles: ["admin"],
        handle: (r) => sealSecret(core, r),
      }),
      ...clusterRoutes(core),
      ...operationRoutes(core),
      ...backupRoutes(backups).map((route) => serving(core, route)),
    ],
    roleOf: (authorization) => auth.roleOf(authorization),
    nodeId: () => nodeId,
    leaderId: () => core.log.status().leaderId,
    urlOf: (id) => core.addressOf(id).url,
    proveLeader: (id, url) => auth.proveLeader(String(id), url),
    requests: core.metrics.requests,
    onClosing: () => core.waiters.close(),
    logger: core.logger,
  });
}

/** Refuses on a node that was removed. */
function serving(core: CoreContext, route: Route): Route {
  return {
    ...route,
    handle: (request) => {
      refuseWhenRemoved(core);
      return route.handle(request);
    },
  };
}

function operationRoutes(core: CoreContext): Route[] {
  const open = (path: string, handle: Route["handle"]): Route => ({
    method: "GET",
    path,
    roles: null,
    handle,
  });
  return [
    open("/metrics", async () => ({
      bytes: Buffer.from(await core.metrics.registry.metrics()),
      contentType: core.metrics.registry.contentType,
    })),
    open("/healthz", () => ({ json: { status: "ok" } })),
    open("/readyz", () => {
      const ready = core.ready() && !core.waiters.closed && !isRemoved(core);
      return { status: ready ? 200 : 503, json: { status: ready ? "ready" : "not_ready" } };
    }),
  ];
}
