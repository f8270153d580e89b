import type { OpenAPIHono } from "@hono/zod-openapi";
import { ROLE, USER_GROUP } from "./access-kind.ts";
import { registerApplicationChange } from "./application-change.ts";
import { registerApplicationCreate } from "./application-create.ts";
import { registerApplicationDelete } from "./application-delete.ts";
import { registerApplicationGet } from "./application-get.ts";
import { registerApplicationList } from "./application-list.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { registerLinkAdd } from "./link-add.ts";
import { GROUP_MEMBERS, GROUP_ROLES, ROLE_USERS } from "./link-kind.ts";
import { registerLinkList } from "./link-list.ts";
import { registerLinkRemove } from "./link-remove.ts";
import { registerNamedChange } from "./named-change.ts";
import { registerNamedCreate } from "./named-create.ts";
import { registerNamedDelete } from "./named-delete.ts";
import { registerNamedGet } from "./named-get.ts";
import { registerNamedList } from "./named-list.ts";
import type { AdminEnv } from "./principal.ts";
import { registerRolePermissionAdd } from "./role-permission-add.ts";
import { registerRolePermissionList } from "./role-permission-list.ts";
import { registerRolePermissionRemove } from "./role-permission-remove.ts";
import { registerTenantChange } from "./tenant-change.ts";
import { registerTenantCreate } from "./tenant-create.ts";
import { registerTenantDelete } from "./tenant-delete.ts";
import { registerTenantGet } from "./tenant-get.ts";
import { registerTenantList } from "./tenant-list.ts";
import { registerUserChange } from "./user-change.ts";
import { registerUserCreate } from "./user-create.ts";
import { registerUserDelete } from "./user-delete.ts";
import { registerUserGet } from "./user-get.ts";
import { registerUserList } from "./user-list.ts";

const ROUTES = [
  registerTenantCreate,
  registerTenantList,
  registerTenantGet,
  registerTenantChange,
  registerTenantDelete,
  registerApplicationCreate,
  registerApplicationList,
  registerApplicationGet,
  registerApplicationChange,
  registerApplicationDelete,
  registerUserCreate,
  registerUserList,
  registerUserGet,
  registerUserChange,
  registerUserDelete,
  registerRolePermissionList,
  registerRolePermissionAdd,
  registerRolePermissionRemove,
];
const OF_NAMED = [
  registerNamedCreate,
  registerNamedList,
  registerNamedGet,
  registerNamedChange,
  registerNamedDelete,
];
const OF_LINKS = [registerLinkList, registerLinkAdd, registerLinkRemove];

/** Tenants, applications, users, groups, roles and permissions (A1, A2). */
export function registerAccessRoutes(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  for (const register of ROUTES) register(app, deps);
  for (const kind of [ROLE, USER_GROUP]) {
    for (const register of OF_NAMED) register(app, deps, kind);
  }
  for (const kind of [ROLE_USERS, GROUP_MEMBERS, GROUP_ROLES]) {
    for (const register of OF_LINKS) register(app, deps, kind);
  }
}
