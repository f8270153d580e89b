import type { OpenAPIHono } from "@hono/zod-openapi";
import type { AuthDeps } from "./auth-deps.ts";
import { registerDeadConfigs } from "./delivery-dead-configs.ts";
import { registerDeliveryClients } from "./delivery-clients.ts";
import { registerDeliveryGet } from "./delivery-get.ts";
import type { AdminEnv } from "./principal.ts";

/** Of what signing in needs, the database and the clock. */
type DeliveryDeps = Pick<AuthDeps, "database" | "nowMs">;

/** What clients report of their configs (E16). Read from Postgres, so away with it. */
export function registerDeliveryRoutes(app: OpenAPIHono<AdminEnv>, deps: DeliveryDeps): void {
  registerDeliveryGet(app, deps);
  registerDeliveryClients(app, deps);
  registerDeadConfigs(app, deps);
}
