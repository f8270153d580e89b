import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Config, DeletedConfig } from "../../domain/config/config.ts";
import { expectedRevision } from "./command-head.ts";
import { type ConfigFilter, findConfig } from "./find-config.ts";
import type { AdminEnv } from "./principal.ts";
import { configNotFound, requireDeclaredOfConfig } from "./require-permission.ts";

/** What a write of a config goes by. */
export interface ConfigForWrite {
  config: DeletedConfig;
  /** Null when the config is gone: then the core answers an earlier result of this very request, or `not_found`. */
  live: Config | null;
  /** The revision that `If-Match` asks for, null for none. */
  revision: number | null;
}

/**
 * Finds the config that a request would write, and checks that the caller may do with it what the route declares. With an idempotency
 * key a config that was deleted meanwhile is found too: the request may be a repetition, whose first result the log
 * still has (C12). Whoever may not even read it is told what is told of an id that never was.
 */
export async function findConfigForWrite(
  c: Context<AdminEnv>,
  id: string,
  isMeant: ConfigFilter = () => true,
): Promise<ConfigForWrite> {
  try {
    const config = await findConfig(c, id, "leader", isMeant);
    return { config, live: config, revision: expectedRevision(c, config) };
  } catch (error) {
    const isGone = error instanceof ConfluxError && error.code === "not_found";
    if (!isGone || c.req.header("x-idempotency-key") === undefined) throw error;
    const { deleted } = await c.var.deps.core.getDeletedConfig(id, { traceparent: c.var.traceparent });
    if (!isMeant(deleted)) throw error;
    await requireDeclaredOfConfig(c, deleted, () => configNotFound(id));
    return { config: deleted, live: null, revision: null };
  }
}
