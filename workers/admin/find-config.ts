import type { Context } from "hono";
import type { Consistency } from "../../contracts/core/core-api.ts";
import type { Config } from "../../domain/config/config.ts";
import type { PermissionAction } from "../../domain/access/permits.ts";
import type { AdminEnv } from "./principal.ts";
import { requireConfigPermission } from "./require-permission.ts";

/** Reads a config and checks that the caller may do `action` with it; `not_found` otherwise, or `forbidden`. */
export async function findConfig(
  c: Context<AdminEnv>,
  action: PermissionAction,
  id: string,
  consistency: Consistency = "leader",
): Promise<Config> {
  const { config } = await c.var.deps.core.getConfig(id, { consistency, traceparent: c.var.traceparent });
  await requireConfigPermission(c, action, config);
  return config;
}
