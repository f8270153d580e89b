import type { Context, MiddlewareHandler } from "hono";
import { loadPermissions } from "../../adapters/postgres/load-permissions.ts";
import { findSessionUser } from "../../adapters/postgres/find-session-user.ts";
import { isOperator } from "../../adapters/postgres/is-operator.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { verifyAccessToken } from "../../adapters/tokens/verify-access-token.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { isConfigName } from "../../domain/config/config-name.ts";
import {
  coveringPatterns,
  indexPermissions,
  PERMISSION_ACTIONS,
  type PermissionIndex,
  permits,
} from "../../domain/access/permits.ts";
import type { AuthDeps } from "./auth-deps.ts";
import type { AdminEnv, Principal } from "./principal.ts";

/** What an operator may do, to what belongs to no tenant. */
const OPERATOR_PERMISSIONS: PermissionIndex = indexPermissions(
  [SYSTEM_TENANT, `${SYSTEM_TENANT}/**`].flatMap((pattern) =>
    PERMISSION_ACTIONS.map((action) => ({ action, resource_pattern: pattern })),
  ),
);
const NOTHING: PermissionIndex = indexPermissions([]);

const BEARER = /^Bearer ([A-Za-z0-9_.-]+)$/i;

/**
 * Establishes who calls: verifies the access token (no database needed) and sets `principal`. Permissions are read when
 * they are first asked for, once a resource and request, so that a role that was taken away counts from the next request.
 */
export function authenticate(deps: AuthDeps): MiddlewareHandler<AdminEnv> {
  return async (c, next) => {
    const token = BEARER.exec(c.req.header("authorization") ?? "")?.[1];
    if (token === undefined) {
      throw new ConfluxError("unauthenticated", "Send an access token as Authorization: Bearer <token>.");
    }
    const { jwks } = await deps.signingKey();
    const claims = await verifyAccessToken(token, { jwks, nowMs: deps.nowMs() });
    const read = permissionReader(c, deps, { userId: claims.sub, issuedAtMs: claims.issuedAtMs });
    const principal: Principal = {
      actor: { type: "user", id: claims.sub, name: claims.name },
      issuedAtMs: claims.issuedAtMs,
      ip: clientIp(c),
      allows: async (action, resource) => {
        const tenant = resource.split("/")[0] ?? "";
        return permits(await read(tenant, resource), tenant, action, resource);
      },
      hasEnded: async () => {
        const user = await findSessionUser(deps.database(c), claims.sub);
        return user === null || !user.isActive || claims.issuedAtMs < user.tokensNotBeforeMs;
      },
    };
    c.set("principal", principal);
    try {
      await next();
    } finally {
      deps.release(c);
    }
  };
}

/** The permissions of a user that can reach a resource of a tenant: all actions on it in one query, once a request. */
function permissionReader(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  user: { userId: string; issuedAtMs: number },
): (tenant: string, resource: string) => Promise<PermissionIndex> {
  const byResource = new Map<string, Promise<PermissionIndex>>();
  return (tenant, resource) => {
    // What cannot name a tenant names none: nobody has a permission there.
    if (!isConfigName(tenant) && tenant !== SYSTEM_TENANT) return Promise.resolve(NOTHING);
    const key = tenant === SYSTEM_TENANT ? tenant : resource;
    const known = byResource.get(key);
    if (known !== undefined) return known;
    const database = deps.database(c);
    const loading =
      tenant === SYSTEM_TENANT
        ? isOperator(database, user).then((is) => (is ? OPERATOR_PERMISSIONS : NOTHING))
        : withTenant(database, tenant, (tx) =>
            loadPermissions(tx, { ...user, patterns: coveringPatterns(resource) }),
          ).then(indexPermissions);
    byResource.set(key, loading);
    return loading;
  };
}

/** The caller's address as Cloudflare reports it; empty where no platform does. */
export function clientIp(c: Context<AdminEnv>): string {
  return c.req.header("cf-connecting-ip") ?? "";
}
