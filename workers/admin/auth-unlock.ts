import type { OpenAPIHono } from "@hono/zod-openapi";
import { readSessionUser } from "../../adapters/postgres/find-session-user.ts";
import { readUserForLogin } from "../../adapters/postgres/find-user-for-login.ts";
import { unlockLogin } from "../../adapters/postgres/unlock-login.ts";
import { isOwnUser } from "../../adapters/postgres/user-rows.ts";
import { setTenant, type Transaction, withTenant } from "../../adapters/postgres/with-tenant.ts";
import { unlocked, unlockRequest } from "../../contracts/access/session-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { loginKeys } from "./auth-attempt.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { auditSession } from "./auth-session.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";
import { notYours } from "./user-change.ts";
import { userResource } from "./user-views.ts";

const unlockRoute = declareRoute(
  { action: "write", resource: "{tenant}" },
  {
    method: "post",
    path: "/api/v1/auth/unlock",
    tags: ["access"],
    summary:
      "Forget the failed sign-ins of a name: of a user of the tenant named alone, or, for operators, of any",
    description:
      "403 for a user whom another tenant has to do with, too, or who is an operator: that is for operators, without tenant.",
    request: { body: { required: true, content: json(unlockRequest) } },
    responses: { 200: { description: "The name is not locked", content: json(unlocked) } },
  },
);

/** `POST /auth/unlock`. */
export function registerUnlockRoute(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(unlockRoute, async (c) => {
    const { username, tenant } = c.req.valid("json");
    await requireDeclared(c, { tenant: tenant ?? SYSTEM_TENANT });
    const { name } = await loginKeys(deps, username, "");
    const nowMs = deps.nowMs();
    const done = await withTenant(deps.database(c), SYSTEM_TENANT, async (tx) => {
      const user = await readUserForLogin(tx, username);
      if (tenant !== undefined) await requireOwnUser(tx, tenant, { username, id: user?.id ?? null });
      const wasLocked = await unlockLogin(tx, { name, userId: user?.id ?? null });
      await auditSession(c, tx, {
        owner: { id: c.var.principal.actor.id, username: c.var.principal.actor.name },
        action: "write",
        resource: user === null ? "users" : userResource(SYSTEM_TENANT, user.id),
        outcome: "success",
        summary: user === null ? "unlocked a name that no user has" : `unlocked ${username}`,
        nowMs,
      });
      return wasLocked;
    });
    return c.json({ unlocked: done }, 200);
  });
}

/**
 * Refuses a name that is not of a user of the tenant, and one of a user who is not the tenant's alone: by its name anybody is
 * taken into a tenant, whose administrator could then guess at the password without end.
 */
async function requireOwnUser(
  tx: Transaction,
  tenant: string,
  user: { username: string; id: string | null },
): Promise<void> {
  const { username, id } = user;
  const tenants = id === null ? [] : ((await readSessionUser(tx, id))?.tenants ?? []);
  if (id === null || !tenants.includes(tenant))
    throw new ConfluxError("not_found", `no user ${username} in ${tenant}`);
  await setTenant(tx, tenant);
  const isOwn = await isOwnUser(tx, id);
  await setTenant(tx, SYSTEM_TENANT);
  if (!isOwn) throw notYours();
}
