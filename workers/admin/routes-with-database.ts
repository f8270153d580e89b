import { registerAccessRoutes } from "./access-routes.ts";
import type { AdminApp } from "./app.ts";
import { registerAuditRoutes } from "./audit-routes.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { registerAuthRoutes } from "./auth-routes.ts";
import { registerClusterRestore } from "./cluster-restore.ts";
import { registerDeliveryRoutes } from "./delivery-routes.ts";
import { registerPublishHistory } from "./publish-history.ts";

/** Every route that needs the database; with those of app.ts they are all that the Worker serves. */
export function routesWithDatabase(auth: AuthDeps): readonly ((app: AdminApp) => void)[] {
  return [
    (app) => registerAuthRoutes(app, auth),
    (app) => registerAccessRoutes(app, auth),
    (app) => registerAuditRoutes(app, auth),
    (app) => registerClusterRestore(app, auth),
    (app) => registerDeliveryRoutes(app, auth),
    (app) => registerPublishHistory(app, auth),
  ];
}
