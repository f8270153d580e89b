import type { Context, MiddlewareHandler } from "hono";
import { findSessionUser, type SessionUser } from "../../adapters/postgres/find-session-user.ts";
import { readTenantQuotas } from "../../adapters/postgres/read-tenant-quotas.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { TENANTLESS_REQUESTS_PER_MINUTE_MAX } from "../../contracts/limits.ts";
import { tenantOfId } from "../../domain/access/tenant-scoped-id.ts";
import { BoundedCache } from "../../domain/delivery/bounded-cache.ts";
import { WINDOW_MS } from "../../domain/quota/sliding-window.ts";
import type { AuthDeps } from "./auth-deps.ts";
import type { AdminEnv, LogLine } from "./principal.ts";
import type { RequestWindows } from "./request-windows.ts";

/** How long an isolate goes by what it has read of a user's tenants and a tenant's quota, and by a window's refusal. */
export const QUOTA_KEPT_MS = 5000;
/** Users, tenants and full windows that an isolate remembers, each. */
const REMEMBERED_MAX = 10_000;
/** How often an isolate says that it counts nothing. */
const UNCOUNTED_LOG_MS = 1000;

interface Window {
  name: string;
  limit: number;
}
interface CountedUser {
  /** None of an inactive user. */
  tenants: readonly string[];
  tokensNotBeforeMs: number;
}
type Deps = Pick<AuthDeps, "database" | "nowMs"> & { windows: RequestWindows; log: (line: LogLine) => void };

/**
 * Counts each authenticated request once and refuses (`rate_limited`, with the time after which there is room) what is
 * over the quota `max_api_requests_per_minute` of the tenant (A6). It counts for the tenant in which the caller holds a
 * role: of several for the one that the request's `tenant` or the id in its path names, else for the first by name that has
 * room, so that a tenant which takes somebody in and uses its quota up keeps nobody from another one. A caller without any
 * role, or whose session has ended, is counted alone, so that nobody uses up the quota of a tenant that is not theirs; so is who asks how the
 * cluster is, since that must be answered when the database, which knows of tenants, is away. A window that
 * is away refuses nobody: the log says how many requests passed uncounted. Stands behind authentication.
 */
export function limitRequests(deps: Deps): MiddlewareHandler<AdminEnv> {
  const users = remembered<CountedUser>(deps.nowMs);
  const limits = remembered<number>(deps.nowMs);
  const full = remembered<number>(deps.nowMs);
  const uncounted = logUncounted(deps);

  async function windowsOf(c: Context<AdminEnv>): Promise<Window[]> {
    const { issuedAtMs, actor } = c.var.principal;
    const userId = actor.id;
    const alone = [{ name: `user/${userId}`, limit: TENANTLESS_REQUESTS_PER_MINUTE_MAX }];
    if (c.req.path === CLUSTER_STATUS) return alone;
    const user = await users(userId, async () =>
      countedUser(await findSessionUser(deps.database(c), userId)),
    );
    const own = issuedAtMs < user.tokensNotBeforeMs ? [] : user.tenants;
    if (own.length === 0) return alone;
    return Promise.all(
      tenantsOf(c, own).map(async (tenant) => {
        const limit = await limits(tenant, async () => {
          const quotas = await withTenant(deps.database(c), tenant, (tx) => readTenantQuotas(tx, tenant));
          return quotas?.maxApiRequestsPerMinute ?? 0;
        });
        return { name: `tenant/${tenant}`, limit };
      }),
    );
  }

  /** Counts the request in a window that has room; null when it is counted or nobody can tell, else why not. */
  async function refusalOf(c: Context<AdminEnv>, window: Window): Promise<ConfluxError | null> {
    // Nothing leaves a full window before the moment it named: until then there is nothing to ask.
    const key = `${window.limit} ${window.name}`;
    const openAtMs = full.get(key);
    if (openAtMs !== undefined && openAtMs > deps.nowMs()) return tooMany(window, openAtMs - deps.nowMs());
    try {
      const verdict = await deps.windows.take(window.name, window.limit);
      if (verdict.granted) return null;
      full.set(key, deps.nowMs() + verdict.retryAfterMs);
      return tooMany(window, verdict.retryAfterMs);
    } catch (error) {
      if (error instanceof ConfluxError) throw error;
      uncounted(c, window, error);
      return null;
    }
  }

  return async (c, next) => {
    let refusal: ConfluxError | null = null;
    for (const window of await windowsOf(c)) {
      refusal = await refusalOf(c, window);
      if (refusal === null) break;
    }
    if (refusal !== null) throw refusal;
    await next();
  };
}

const countedUser = (user: SessionUser | null): CountedUser =>
  user?.isActive === true ? user : { tenants: [], tokensNotBeforeMs: 0 };

/** Answered while the database is away. */
const CLUSTER_STATUS = "/api/v1/mgt/cluster/status";
/** What is the installation's business names tenants without being theirs. */
const OF_INSTALLATION = /^\/api\/v1\/(tenants|mgt\/cluster)(\/|$)/;

/** The tenants for which a request of somebody who belongs to `own` may count, in this order. */
function tenantsOf(c: Context<AdminEnv>, own: readonly string[]): readonly string[] {
  if (own.length < 2 || OF_INSTALLATION.test(c.req.path)) return own;
  const asked = c.req.query("tenant");
  const inPath = c.req.path.split("/").flatMap((segment) => [segment, tenantOfId(segment)]);
  const named = [asked, ...inPath].find((name) => typeof name === "string" && own.includes(name));
  return typeof named === "string" ? [named] : own;
}

function tooMany({ name, limit }: Window, retryAfterMs: number): ConfluxError {
  const whose = name.startsWith("tenant/")
    ? "max_api_requests_per_minute of the tenant"
    : "requests of a user";
  const detail = `More than ${limit} requests within ${WINDOW_MS / 1000} s: ${whose}`;
  return new ConfluxError("rate_limited", detail, { retryAfterS: Math.ceil(retryAfterMs / 1000) });
}

/** Values that are good for `QUOTA_KEPT_MS`; calling it reads what is not held. Never a promise of another request. */
function remembered<V>(nowMs: () => number) {
  const held = new BoundedCache<{ value: V; untilMs: number }>(REMEMBERED_MAX);
  const get = (key: string): V | undefined => {
    const entry = held.get(key);
    return entry !== undefined && nowMs() < entry.untilMs ? entry.value : undefined;
  };
  const set = (key: string, value: V): void => {
    held.set(key, { value, untilMs: nowMs() + QUOTA_KEPT_MS }, 1);
  };
  const read = async (key: string, load: () => Promise<V>): Promise<V> => {
    const known = get(key);
    if (known !== undefined) return known;
    const value = await load();
    set(key, value);
    return value;
  };
  return Object.assign(read, { get, set });
}

/** One line a second however many requests it is about. */
function logUncounted({ nowMs, log }: Deps) {
  let sinceMs = -Infinity;
  let requests = 0;
  return (c: Context<AdminEnv>, window: Window, error: unknown): void => {
    requests += 1;
    if (nowMs() - sinceMs < UNCOUNTED_LOG_MS) return;
    log({
      level: "warn",
      message: "requests pass uncounted: their window is away",
      window: window.name,
      requests,
      trace_id: c.var.traceId,
      reason: error instanceof Error ? error.message : String(error),
    });
    sinceMs = nowMs();
    requests = 0;
  };
}
