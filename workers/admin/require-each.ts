import type { Context } from "hono";
import type { PermissionAction } from "../../domain/access/permits.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { AdminEnv } from "./principal.ts";
import { holds, requirePermission } from "./require-permission.ts";

/** Something to be done with a config of a tenant. */
export interface Wanted {
  action: PermissionAction;
  app: string;
  env: string;
  name: string;
}

/** Refuses (`forbidden`) a caller who may not do one of many things. */
export async function requireEach(
  c: Context<AdminEnv>,
  tenant: string,
  wanted: readonly Wanted[],
): Promise<void> {
  for (const { action, app, env, name } of await notHeldByEnv(c, tenant, wanted)) {
    await requirePermission(c, action, fullName({ tenant, app, env }, name));
  }
}

/** What of it the caller does not hold on all of an env: that is asked once, since there may be a thousand configs. */
export async function notHeldByEnv<W extends Wanted>(
  c: Context<AdminEnv>,
  tenant: string,
  wanted: readonly W[],
): Promise<W[]> {
  const granted = new Map<string, boolean>();
  const left: W[] = [];
  for (const one of wanted) {
    const { action, app, env } = one;
    const all = fullName({ tenant, app, env }, "*");
    const key = `${action} ${all}`;
    const holdsAll = granted.get(key) ?? (await holds(c, action, all));
    granted.set(key, holdsAll);
    if (!holdsAll) left.push(one);
  }
  return left;
}
