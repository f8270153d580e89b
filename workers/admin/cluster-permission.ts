import type { Context } from "hono";
import type { PermissionAction } from "../../domain/access/permits.ts";
import type { AdminEnv } from "./principal.ts";
import { requirePermission } from "./require-permission.ts";

/**
 * Roles belong to tenants and the cluster to none: what concerns it is a resource of the system's own tenant, in which only
 * its operators hold a role.
 */
export const CLUSTER_RESOURCE = "_system/cluster";

/** Refuses (`forbidden`) who may not do this to the cluster. */
export function requireClusterPermission(c: Context<AdminEnv>, action: PermissionAction): Promise<void> {
  return requirePermission(c, action, CLUSTER_RESOURCE);
}
