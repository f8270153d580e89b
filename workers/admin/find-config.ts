import type { Context } from "hono";
import type { Consistency } from "../../contracts/core/core-api.ts";
import type { Config } from "../../domain/config/config.ts";
import type { AdminEnv } from "./principal.ts";
import { configNotFound, requireDeclaredOfConfig } from "./require-permission.ts";

/** Reads a config and checks that the caller may do with it what the route declares; `not_found` otherwise, or `forbidden`. */
export async function findConfig(
  c: Context<AdminEnv>,
  id: string,
  consistency: Consistency = "leader",
): Promise<Config> {
  const { config } = await c.var.deps.core.getConfig(id, { consistency, traceparent: c.var.traceparent });
  await requireDeclaredOfConfig(c, config, () => configNotFound(id));
  return config;
}
