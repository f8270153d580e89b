import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AuthDeps } from "./auth-deps.ts";
import { registerDeadConfigs } from "./delivery-dead-configs.ts";
import { registerDeliveryClients } from "./delivery-clients.ts";
import { registerDeliveryGet } from "./delivery-get.ts";
import type { AdminEnv } from "./principal.ts";

/** What clients report of their configs (E16). Read from Postgres, so away with it. */
export function registerDeliveryRoutes(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  registerDeliveryGet(app, deps);
  registerDeliveryClients(app, deps);
  registerDeadConfigs(app, deps);
}
