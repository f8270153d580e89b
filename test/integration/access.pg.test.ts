// Over 400 lines: all of it needs the one database, users and password function that are set up here.
import { createServer, type Server } from "node:http";
import type { JSONWebKeySet } from "jose";
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MemoryCursorStore } from "../../adapters/memory/memory-cursor-store.ts";
import { MemoryPublishHintQueue } from "../../adapters/memory/memory-publish-hint-queue.ts";
import { adoptClusterEpoch } from "../../adapters/postgres/adopt-cluster-epoch.ts";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { createUser } from "../../adapters/postgres/create-user.ts";
import { ensureRole, grantPermissions, grantRole } from "../../adapters/postgres/grant-role.ts";
import { ensureAdminUser, ensureTenant } from "../../adapters/postgres/seed-access.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { generateSigningJwk, importSigningKey, type SigningKey } from "../../adapters/tokens/sign-token.ts";
import { createClientTokenVerifier } from "../../adapters/tokens/verify-client-token.ts";
import { createHandler as createProjection } from "../../lambdas/feed-projection.ts";
import { createHandler as createPasswordHash } from "../../lambdas/password-hash.ts";
import { hashPassword } from "../../lambdas/support/argon2id.ts";
import { cloneDatabase } from "../testing/postgres.ts";
import { registerAuditRoutes } from "../../workers/admin/audit-routes.ts";
import type { AuthDeps } from "../../workers/admin/auth-deps.ts";
import { createPasswordService } from "../../workers/admin/auth-password.ts";
import { registerAuthRoutes } from "../../workers/admin/auth-routes.ts";
import { authenticate } from "../../workers/admin/authenticate.ts";
import { newConfig, testingAdmin, type TestingAdmin } from "../../workers/admin/testing-admin.ts";

const SERVICE_KEY = "a service key of at least 32 bytes!!";
const PASSWORD = "correct horse";
let owner: postgres.Sql;
let database: Database;
let key: SigningKey;
let functions: Server;
let functionsUrl: string;
/** Seconds that the clock of the app is ahead. */
let aheadS = 0;

beforeAll(async () => {
  const urls = await cloneDatabase();
  owner = postgres(urls.ownerUrl, { max: 1 });
  database = connectPostgres(urls.appUrl);
  key = await importSigningKey(await generateSigningJwk());
  const seeding = connectPostgres(urls.ownerUrl);
  for (const tenant of ["demo", "other"]) await ensureTenant(seeding, { tenant, clusterId: "c1" });
  const passwordHash = await hashPassword(PASSWORD);
  await ensureAdminUser(seeding, { tenant: "demo", username: "admin", passwordHash });
  await ensureAdminUser(seeding, { tenant: "other", username: "stranger", passwordHash });
  await withTenant(seeding, "demo", async (tx) => {
    await createUser(tx, { id: "usr_reader", username: "reader", passwordHash });
    const roleId = await ensureRole(tx, {
      tenant: "demo",
      name: "reader",
      description: "",
      unique: "R".repeat(26),
    });
    const permissions = [{ action: "read" as const, resource_pattern: "demo/shop/prod/*" }];
    await grantPermissions(tx, { tenant: "demo", roleId, permissions });
    await grantRole(tx, { tenant: "demo", userId: "usr_reader", roleId });
  });
  await seeding.close();
  await startFunctions();
});
afterAll(async () => {
  functions.close();
  await Promise.all([owner.end(), database.close()]);
});
beforeEach(() => {
  aheadS = 0;
});

