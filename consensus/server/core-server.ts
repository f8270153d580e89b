import { backupRoutes } from "./backup-routes.ts";
import type { BackupService } from "./backup-service.ts";
import type { CoreContext } from "./core-context.ts";
import type { Route } from "./http-router.ts";
import { HttpServer } from "./http-server.ts";
import { proposeCommand } from "./propose-command.ts";
import { readRoutes } from "./read-routes.ts";
import type { ServiceAuth } from "./service-auth.ts";

/** The core's HTTP surface (contracts/core/core-api.ts). `backups`: null where no storage for them is set up. */
export function createCoreServer(
  core: CoreContext,
  auth: ServiceAuth,
  backups: BackupService | null,
): HttpServer {
  return new HttpServer({
    routes: [
      { method: "POST", path: "/v1/propose", roles: ["admin"], handle: (r) => proposeCommand(core, r) },
      ...readRoutes(core),
      ...operationRoutes(core),
      ...backupRoutes(backups),
    ],
    roleOf: (authorization) => auth.roleOf(authorization),
    nodeId: () => core.log.status().nodeId,
    leaderId: () => core.log.status().leaderId,
    urlOf: (nodeId) => core.addressOf(nodeId).url,
    counted: (method) => core.metrics.request(method),
    onClosing: () => core.waiters.close(),
    logger: core.logger,
  });
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
      const ready = core.ready() && !core.waiters.closed;
      return { status: ready ? 200 : 503, json: { status: ready ? "ready" : "not_ready" } };
    }),
  ];
}
