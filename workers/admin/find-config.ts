import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Consistency } from "../../contracts/core/core-api.ts";
import type { Config } from "../../domain/config/config.ts";
import type { AdminEnv } from "./principal.ts";
import { askInVain, configNotFound, requireDeclaredOfConfig } from "./require-permission.ts";

/** Which configs a route is about: any other is answered like one that is not there. */
export type ConfigFilter = (config: Pick<Config, "namespace">) => boolean;
const anyConfig: ConfigFilter = () => true;

/** Reads a config and checks that the caller may do with it what the route declares; `not_found` otherwise, or `forbidden`. */
export async function findConfig(
  c: Context<AdminEnv>,
  id: string,
  consistency: Consistency = "leader",
  isMeant: ConfigFilter = anyConfig,
): Promise<Config> {
  const options = { consistency, traceparent: c.var.traceparent };
  const config = await hideInTime(c, async () => {
    const { config: found } = await c.var.deps.core.getConfig(id, options);
    if (!isMeant(found)) throw configNotFound(id);
    return found;
  });
  await requireDeclaredOfConfig(c, config, () => configNotFound(id));
  return config;
}

/** Reads what an id names. When it names nothing, the answer takes as long as one that is kept from the caller. */
export async function hideInTime<T>(c: Context<AdminEnv>, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ConfluxError && error.code === "not_found") throw await askInVain(c, error);
    throw error;
  }
}
