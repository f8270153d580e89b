import { isResourcePattern } from "./scope.ts";

/** What a permission may allow (the `rbac_action` type of the database). */
export const PERMISSION_ACTIONS = [
  "read",
  "write",
  "delete",
  "list",
  "publish",
  "approve",
  "execute",
] as const;
export type PermissionAction = (typeof PERMISSION_ACTIONS)[number];

/**
 * One line of a role. Patterns name whole resources, tenant first (`demo/shop/prod/*`, `demo/**`, `**`), like the scopes of
 * client tokens; but a role belongs to a tenant, and none of its patterns reaches past that tenant.
 */
export interface Permission {
  action: PermissionAction;
  resource_pattern: string;
}

const tenantOf = (resource: string): string => resource.slice(0, `${resource}/`.indexOf("/"));

/**
 * Whether `permissions`, held in `tenant`, allow `action` on `resource` (`tenant/app/env/name` or a shorter path; the
 * tenant alone stands for what belongs to the tenant as a whole). A resource may itself be a pattern: then all that it
 * matches must be allowed by one permission, which is how a read scope is handed on. A resource of another tenant is
 * never allowed.
 */
export function permits(
  permissions: readonly Permission[],
  tenant: string,
  action: PermissionAction,
  resource: string,
): boolean {
  if (tenantOf(resource) !== tenant) return false;
  return permissions.some((p) => p.action === action && patternCovers(p.resource_pattern, resource));
}

/**
 * Whether everything that `inner` matches, `outer` matches too. Both are resource patterns; `**` is covered only by
 * `**` at the same place or before it. For an `inner` without wildcards this is `matchesPattern`.
 */
export function patternCovers(outer: string, inner: string): boolean {
  const want = outer.split("/");
  const have = inner.split("/");
  for (const [i, segment] of want.entries()) {
    if (segment === "**") return have.length > i;
    const other = have[i];
    if (other === undefined || other === "**") return false;
    if (segment !== "*" && segment !== other) return false;
  }
  return want.length === have.length;
}

/** Whether `pattern` can match anything of `tenant`: what a role of that tenant may hold. */
export function isPatternOfTenant(pattern: string, tenant: string): boolean {
  const first = tenantOf(pattern);
  return isResourcePattern(pattern) && (first === tenant || first === "*" || first === "**");
}

const SCOPE_PREFIX = "read:";
/** tenant, app, env, name */
const RESOURCE_SEGMENTS = 4;

/** The pattern of a client-token scope `read:tenant/app/env/name`; null for any other text. */
export function parseReadScope(scope: string): string | null {
  if (!scope.startsWith(SCOPE_PREFIX)) return null;
  const pattern = scope.slice(SCOPE_PREFIX.length);
  // What is read is a config: a shorter pattern without `**` would match nothing.
  const reaches = pattern.split("/").length === RESOURCE_SEGMENTS || pattern.endsWith("**");
  return reaches && isResourcePattern(pattern) ? pattern : null;
}

/** The one tenant that `scopes` name literally; null when they name several or a wildcard. */
export function tenantOfScopes(scopes: readonly string[]): string | null {
  const tenants = new Set(scopes.map((scope) => tenantOf(parseReadScope(scope) ?? "*")));
  const [tenant] = tenants;
  return tenants.size === 1 && tenant !== undefined && !tenant.startsWith("*") ? tenant : null;
}
