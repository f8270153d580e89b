import type { Context } from "hono";
import type { NamedRow, NamedTable } from "../../adapters/postgres/named-rows.ts";
import {
  changeRoleRequest,
  createRoleRequest,
  type RoleView,
  roleView,
} from "../../contracts/access/roles-api.ts";
import {
  changeUserGroupRequest,
  createUserGroupRequest,
  userGroupView,
} from "../../contracts/access/user-groups-api.ts";
import { ROLES_MAX, USER_GROUPS_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { tenantOfId } from "../../domain/access/tenant-scoped-id.ts";
import { configEtag } from "./command-head.ts";
import { toTime } from "./config-views.ts";
import type { AdminEnv } from "./principal.ts";
import { hiddenOrEnded, requireDeclaredOrHide } from "./require-permission.ts";

/** Roles and user groups are made, named and deleted alike. */
export interface AccessKind {
  table: NamedTable;
  /** The last segment of the path. */
  segment: string;
  path: string;
  word: string;
  max: number;
  createRequest: typeof createRoleRequest;
  changeRequest: typeof changeRoleRequest;
  view: typeof roleView;
}
export const ROLE: AccessKind = {
  table: "roles",
  segment: "roles",
  path: "/api/v1/roles",
  word: "role",
  max: ROLES_MAX,
  createRequest: createRoleRequest,
  changeRequest: changeRoleRequest,
  view: roleView,
};
export const USER_GROUP: AccessKind = {
  table: "user_groups",
  segment: "user-groups",
  path: "/api/v1/user-groups",
  word: "user group",
  max: USER_GROUPS_MAX,
  createRequest: createUserGroupRequest,
  changeRequest: changeUserGroupRequest,
  view: userGroupView,
};

/** How the audit names one of them. What a caller must hold for it is the route's to say, and is the tenant. */
export function namedResource(kind: AccessKind, tenant: string, id: string): string {
  return `${tenant}/${kind.segment}/${id}`;
}

export function viewNamed(row: NamedRow): RoleView {
  const { id, tenant, name, description } = row;
  return {
    id,
    tenant,
    name,
    description,
    created_at: toTime(row.createdAtMs),
    etag: configEtag(row.revision),
  };
}

export function noSuch(word: string, id: string): ConfluxError {
  return new ConfluxError("not_found", `no ${word} ${id}`);
}

/**
 * The tenant of an id, in which the caller has what the route declares. Who may not even read there is told what is told of
 * an id that does not exist.
 */
export async function requireTenantOfId(c: Context<AdminEnv>, word: string, id: string): Promise<string> {
  const tenant = tenantOfId(id);
  if (tenant === null) throw await hiddenOrEnded(c, noSuch(word, id));
  await requireDeclaredOrHide(c, { tenant }, () => noSuch(word, id));
  return tenant;
}
