import type { OpenAPIHono } from "@hono/zod-openapi";
import { addLink, countLinked, listLinked } from "../../adapters/postgres/access-links.ts";
import { changeNamed, findNamed } from "../../adapters/postgres/named-rows.ts";
import { findUser, findUserByName } from "../../adapters/postgres/user-rows.ts";
import type { Transaction } from "../../adapters/postgres/with-tenant.ts";
import { idPath } from "../../contracts/access/access-fields.ts";
import { roleRef } from "../../contracts/access/user-groups-api.ts";
import { userRef } from "../../contracts/access/users-api.ts";
import { updateHeaders } from "../../contracts/config/fields.ts";
import { ROLES_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { namedResource, noSuch, requireTenantOfId, viewNamed } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { LinkKind } from "./link-kind.ts";
import type { AdminEnv } from "./principal.ts";
import { requireHeldRoles } from "./require-held.ts";
import { requireRevision, writeAccess } from "./write-access.ts";

interface Target {
  user_id?: string | undefined;
  username?: string | undefined;
  role_id?: string | undefined;
}

/**
 * `POST /roles/{id}/users`, `POST /user-groups/{id}/members` and `POST /user-groups/{id}/roles`. By the exact name a user of
 * another tenant may be taken in, too.
 */
export function registerLinkAdd(app: OpenAPIHono<AdminEnv>, deps: AuthDeps, kind: LinkKind): void {
  const body = kind.word === "role" ? roleRef : userRef;
  const route = declareRoute(
    { action: "write", resource: "{tenant}", also: "to hold whatever is handed on" },
    {
      method: "post",
      path: `${kind.of.path}/{id}/${kind.segment}`,
      tags: ["access"],
      summary: `Add a ${kind.word} to a ${kind.of.word}`,
      description: "Repeating it changes nothing. 403 when it would grant what the caller does not hold.",
      request: {
        params: idPath,
        headers: updateHeaders,
        body: { required: true, content: json<typeof roleRef | typeof userRef>(body) },
      },
      responses: {
        201: { description: "Added; the role or group as it is now", content: json(kind.of.view) },
      },
    },
  );
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const target: Target = c.req.valid("json");
    const tenant = await requireTenantOfId(c, kind.of.word, id);
    const resource = namedResource(kind.of, tenant, id);
    const view = await writeAccess(c, deps, { tenant, action: "write", resource }, async (tx) => {
      const before = await findNamed(tx, kind.of.table, id);
      if (before === null) throw noSuch(kind.of.word, id);
      requireRevision(c, before);
      await requireHeldRoles(c, tx, tenant, await rolesHandedOn(tx, kind, id, target));
      const to = await findTarget(tx, target);
      if ((await countLinked(tx, kind.link, id)) >= kind.max) {
        throw new ConfluxError("quota_exceeded", `A ${kind.of.word} has at most ${kind.max} ${kind.word}s.`);
      }
      await addLink(tx, kind.link, { tenant, id, to });
      const row = await changeNamed(tx, kind.of.table, { id });
      if (row === null) throw noSuch(kind.of.word, id);
      const summary = `added ${kind.word} ${target.username ?? to} to ${kind.of.word} ${row.name} (${id})`;
      return { result: viewNamed(row), summary };
    });
    c.header("etag", view.etag);
    return c.json(view, 201);
  });
}

/** The roles that the target gets by it, or that the target's members do. */
async function rolesHandedOn(tx: Transaction, kind: LinkKind, id: string, target: Target): Promise<string[]> {
  if (target.role_id !== undefined) return [target.role_id];
  if (kind.link === "roleUsers") return [id];
  const { items } = await listLinked(tx, "groupRoles", { id, cursor: null, limit: ROLES_MAX });
  return items.map((role) => role.id);
}

async function findTarget(tx: Transaction, target: Target): Promise<string> {
  if (target.role_id !== undefined) {
    if ((await findNamed(tx, "roles", target.role_id)) !== null) return target.role_id;
    throw notThere("/role_id", "a role of the tenant");
  }
  if (target.username !== undefined) {
    const user = await findUserByName(tx, target.username);
    if (user?.isActive === true) return user.id;
    throw notThere("/username", "the exact name of an active user");
  }
  const userId = target.user_id ?? "";
  if ((await findUser(tx, userId)) !== null) return userId;
  throw notThere("/user_id", "a user of the tenant; name others by username");
}

function notThere(path: string, message: string): ConfluxError {
  return new ConfluxError("validation_failed", "There is nobody, or nothing, of this name.", {
    errors: [{ path, message }],
  });
}
