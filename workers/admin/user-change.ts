import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { endAllSessionsFrom } from "../../adapters/postgres/end-sessions.ts";
import { findSessionUser } from "../../adapters/postgres/find-session-user.ts";
import { loadPermissions } from "../../adapters/postgres/load-permissions.ts";
import { changeUser, findUser, type UserRow } from "../../adapters/postgres/user-rows.ts";
import type { Transaction } from "../../adapters/postgres/with-tenant.ts";
import { idPath } from "../../contracts/access/access-fields.ts";
import { changeUserRequest, userTenantQuery, userView } from "../../contracts/access/users-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { noSuch } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireHeld } from "./require-held.ts";
import { requireDeclared } from "./require-permission.ts";
import { userResource, USERS_PATH, viewUser } from "./user-views.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}", also: "to hold whatever the user holds" },
  {
    method: "patch",
    path: `${USERS_PATH}/{id}`,
    tags: ["access"],
    summary: "Change a user's e-mail address or password, or whether the user may sign in",
    description:
      "A new password, and is_active: false, end every session of the user. 403 for a user whom another tenant has to do with, too, or who is an operator: that is for operators, with tenant=_system.",
    request: {
      params: idPath,
      query: userTenantQuery,
      headers: updateHeaders,
      body: { required: true, content: json(changeUserRequest) },
    },
    responses: { 200: { description: "As it is now", content: json(userView) } },
  },
);

/** `PATCH /users/{id}`. */
export function registerUserChange(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const { email, is_active: isActive, password } = c.req.valid("json");
    const tenant = await resolveTenant(c, deps, c.req.valid("query").tenant);
    await requireDeclared(c, { tenant });
    const { traceparent } = c.var;
    const passwordHash =
      password === undefined ? undefined : await deps.passwords.hash({ password, traceparent });
    const isEnd = passwordHash !== undefined || isActive === false;
    const guarded = await tenantsOf(c, deps, tenant, id);
    const write = { tenant, action: "write", resource: userResource(tenant, id), guarded } as const;
    const view = await writeAccess(c, deps, write, async (tx) => {
      const before = await findUser(tx, id);
      if (before === null) throw noSuch("user", id);
      requireRevision(c, before);
      await requireAtLeastAs(c, tx, tenant, id);
      const row = await changeUser(tx, { id, email, isActive, passwordHash });
      if (row === null) throw notYours();
      if (isEnd) await endAllSessionsFrom(tx, tenant, { userId: id, nowMs: deps.nowMs() });
      return {
        result: await viewUser(tx, row),
        summary: difference(before, row, passwordHash !== undefined),
      };
    });
    c.header("etag", view.etag);
    return c.json(view, 200);
  });
}

/** Whose administrators the user may be the last of, and whose audit says what an operator did to the user. */
async function tenantsOf(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  tenant: string,
  userId: string,
): Promise<string[]> {
  if (tenant !== SYSTEM_TENANT) return [tenant];
  return (await findSessionUser(deps.database(c), userId))?.tenants ?? [];
}

/** Who could set the password of somebody who may do more could be that somebody. */
async function requireAtLeastAs(
  c: Context<AdminEnv>,
  tx: Transaction,
  tenant: string,
  userId: string,
): Promise<void> {
  if (tenant === SYSTEM_TENANT || userId === c.var.principal.actor.id) return;
  // Whatever the state of the user's sessions: an inactive user would have it all again with `is_active`.
  await requireHeld(c, tx, tenant, await loadPermissions(tx, { userId, issuedAtMs: null }));
}

export function notYours(): ConfluxError {
  return new ConfluxError(
    "forbidden",
    "Another tenant has to do with this user, too, or the user is an operator: ask an operator.",
  );
}

function difference(before: UserRow, after: UserRow, isPasswordNew: boolean): string {
  const changes = [
    before.email === after.email ? null : "e-mail address",
    before.isActive === after.isActive ? null : after.isActive ? "activated" : "deactivated",
    isPasswordNew ? "password, sessions ended" : null,
  ].filter((change) => change !== null);
  return `changed user ${after.username} (${after.id}): ${changes.join(", ") || "nothing"}`;
}
