import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { DeletedConfig } from "../../domain/config/config.ts";
import type { PermissionAction } from "../../domain/access/permits.ts";
import type { AdminEnv } from "./principal.ts";

/** Refuses (`unauthenticated`) a caller whose session has ended; for routes that ask for no permission. */
export async function requireSession(c: Context<AdminEnv>): Promise<void> {
  if (await c.var.principal.hasEnded()) throw sessionEnded();
}

export function sessionEnded(): ConfluxError {
  return new ConfluxError("unauthenticated", "The session has ended; sign in again.");
}

/** Asks, and leaves word of it for the audit of a refusal. */
async function asks(c: Context<AdminEnv>, action: PermissionAction, resource: string): Promise<boolean> {
  const granted = await c.var.principal.allows(action, resource);
  c.set("asked", { action, resource, granted });
  return granted;
}

/** Refuses (`forbidden`) a caller none of whose roles grants `action` on `resource`: nothing is granted to an ended session. */
export async function requirePermission(
  c: Context<AdminEnv>,
  action: PermissionAction,
  resource: string,
): Promise<void> {
  if (await asks(c, action, resource)) return;
  await requireSession(c);
  throw new ConfluxError("forbidden", `You need the permission ${action} on ${resource}`);
}

/**
 * Refuses `action` on a config that was found by its id. Who may not even read it is told what is told of an id that
 * does not exist, word for word, so that ids tell nothing.
 */
export async function requireConfigPermission(
  c: Context<AdminEnv>,
  action: PermissionAction,
  config: DeletedConfig,
): Promise<void> {
  const resource = fullName(config.namespace, config.name);
  if (await asks(c, action, resource)) return;
  const mayRead = action !== "read" && (await c.var.principal.allows("read", resource));
  if (!mayRead) throw configNotFound(config.id);
  throw new ConfluxError("forbidden", `You need the permission ${action} on ${resource}`);
}

export function configNotFound(id: string): ConfluxError {
  return new ConfluxError("not_found", `no config ${id}`);
}
