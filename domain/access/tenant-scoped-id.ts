import { isConfigName } from "../config/config-name.ts";

/**
 * Ids of what belongs to a tenant carry it (`demo.01JD...`): a request that names only an id can then be looked up
 * under row-level security. Opaque to clients, safe in a path and in a token's `jti`.
 */
export function tenantScopedId(tenant: string, unique: string): string {
  return `${tenant}.${unique}`;
}

/** The tenant of such an id; null for a text that is none. */
export function tenantOfId(id: string): string | null {
  const end = id.lastIndexOf(".");
  const tenant = id.slice(0, Math.max(end, 0));
  return isConfigName(tenant) && /^[0-9A-Z]{26}$/.test(id.slice(end + 1)) ? tenant : null;
}
