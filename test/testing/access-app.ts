/** The admin app with every route, on a database of its own and the core in memory, and users made for a test. */
import postgres from "postgres";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { createUser } from "../../adapters/postgres/create-user.ts";
import { ensureRole, grantPermissions, grantRole } from "../../adapters/postgres/grant-role.ts";
import { ensureOperator, ensureTenant } from "../../adapters/postgres/seed-access.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import {
  generateSigningJwk,
  importSigningKey,
  signAccessToken,
  type SigningKey,
} from "../../adapters/tokens/sign-token.ts";
import { type Permission, PERMISSION_ACTIONS } from "../../domain/access/permits.ts";
import type { AuthDeps } from "../../workers/admin/auth-deps.ts";
import { authenticate } from "../../workers/admin/authenticate.ts";
import { routesWithDatabase } from "../../workers/admin/routes-with-database.ts";
import { testingAdmin, type TestingAdmin } from "../../workers/admin/testing-admin.ts";
import { cloneDatabase } from "./postgres.ts";

/** What no test checks the strength of. */
export const FAKE_HASH = "$argon2id$v=19$fake";

export interface AccessApp extends TestingAdmin {
  deps: AuthDeps;
  database: Database;
  owner: postgres.Sql;
  ownerUrl: string;
  key: SigningKey;
  /** An app on another database, or with other parts changed. */
  with(changes: Partial<AuthDeps>): TestingAdmin;
  /** Makes a user of a tenant whose one role grants these permissions; answers the headers of the user's requests. */
  user(tenant: string, name: string, permissions: readonly Permission[]): Promise<TestUser>;
  operator(name: string): Promise<TestUser>;
  close(): Promise<void>;
}
export interface TestUser {
  id: string;
  roleId: string;
  bearer: { authorization: string };
  /** Another token of the user, issued now. */
  renew: () => Promise<{ authorization: string }>;
}

export type Json = Record<string, unknown>;
export interface AccessAnswer {
  status: number;
  json: Json;
  headers: Headers;
}

let made = 0;
/** A ULID that no other row of this process has. */
export function uniqueId(): string {
  made += 1;
  return String(made).padStart(26, "0");
}

/** Of a session that begins now: a millisecond after whatever has just ended the user's sessions. */
async function freshBearer(key: SigningKey, userId: string, username: string) {
  const { token } = await signAccessToken(key, { userId, username, jti: userId, nowMs: Date.now() + 1 });
  return { authorization: `Bearer ${token}` };
}

/** `urls`: of a database that is there already, where no test runner provides one. */
export async function startAccessApp(
  tenants: readonly string[],
  given?: { ownerUrl: string; appUrl: string },
): Promise<AccessApp> {
  const urls = given ?? (await cloneDatabase());
  const owner = postgres(urls.ownerUrl, { max: 2 });
  const database = connectPostgres(urls.appUrl);
  const seeding = connectPostgres(urls.ownerUrl);
  for (const tenant of tenants) await ensureTenant(seeding, { tenant, clusterId: "c1" });
  const key = await importSigningKey(await generateSigningJwk());
  const deps: AuthDeps = {
    signingKey: () => Promise.resolve(key),
    database: () => database,
    release: () => undefined,
    passwords: {
      verify: () => Promise.resolve({ valid: true, rehashed: null }),
      hash: () => Promise.resolve(FAKE_HASH),
    },
    oidc: () => null,
    nowMs: Date.now,
  };
  const build = (changes: Partial<AuthDeps>): TestingAdmin => {
    const all = { ...deps, ...changes };
    const testing = testingAdmin({ authenticate: authenticate(all) });
    for (const register of routesWithDatabase(all)) register(testing.app);
    return testing;
  };
  const bearerOf = (userId: string, username: string) => freshBearer(key, userId, username);
  return {
    ...build({}),
    deps,
    database,
    owner,
    ownerUrl: urls.ownerUrl,
    key,
    with: build,
    async user(tenant, name, permissions) {
      const id = `usr_${name}`;
      const roleId = await withTenant(seeding, tenant, async (tx) => {
        await createUser(tx, { id, username: name, passwordHash: FAKE_HASH });
        const role = await ensureRole(tx, { tenant, name, description: "", unique: uniqueId() });
        await grantPermissions(tx, { tenant, roleId: role, permissions });
        await grantRole(tx, { tenant, userId: id, roleId: role });
        return role;
      });
      return { id, roleId, bearer: await bearerOf(id, name), renew: () => bearerOf(id, name) };
    },
    async operator(name) {
      const id = `usr_${name}`;
      await withTenant(seeding, "_system", (tx) =>
        createUser(tx, { id, username: name, passwordHash: FAKE_HASH }),
      );
      await ensureOperator(seeding, id);
      return { id, roleId: "", bearer: await bearerOf(id, name), renew: () => bearerOf(id, name) };
    },
    async close() {
      await Promise.all([owner.end(), database.close(), seeding.close()]);
    },
  };
}

/** Requests of the users of a test, with JSON in and out. */
export function accessClient(app: AccessApp) {
  async function ask(
    who: TestUser,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<AccessAnswer> {
    const response = await app.send(method, `/api/v1${path}`, body, { ...who.bearer, ...headers });
    return { status: response.status, json: (await response.json()) as Json, headers: response.headers };
  }
  /** The body of an answer that must be a success. */
  async function ok(who: TestUser, method: string, path: string, body?: unknown): Promise<Json> {
    const answer = await ask(who, method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.json)}`);
    return answer.json;
  }
  const itemsOf = async (who: TestUser, path: string): Promise<Json[]> =>
    (await ok(who, "GET", path))["items"] as Json[];
  /** Somebody whom the API has made. */
  async function asUser(view: Json): Promise<TestUser> {
    const userId = String(view["id"]);
    const username = String(view["username"]);
    const renew = () => freshBearer(app.key, userId, username);
    return { id: userId, roleId: "", bearer: await renew(), renew };
  }
  return { ask, ok, itemsOf, asUser };
}

export const everything = (...patterns: string[]): Permission[] =>
  PERMISSION_ACTIONS.flatMap((action) => patterns.map((resource_pattern) => ({ action, resource_pattern })));
