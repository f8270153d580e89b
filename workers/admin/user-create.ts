import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { ulid } from "ulid";
import type { z } from "zod";
import { addLink, countLinked, listLinked } from "../../adapters/postgres/access-links.ts";
import { createUser } from "../../adapters/postgres/create-user.ts";
import { findNamed, type NamedTable } from "../../adapters/postgres/named-rows.ts";
import { findUser } from "../../adapters/postgres/user-rows.ts";
import type { Transaction } from "../../adapters/postgres/with-tenant.ts";
import { createUserRequest, userView } from "../../contracts/access/users-api.ts";
import { createHeaders } from "../../contracts/config/fields.ts";
import { GROUP_MEMBERS_MAX, ROLES_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { noSuch } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireHeldRoles } from "./require-held.ts";
import { requireDeclared } from "./require-permission.ts";
import { userResource, USERS_PATH, viewUser } from "./user-views.ts";
import { writeAccess } from "./write-access.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}", also: "to hold whatever is handed on" },
  {
    method: "post",
    path: USERS_PATH,
    tags: ["access"],
    summary: "Make a user with roles, or in groups, of a tenant",
    description:
      "409 already_exists says that the name or the e-mail address is taken, and no more. A user who is there is taken in by POST /roles/{id}/users.",
    request: { headers: createHeaders, body: { required: true, content: json(createUserRequest) } },
    responses: { 201: { description: "Made", content: json(userView) } },
  },
);

/** `POST /users`. */
export function registerUserCreate(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const request = c.req.valid("json");
    const { tenant, username, password } = request;
    await requireDeclared(c, { tenant });
    const passwordHash = await deps.passwords.hash({ password, traceparent: c.var.traceparent });
    const id = `usr_${ulid(deps.nowMs())}`;
    const resource = userResource(tenant, id);
    const view = await writeAccess(c, deps, { tenant, action: "write", resource }, async (tx) => {
      await requireMayHandOn(c, tx, request);
      await createUser(tx, {
        id,
        username,
        passwordHash,
        ...(request.email === undefined ? {} : { email: request.email }),
      });
      for (const to of request.role_ids) {
        await addLink(tx, "roleUsers", { tenant, id: to, to: id });
      }
      for (const to of request.group_ids) {
        await addLink(tx, "groupMembers", { tenant, id: to, to: id });
      }
      const row = await findUser(tx, id);
      if (row === null) throw noSuch("user", id);
      return { result: await viewUser(tx, row), summary: `made user ${username} (${id})` };
    });
    c.header("etag", view.etag);
    c.header("location", `${USERS_PATH}/${view.id}?tenant=${tenant}`);
    return c.json(view, 201);
  });
}

/** Refuses roles and groups that are not there, that are full, or that grant what the caller does not hold. */
async function requireMayHandOn(
  c: Context<AdminEnv>,
  tx: Transaction,
  { tenant, role_ids, group_ids }: z.infer<typeof createUserRequest>,
): Promise<void> {
  await requireThere(tx, "roles", role_ids, "/role_ids");
  await requireThere(tx, "user_groups", group_ids, "/group_ids");
  const granted = [...role_ids];
  for (const id of group_ids) {
    if ((await countLinked(tx, "groupMembers", id)) >= GROUP_MEMBERS_MAX) {
      throw new ConfluxError("quota_exceeded", `A user group has at most ${GROUP_MEMBERS_MAX} users.`);
    }
    const { items } = await listLinked(tx, "groupRoles", { id, cursor: null, limit: ROLES_MAX });
    granted.push(...items.map((role) => role.id));
  }
  await requireHeldRoles(c, tx, tenant, granted);
}

async function requireThere(
  tx: Transaction,
  table: NamedTable,
  ids: readonly string[],
  path: string,
): Promise<void> {
  for (const [i, id] of ids.entries()) {
    if ((await findNamed(tx, table, id)) !== null) continue;
    throw new ConfluxError("validation_failed", "There is nothing of this id in the tenant.", {
      errors: [{ path: `${path}/${i}`, message: "an id of the tenant" }],
    });
  }
}
