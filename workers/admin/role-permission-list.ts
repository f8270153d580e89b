import { type OpenAPIHono, z } from "@hono/zod-openapi";
import { findNamed } from "../../adapters/postgres/named-rows.ts";
import { listPermissions } from "../../adapters/postgres/role-permissions.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { idPath, pageOf } from "../../contracts/access/access-fields.ts";
import { limitQuery } from "../../contracts/access/auth-api.ts";
import { permissionBody } from "../../contracts/access/roles-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Permission } from "../../domain/access/permits.ts";
import { noSuch, requireTenantOfId, ROLE } from "./access-kind.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

/** An action, a pattern and what stands between them. */
const CURSOR_CHARACTERS_MAX = 600;

const route = declareRoute(
  { action: "list", resource: "{tenant}" },
  {
    method: "get",
    path: `${ROLE.path}/{id}/permissions`,
    tags: ["access"],
    summary: "What a role grants",
    request: {
      params: idPath,
      query: z.object({ limit: limitQuery, cursor: z.string().min(1).max(CURSOR_CHARACTERS_MAX).optional() }),
    },
    responses: { 200: { description: "A page, by pattern", content: json(pageOf(permissionBody)) } },
  },
);

/** `GET /roles/{id}/permissions`. */
export function registerRolePermissionList(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid("param");
    const { cursor, limit } = c.req.valid("query");
    const after = cursor === undefined ? null : parseCursor(cursor);
    const tenant = await requireTenantOfId(c, ROLE.word, id);
    const { items, hasMore } = await withTenant(deps.database(c), tenant, async (tx) => {
      if ((await findNamed(tx, "roles", id)) === null) throw noSuch(ROLE.word, id);
      return listPermissions(tx, { roleId: id, after, limit });
    });
    const last = items.at(-1);
    const next = hasMore && last !== undefined ? `${last.action}:${last.resource_pattern}` : null;
    return c.json({ items, next_cursor: next }, 200);
  });
}

function parseCursor(text: string): Permission {
  const [action, resource_pattern] = text.split(":");
  const parsed = permissionBody.safeParse({ action, resource_pattern });
  if (parsed.success) return parsed.data;
  throw new ConfluxError("validation_failed", "The cursor is none that this list gave.", {
    errors: [{ path: "/query/cursor", message: "the next_cursor of the page before" }],
  });
}
