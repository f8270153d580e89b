import { OpenAPIHono } from "@hono/zod-openapi";
import { CHANGE_ROUTES } from "./change-routes.ts";
import { registerBundleApply } from "./bundle-apply.ts";
import { registerBundleExport } from "./bundle-export.ts";
import { registerClusterAddNode } from "./cluster-add-node.ts";
import { registerClusterRemoveNode } from "./cluster-remove-node.ts";
import { registerClusterSnapshot } from "./cluster-snapshot.ts";
import { registerClusterTransferLeader } from "./cluster-transfer-leader.ts";
import { registerClusterBackups } from "./cluster-backups.ts";
import { registerClusterStatus } from "./cluster-status.ts";
import { registerConfigCreate } from "./config-create.ts";
import { registerConfigDelete } from "./config-delete.ts";
import { registerConfigDiff } from "./config-diff.ts";
import { registerConfigGet } from "./config-get.ts";
import { registerConfigList } from "./config-list.ts";
import { registerConfigResolve } from "./config-resolve.ts";
import { registerConfigRollback } from "./config-rollback.ts";
import { registerDocs } from "./docs-page.ts";
import { registerEncryptionRewrap } from "./encryption-rewrap.ts";
import { GRAY_ROUTES } from "./gray-routes.ts";
import { registerHealth } from "./health.ts";
import { answerError, refuseInvalid } from "./map-error.ts";
import { answerUnrouted } from "./not-found.ts";
import { registerOpenapi } from "./openapi.ts";
import type { AdminDeps, AdminEnv } from "./principal.ts";
import { registerPublishAbort } from "./publish-abort.ts";
import { registerPublishAdvance } from "./publish-advance.ts";
import { registerPublishGet } from "./publish-get.ts";
import { registerPublishList } from "./publish-list.ts";
import { registerPublishPause } from "./publish-pause.ts";
import { registerPublishResume } from "./publish-resume.ts";
import { registerPublishStart } from "./publish-start.ts";
import { registerReleasesBatch } from "./releases-batch.ts";
import { registerReleasesGet } from "./releases-get.ts";
import { registerReleasesPut } from "./releases-put.ts";
import { auditRefusals } from "./audit-refusals.ts";
import { registerRetentionPut } from "./retention-put.ts";
import { trace } from "./trace.ts";
import { registerVersionCreate } from "./version-create.ts";
import { registerVersionGet } from "./version-get.ts";
import { registerVersionList } from "./version-list.ts";

export type AdminApp = OpenAPIHono<AdminEnv>;

/** What features with dependencies of their own add. */
export interface AdminExtension {
  routes?: readonly ((app: AdminApp) => void)[];
}

/**
 * The admin API. Handlers parse (by the schemas of contracts/), ask for a permission, call one verb of the core and map
 * its result; every refusal is a problem document made in one place.
 */
export function createAdmin(deps: AdminDeps, extension: AdminExtension = {}): AdminApp {
  const app: AdminApp = new OpenAPIHono<AdminEnv>({
    defaultHook: (result) => {
      refuseInvalid(result);
    },
  });
  app.use("*", async (c, next) => {
    c.set("deps", deps);
    await next();
  });
  app.use("*", trace);
  app.use("*", auditRefusals);
  app.onError(answerError);
  app.notFound(answerUnrouted(app));
  for (const register of ROUTES) register(app);
  for (const register of extension.routes ?? []) register(app);
  return app;
}

const ROUTES: readonly ((app: AdminApp) => void)[] = [
  registerConfigCreate,
  registerConfigList,
  registerConfigGet,
  registerConfigDelete,
  registerRetentionPut,
  registerVersionCreate,
  registerVersionList,
  registerVersionGet,
  registerReleasesGet,
  registerReleasesPut,
  registerReleasesBatch,
  registerConfigRollback,
  registerConfigResolve,
  registerBundleExport,
  registerBundleApply,
  registerConfigDiff,
  registerPublishStart,
  registerPublishList,
  registerPublishGet,
  registerPublishAdvance,
  registerPublishPause,
  registerPublishResume,
  registerPublishAbort,
  ...CHANGE_ROUTES,
  ...GRAY_ROUTES,
  registerEncryptionRewrap,
  registerClusterStatus,
  registerClusterAddNode,
  registerClusterRemoveNode,
  registerClusterTransferLeader,
  registerClusterSnapshot,
  registerClusterBackups,
  registerHealth,
  registerOpenapi,
  registerDocs,
];
