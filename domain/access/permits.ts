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

/** What one user holds in a tenant, made ready for questions: see `indexPermissions`. */
export type PermissionIndex = ReadonlySet<string>;

const keyOf = (action: PermissionAction, pattern: string): string => `${action} ${pattern}`;

/** Permissions as `permits` asks for them. Costs one pass; each question then costs the same however many there are. */
export function indexPermissions(permissions: readonly Permission[]): PermissionIndex {
  return new Set(permissions.map((p) => keyOf(p.action, p.resource_pattern)));
}

/**
 * Whether `held`, in `tenant`, allows `action` on `resource` (`tenant/app/env/name` or a shorter path; the tenant alone
 * stands for what belongs to the tenant as a whole). A resource may itself be a pattern: then all that it matches must be
 * allowed by one permission, which is how a read scope is handed on. A resource of another tenant is never allowed.
 */
export function permits(
  held: PermissionIndex,
  tenant: string,
  action: PermissionAction,
  resource: string,
): boolean {
  if (tenantOf(resource) !== tenant) return false;
  return coveringPatterns(resource).some((pattern) => held.has(keyOf(action, pattern)));
}

/** Segments of the longest pattern (see `isResourcePattern`). */
const PATTERN_SEGMENTS_MAX = 4;

/**
 * Every pattern that matches all that `resource` does, 31 at most: each segment is named or is `*`, and a `**` may
 * stand in the place of any rest. A permission reaches the resource if and only if its pattern is one of these.
 */
export function coveringPatterns(resource: string): string[] {
  const segments = resource.split("/");
  const found: string[] = [];
  let prefixes = [""];
  for (const segment of segments.slice(0, PATTERN_SEGMENTS_MAX)) {
    found.push(...prefixes.map((prefix) => `${prefix}**`));
    if (segment === "**") return found;
    const choices = segment === "*" ? ["*"] : [segment, "*"];
    prefixes = prefixes.flatMap((prefix) => choices.map((choice) => `${prefix}${choice}/`));
  }
  if (segments.length <= PATTERN_SEGMENTS_MAX) found.push(...prefixes.map((prefix) => prefix.slice(0, -1)));
  return found;
}

/**
 * Of the permissions `wanted` for a role of `tenant` those that go beyond `held`: nobody hands on what they do not hold
 * themselves. A pattern that begins with a wildcard reaches no further than the tenant, and is judged so.
 */
export function permissionsBeyond(
  held: PermissionIndex,
  tenant: string,
  wanted: readonly Permission[],
): Permission[] {
  return wanted.filter((p) =>
    resourcesWithin(p.resource_pattern, tenant).some(
      (resource) => !permits(held, tenant, p.action, resource),
    ),
  );
}

/** What a pattern of a role of `tenant` reaches there, with the tenant named. */
function resourcesWithin(pattern: string, tenant: string): string[] {
  const [first = "", ...rest] = pattern.split("/");
  if (first === "**") return [tenant, `${tenant}/**`];
  return [[first === "*" ? tenant : first, ...rest].join("/")];
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
