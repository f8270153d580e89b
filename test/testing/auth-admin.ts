import { createServer, type Server } from "node:http";
import postgres from "postgres";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { createUser } from "../../adapters/postgres/create-user.ts";
import { ensureRole, grantPermissions, grantRole } from "../../adapters/postgres/grant-role.ts";
import { ensureAdminUser, ensureOperator, ensureTenant } from "../../adapters/postgres/seed-access.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { generateSigningJwk, importSigningKey, type SigningKey } from "../../adapters/tokens/sign-token.ts";
import { createHandler as createPasswordHash } from "../../lambdas/password-hash.ts";
import { hashPassword } from "../../lambdas/support/argon2id.ts";
import { registerAuditRoutes } from "../../workers/admin/audit-routes.ts";
import type { AuthDeps } from "../../workers/admin/auth-deps.ts";
import { createPasswordService } from "../../workers/admin/auth-password.ts";
import { registerAuthRoutes } from "../../workers/admin/auth-routes.ts";
import { authenticate } from "../../workers/admin/authenticate.ts";
import { testingAdmin, type TestingAdmin } from "../../workers/admin/testing-admin.ts";
import { cloneDatabase } from "./postgres.ts";

export const SERVICE_KEY = "a service key of at least 32 bytes!!";
export const PASSWORD = "correct horse";
export type Json = Record<string, unknown>;
export const json = (response: Response): Promise<Json> => response.json() as Promise<Json>;

/** The admin app with real Postgres and a real password function, and its users: admin (demo, operator), reader (demo), stranger (other). */
export interface AuthPlace {
  owner: postgres.Sql;
  ownerUrl: string;
  appUrl: string;
  database: Database;
  key: SigningKey;
  functionsUrl: string;
  /** Seconds that the clock of the app is ahead. */
  aheadS: number;
  /** Another isolate of the app; all share the database. */
  admin(changes?: Partial<AuthDeps>): TestingAdmin;
  stop(): Promise<void>;
}

export async function startAuthPlace(): Promise<AuthPlace> {
  const { ownerUrl, appUrl } = await cloneDatabase();
  await seed(ownerUrl);
  const functions = await startFunctions();
  const address = functions.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const place: AuthPlace = {
    owner: postgres(ownerUrl, { max: 1 }),
    ownerUrl,
    appUrl,
    database: connectPostgres(appUrl),
    key: await importSigningKey(await generateSigningJwk()),
    functionsUrl: `http://127.0.0.1:${address.port}/`,
    aheadS: 0,
    admin(changes = {}) {
      const deps: AuthDeps = {
        signingKey: () => Promise.resolve(place.key),
        database: () => place.database,
        release: () => undefined,
        passwords: createPasswordService({ url: place.functionsUrl, serviceKey: SERVICE_KEY }),
        oidc: () => null,
        nowMs: () => Date.now() + place.aheadS * 1000,
        ...changes,
      };
      const testing = testingAdmin({ authenticate: authenticate(deps) });
      registerAuthRoutes(testing.app, deps);
      registerAuditRoutes(testing.app, deps);
      return testing;
    },
    async stop() {
      functions.close();
      await Promise.all([place.owner.end(), place.database.close()]);
    },
  };
  return place;
}

async function seed(ownerUrl: string): Promise<void> {
  const database = connectPostgres(ownerUrl);
  const passwordHash = await hashPassword(PASSWORD);
  for (const tenant of ["demo", "other"]) await ensureTenant(database, { tenant, clusterId: "c1" });
  const { userId } = await ensureAdminUser(database, { tenant: "demo", username: "admin", passwordHash });
  await ensureOperator(database, userId);
  await ensureAdminUser(database, { tenant: "other", username: "stranger", passwordHash });
  await withTenant(database, "demo", async (tx) => {
    await createUser(tx, { id: "usr_reader", username: "reader", passwordHash, email: "reader@example.com" });
    const unique = "R".repeat(26);
    const roleId = await ensureRole(tx, { tenant: "demo", name: "reader", description: "", unique });
    const permissions = [{ action: "read" as const, resource_pattern: "demo/shop/prod/*" }];
    await grantPermissions(tx, { tenant: "demo", roleId, permissions });
    await grantRole(tx, { tenant: "demo", userId: "usr_reader", roleId });
  });
  await database.close();
}

/** The password function behind a real socket. */
async function startFunctions(): Promise<Server> {
  const handler = createPasswordHash({ serviceKey: SERVICE_KEY, nowMs: Date.now });
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const event = {
        headers: request.headers as Record<string, string>,
        body: Buffer.concat(chunks).toString(),
        isBase64Encoded: false,
        requestContext: { http: { method: request.method ?? "", path: "/", sourceIp: "" } },
      };
      handler(event).then(
        (answer) => response.writeHead(answer.statusCode, answer.headers).end(answer.body),
        () => response.writeHead(502).end(),
      );
    });
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  return server;
}

/** Signs in and answers the tokens; throws when it is refused. */
export async function signIn(
  testing: TestingAdmin,
  username = "admin",
  headers: Record<string, string> = {},
): Promise<{ body: Json; refreshToken: string; bearer: { authorization: string } }> {
  const response = await testing.send(
    "POST",
    "/api/v1/auth/login",
    { username, password: PASSWORD },
    headers,
  );
  if (response.status !== 200) throw new Error(`login: ${response.status} ${await response.text()}`);
  const body = await json(response);
  return {
    body,
    refreshToken: String(body["refresh_token"]),
    bearer: { authorization: `Bearer ${String(body["access_token"])}` },
  };
}