/** The password function behind a real socket. */
async function startFunctions(): Promise<void> {
  const handler = createPasswordHash({ serviceKey: SERVICE_KEY, nowMs: Date.now });
  functions = createServer((request, response) => {
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
  await new Promise((resolve) => functions.once("listening", resolve));
  const address = functions.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  functionsUrl = `http://127.0.0.1:${address.port}/`;
}

function admin(changes: Partial<AuthDeps> = {}): TestingAdmin {
  const deps: AuthDeps = {
    signingKey: () => Promise.resolve(key),
    database: () => database,
    release: () => undefined,
    passwords: createPasswordService({ url: functionsUrl, serviceKey: SERVICE_KEY }),
    oidc: () => null,
    nowMs: () => Date.now() + aheadS * 1000,
    ...changes,
  };
  const testing = testingAdmin({ authenticate: authenticate(deps) });
  registerAuthRoutes(testing.app, deps);
  registerAuditRoutes(testing.app, deps);
  return testing;
}
type Json = Record<string, unknown>;
const json = (response: Response): Promise<Json> => response.json() as Promise<Json>;

async function login(testing: TestingAdmin, username = "admin") {
  const response = await testing.send("POST", "/api/v1/auth/login", { username, password: PASSWORD });
  expect(response.status).toBe(200);
  const body = await json(response);
  return { body, bearer: { authorization: `Bearer ${String(body["access_token"])}` } };
}
const newToken = (changes: Json = {}) => ({
  name: "web",
  scopes: ["read:demo/shop/prod/*"],
  ttl_seconds: 3600,
  ...changes,
});
const TOKENS = "/api/v1/auth/client-tokens";

describe("A3 signing in", () => {
  test("answers tokens that open the API, and that expire", async () => {
    const testing = admin();
    const { body, bearer } = await login(testing);
    expect(body).toMatchObject({ token_type: "Bearer", expires_in: 900 });
    expect((await testing.send("POST", "/api/v1/mgt/configs", newConfig(), bearer)).status).toBe(201);
    aheadS = 901;
    expect((await testing.send("GET", TOKENS, undefined, bearer)).status).toBe(401);
    const refreshed = await testing.send("POST", "/api/v1/auth/refresh", {
      refresh_token: body["refresh_token"],
    });
    const again = { authorization: `Bearer ${String((await json(refreshed))["access_token"])}` };
    expect((await testing.send("GET", TOKENS, undefined, again)).status).toBe(200);
    aheadS = 13 * 3600;
    const late = await testing.send("POST", "/api/v1/auth/refresh", { refresh_token: body["refresh_token"] });
    expect(late.status).toBe(401);
  });

  test("an unknown name, a wrong password and an inactive user get the same answer for the same work", async () => {
    const hashes: (string | null)[] = [];
    const service = createPasswordService({ url: functionsUrl, serviceKey: SERVICE_KEY });
    const testing = admin({
      passwords: { ...service, verify: (input) => (hashes.push(input.hash), service.verify(input)) },
    });
    await owner`insert into users (id, username, password_hash, is_active) select 'usr_gone', 'gone', password_hash, false from users where username = 'admin'`;
    const answers: Json[] = [];
    for (const [username, password] of [
      ["nobody", PASSWORD],
      ["admin", "wrong horse"],
      ["gone", PASSWORD],
    ]) {
      const response = await testing.send("POST", "/api/v1/auth/login", { username, password });
      expect(response.status).toBe(401);
      const { trace_id: _trace, ...answer } = await json(response);
      answers.push(answer);
    }
    expect(new Set(answers.map((a) => JSON.stringify(a))).size).toBe(1);
    expect(hashes.map((hash) => hash === null)).toEqual([true, false, false]);
    const rows =
      await owner`select actor_id, actor_name, outcome from audit_logs where action = 'login' order by id desc limit 3`;
    expect(rows.map((r) => ({ ...r }))).toEqual([
      { actor_id: "usr_gone", actor_name: "gone", outcome: "failure" },
      { actor_id: expect.stringMatching(/^usr_/), actor_name: "admin", outcome: "failure" },
      { actor_id: "", actor_name: "", outcome: "failure" },
    ]);
  });

  test("a session ends with its user: deactivated, or its tokens called in", async () => {
    const testing = admin();
    for (const change of ["is_active = false", "tokens_not_before = now() + interval '1 minute'"]) {
      const { body, bearer } = await login(testing, "reader");
      const mine = () => testing.send("POST", TOKENS, newToken(), bearer);
      const refresh = () =>
        testing.send("POST", "/api/v1/auth/refresh", { refresh_token: body["refresh_token"] });
      expect((await mine()).status).toBe(201);
      await owner.unsafe(`update users set ${change} where id = 'usr_reader'`);
      expect((await mine()).status).toBe(401);
      expect((await refresh()).status).toBe(401);
      await owner`update users set is_active = true, tokens_not_before = 'epoch' where id = 'usr_reader'`;
      // For good, where it was seen to be over.
      expect((await refresh()).status).toBe(401);
    }
  });

  test("R13 a restore ends every session, and who signs in after it has a new one", async () => {
    const testing = admin();
    const before = await login(testing);
    const use = (of: typeof before) =>
      testing.send("GET", "/api/v1/mgt/configs?tenant=demo", undefined, of.bearer);
    const refresh = (of: typeof before) =>
      testing.send("POST", "/api/v1/auth/refresh", { refresh_token: of.body["refresh_token"] });
    expect((await use(before)).status).toBe(200);
    const old = await json(await testing.send("POST", TOKENS, newToken(), before.bearer));
    try {
      const tokensNotBeforeMs = Date.now() + 30_000;
      await adoptClusterEpoch(database, { clusterId: "c1", epoch: 2, tokensNotBeforeMs });
      expect((await use(before)).status).toBe(401);
      // Nor on a route that asks for no permission.
      const tokens = await testing.send("GET", TOKENS, undefined, before.bearer);
      expect([tokens.status, await json(tokens)]).toMatchObject([401, { code: "unauthenticated" }]);
      expect((await refresh(before)).status).toBe(401);
      aheadS = 60;
      const after = await login(testing);
      expect((await use(after)).status).toBe(200);
      // The tokens for clients that were issued before are shown as what they are, and new ones beside them.
      const fresh = await json(await testing.send("POST", TOKENS, newToken(), after.bearer));
      const listed = (await json(await testing.send("GET", `${TOKENS}?limit=200`, undefined, after.bearer)))[
        "items"
      ] as Json[];
      const ended_at = new Date(tokensNotBeforeMs).toISOString();
      expect(listed.find(({ id }) => id === fresh["id"])).toMatchObject({ status: "active", ended_at: null });
      expect(listed.find(({ id }) => id === old["id"])).toMatchObject({ status: "ended", ended_at });
      expect((await refresh(after)).status).toBe(200);
    } finally {
      aheadS = 0;
      await owner`update clusters set epoch = 1, tokens_not_before = 'epoch'`;
      // One of them is of a later minute.
      await owner`delete from client_tokens`;
    }
  });

  test.each([
    ["no password", { username: "admin" }],
    ["a long name", { username: "a".repeat(129), password: "x" }],
    ["a long password", { username: "admin", password: "x".repeat(513) }],
    ["an unknown field", { username: "admin", password: "x", otp: "1" }],
    ["no JSON", "{"],
  ])("A1 refuses %s", async (_name, body) => {
    expect((await admin().send("POST", "/api/v1/auth/login", body)).status).toBe(400);
  });
});

describe("A3 client tokens", () => {
  test("are issued once, listed without the token, and revoked through the log", async () => {
    const testing = admin();
    const { bearer } = await login(testing);
    const created = await testing.send("POST", TOKENS, newToken(), bearer);
    expect(created.status).toBe(201);
    const { id, token } = await json(created);
    const published = () =>
      testing
        .send("GET", "/.well-known/jwks.json")
        .then((response) => response.json() as Promise<JSONWebKeySet>);
    const verifier = createClientTokenVerifier({ jwks: published, now: Date.now });
    expect(await verifier.verify(String(token))).toMatchObject({
      ok: true,
      token: { jti: id, tenant: "demo", scopes: ["read:demo/shop/prod/*"] },
    });
    const list = await json(await testing.send("GET", `${TOKENS}?limit=1`, undefined, bearer));
    expect(list["items"]).toMatchObject([
      { id, name: "web", revoked_at: null, ended_at: null, status: "active" },
    ]);
    expect(JSON.stringify(list)).not.toContain(String(token));

    const revoked = await testing.send("DELETE", `${TOKENS}/${String(id)}`, undefined, bearer);
    expect(revoked.status).toBe(200);
    expect((await json(revoked))["index"]).toMatch(/^c1\.1\.\d+\./);
    const { entries } = await testing.core.feed({ after: 0, limit: 10, wait_ms: 0, view: "full" });
    expect(entries.flatMap((e) => e.events)).toMatchObject([{ type: "token_revoked", jti: id }]);
    expect((await testing.send("DELETE", `${TOKENS}/${String(id)}`, undefined, bearer)).status).toBe(200);
    const after = await json(await testing.send("GET", TOKENS, undefined, bearer));
    expect((after["items"] as Json[])[0]?.["revoked_at"]).not.toBeNull();
    expect((after["items"] as Json[])[0]?.["status"]).toBe("revoked");
  });

  test("C12 a repetition gets the first answer without the token; another body is a conflict", async () => {
    const testing = admin();
    const { bearer } = await login(testing);
    const headers = { ...bearer, "x-idempotency-key": "issue-1" };
    const first = await json(await testing.send("POST", TOKENS, newToken({ name: "once" }), headers));
    const again = await testing.send("POST", TOKENS, newToken({ name: "once" }), headers);
    expect(again.status).toBe(201);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    const { token: _token, ...rest } = first;
    expect(await json(again)).toEqual(rest);
    expect((await testing.send("POST", TOKENS, newToken({ name: "twice" }), headers)).status).toBe(409);
    const [row] = await owner`select count(*)::int as n from client_tokens where name = 'once'`;
    expect(row?.["n"]).toBe(1);
  });

  test("A4 nobody hands out more than their own permission to read, or a second tenant", async () => {
    const testing = admin();
    const { bearer } = await login(testing, "reader");
    for (const [scope, status] of [
      ["read:demo/shop/prod/*", 201],
      ["read:demo/shop/prod/db", 201],
      ["read:demo/shop/**", 403],
      ["read:demo/shop/*/*", 403],
      ["read:other/shop/prod/*", 403],
      ["read:**", 400],
      ["write:demo/shop/prod/*", 400],
      ["read:demo/../x", 400],
    ] as const) {
      const response = await testing.send("POST", TOKENS, newToken({ scopes: [scope] }), bearer);
      expect(response.status, scope).toBe(status);
    }
    const two = newToken({ scopes: ["read:demo/shop/prod/*", "read:other/shop/prod/*"] });
    expect((await testing.send("POST", TOKENS, two, bearer)).status).toBe(400);
  });

  test("A4 other people's tokens are listed and revoked only with permission; ids tell nothing", async () => {
    const testing = admin();
    const { bearer: adminBearer } = await login(testing);
    const { id } = await json(await testing.send("POST", TOKENS, newToken(), adminBearer));
    const { bearer } = await login(testing, "reader");
    const mine = await json(await testing.send("GET", TOKENS, undefined, bearer));
    expect((mine["items"] as Json[]).every((t) => t["created_by"] === "usr_reader")).toBe(true);
    const { bearer: strange } = await login(testing, "stranger");
    const unknown = `demo.${"0".repeat(26)}`;
    for (const [target, who] of [
      [id, bearer],
      [id, strange],
      [unknown, strange],
      ["..%2Fx", adminBearer],
    ] as const) {
      expect((await testing.send("DELETE", `${TOKENS}/${String(target)}`, undefined, who)).status).toBe(404);
    }
    const elsewhere = await json(await testing.send("GET", `${TOKENS}?tenant=demo`, undefined, strange));
    expect(elsewhere["items"]).toEqual([]);
  });

  test("pages go through all, newest first", async () => {
    const testing = admin();
    const { bearer } = await login(testing, "stranger");
    for (let n = 0; n < 3; n += 1) {
      const body = newToken({ name: `t${n}`, scopes: ["read:other/**"] });
      expect((await testing.send("POST", TOKENS, body, bearer)).status).toBe(201);
    }
    const names: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const query = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = await json(await testing.send("GET", `${TOKENS}?limit=2${query}`, undefined, bearer));
      names.push(...(page["items"] as { name: string }[]).map((t) => t.name));
      cursor = page["next_cursor"] as string | null;
    }
    expect(names.toSorted()).toEqual(["t0", "t1", "t2"]);
  });
});

describe("A5 audit", () => {
  test("shows log writes and Postgres-only acts of one tenant, by every filter", async () => {
    const testing = admin();
    const { bearer } = await login(testing);
    const traceId = "c".repeat(32);
    const traced = {
      ...bearer,
      traceparent: `00-${traceId}-${"d".repeat(16)}-01`,
      "cf-connecting-ip": "192.0.2.9",
    };
    const named = newConfig({ name: "audited.json" });
    expect((await testing.send("POST", "/api/v1/mgt/configs", named, traced)).status).toBe(201);
    await createProjection({
      core: testing.core,
      database,
      cursors: new MemoryCursorStore(Date.now),
      hints: new MemoryPublishHintQueue(),
      nowMs: Date.now,
      log: () => undefined,
    })({}, { getRemainingTimeInMillis: () => 1 });
    const search = async (query: string) =>
      (await json(await testing.send("GET", `/api/v1/audit-logs?${query}`, undefined, bearer)))[
        "items"
      ] as Json[];
    const [row] = await search("resource=demo/shop/*/audited.json");
    expect(row).toMatchObject({
      actor: { type: "user", name: "admin" },
      ip: "192.0.2.9",
      action: "write",
      resource: "demo/shop/prod/audited.json",
      outcome: "success",
      trace_id: traceId,
      position: { cluster_id: "c1", epoch: 1 },
    });
    expect(await search("resource=demo/**&user=admin&action=write")).toContainEqual(row);
    expect(await search("resource=demo/shop/prod/audited.json&user=nobody")).toEqual([]);
    expect(await search("resource=demo/*")).toEqual([]);
    expect(await search("to=2020-01-01T00:00:00Z")).toEqual([]);
    expect(await search("from=2020-01-01T00:00:00Z&resource=demo/client-tokens/*")).toContainEqual(
      expect.objectContaining({ summary: expect.stringContaining("issued client token"), position: null }),
    );
    const first = await json(await testing.send("GET", "/api/v1/audit-logs?limit=1", undefined, bearer));
    const next = await search(`limit=1&cursor=${String(first["next_cursor"])}`);
    expect(next[0]?.["id"]).not.toBe((first["items"] as Json[])[0]?.["id"]);
    for (const bad of ["cursor=x", "from=yesterday", "action=fly", "limit=0", "limit=201"]) {
      expect((await testing.send("GET", `/api/v1/audit-logs?${bad}`, undefined, bearer)).status, bad).toBe(
        400,
      );
    }
  });

  test("A4 needs the permission list on the tenant", async () => {
    const testing = admin();
    for (const who of ["reader", "stranger"]) {
      const { bearer } = await login(testing, who);
      expect((await testing.send("GET", "/api/v1/audit-logs?tenant=demo", undefined, bearer)).status).toBe(
        403,
      );
    }
  });
});

describe("A7 a dependency away", () => {
  test("Postgres: 503 for what needs it, and the key set is still there", async () => {
    const nowhere = connectPostgres("postgres://conflux_app@127.0.0.1:1/none");
    const { bearer } = await login(admin());
    const testing = admin({ database: () => nowhere });
    const requests = [
      ["POST", "/api/v1/auth/login", { username: "admin", password: PASSWORD }],
      ["POST", TOKENS, newToken()],
      ["GET", TOKENS, undefined],
      ["POST", "/api/v1/mgt/configs", newConfig()],
    ] as const;
    for (const [method, path, body] of requests) {
      const response = await testing.send(method, path, body, bearer);
      expect(response.status, path).toBe(503);
      expect(response.headers.get("retry-after")).toBe("1");
    }
    const jwks = await testing.send("GET", "/.well-known/jwks.json");
    expect(await json(jwks)).toEqual(key.jwks);
    await nowhere.close();
  });

  test("the password function: 503, and nobody is let in", async () => {
    for (const [url, serviceKey] of [
      ["http://127.0.0.1:1/", SERVICE_KEY],
      [functionsUrl, `${SERVICE_KEY}!`],
    ] as const) {
      const testing = admin({ passwords: createPasswordService({ url, serviceKey }) });
      const response = await testing.send("POST", "/api/v1/auth/login", {
        username: "admin",
        password: PASSWORD,
      });
      expect(response.status).toBe(503);
    }
  });

  test("the core: a revocation is refused and not marked as done", async () => {
    const testing = admin();
    const { bearer } = await login(testing);
    const { id } = await json(await testing.send("POST", TOKENS, newToken(), bearer));
    testing.core.propose = () => Promise.reject(new Error("no core"));
    const response = await testing.send("DELETE", `${TOKENS}/${String(id)}`, undefined, bearer);
    expect(response.status).toBeGreaterThanOrEqual(500);
    const [row] = await owner`select revoked_at from client_tokens where id = ${String(id)}`;
    expect(row?.["revoked_at"]).toBeNull();
  });
});
