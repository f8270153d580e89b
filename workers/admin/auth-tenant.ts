import type { Context } from "hono";
import { findSessionUser } from "../../adapters/postgres/find-session-user.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { AuthDeps } from "./auth-deps.ts";
import type { AdminEnv } from "./principal.ts";

/**
 * The tenant a list is about: the one named, else the only one in which the caller holds a role. `validation_failed`
 * when it must be named; `forbidden` for a caller without any role.
 */
export async function resolveTenant(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  named: string | undefined,
): Promise<string> {
  if (named !== undefined) return named;
  const user = await findSessionUser(deps.database(c), c.var.principal.actor.id);
  const tenants = user?.tenants ?? [];
  const [only] = tenants;
  if (only === undefined) throw new ConfluxError("forbidden", "You hold no role in any tenant.");
  if (tenants.length === 1) return only;
  throw new ConfluxError("validation_failed", "You hold roles in several tenants: name one.", {
    errors: [{ path: "/query/tenant", message: `one of ${tenants.slice(0, 20).join(", ")}` }],
  });
}
