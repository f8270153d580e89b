import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectPostgres } from "../../adapters/postgres/connect.ts";
import { ensureTenant } from "../../adapters/postgres/seed-access.ts";
import { newConfig } from "../../workers/admin/testing-admin.ts";
import {
  type AccessApp,
  accessClient,
  everything,
  type Json,
  startAccessApp,
  type TestUser,
} from "../testing/access-app.ts";

let app: AccessApp;
let { ask, ok, itemsOf } = {} as ReturnType<typeof accessClient>;
let operator: TestUser;
let admin: TestUser;
let stranger: TestUser;
beforeAll(async () => {
  app = await startAccessApp(["demo", "other"]);
  ({ ask, ok, itemsOf } = accessClient(app));
  operator = await app.operator("root");
  admin = await app.user("demo", "admin", everything("demo", "demo/**"));
  stranger = await app.user("other", "stranger", everything("other", "other/**"));
});
afterAll(() => app.close());

describe("A2 tenants", () => {
  test("a new tenant is ready for use: its administrator makes applications, configs, roles and users", async () => {
    const made = await ask(operator, "POST", "/tenants", {
      name: "acme",
      max_configs: 7,
      admin: { username: "acme-admin", password: "correct horse", email: "a@acme.test" },
    });
    expect([made.status, made.json]).toMatchObject([
      201,
      { name: "acme", cluster_id: "c1", max_configs: 7, max_config_size_bytes: 102_400 },
    ]);
    const [user] = await itemsOf(operator, "/users?tenant=_system").then((users) =>
      users.filter((u) => u["username"] === "acme-admin"),
    );
    const renew = async () => {
      const login = await app.send("POST", "/api/v1/auth/login", { username: "acme-admin", password: "x" });
      return { authorization: `Bearer ${String(((await login.json()) as Json)["access_token"])}` };
    };
    const boss: TestUser = { id: String(user?.["id"]), roleId: "", bearer: await renew(), renew };
    await ok(boss, "POST", "/applications", { tenant: "acme", name: "shop", kms_key_id: "alias/shop" });
    await ok(boss, "POST", "/mgt/configs", newConfig({ tenant: "acme" }));
    await ok(boss, "POST", "/roles", { tenant: "acme", name: "reader" });
    expect(await itemsOf(boss, "/tenants")).toMatchObject([{ name: "acme" }]);
    expect(await ok(boss, "GET", "/tenants/acme")).toMatchObject({ name: "acme" });
    // It is the operator's alone to say how much the tenant may use, and whether it is there.
    expect((await ask(boss, "PATCH", "/tenants/acme", { max_configs: 8 })).status).toBe(403);
    expect((await ask(boss, "DELETE", "/tenants/acme")).status).toBe(403);
    expect((await ask(operator, "GET", "/roles?tenant=acme")).status).toBe(403);
    expect((await ask(operator, "DELETE", "/tenants/acme")).json).toMatchObject({ code: "conflict" });
  });

  test("of one name there is one, also when two ask at once; an unknown administrator or cluster makes none", async () => {
    const body = { name: "twice", admin: { username: "stranger" } };
    const answers = await Promise.all([1, 2, 3].map(() => ask(operator, "POST", "/tenants", body)));
    expect(answers.map((a) => a.status).toSorted((x, y) => x - y)).toEqual([201, 409, 409]);
    for (const [changes, path] of [
      [{ admin: { username: "nobody" } }, "/admin/username"],
      [{ cluster_id: "c9" }, "/cluster_id"],
    ] as const) {
      const refused = await ask(operator, "POST", "/tenants", { ...body, name: "never", ...changes });
      expect([refused.status, refused.json]).toMatchObject([400, { errors: [{ path }] }]);
    }
    expect((await ask(operator, "GET", "/tenants/never")).status).toBe(404);
    // The name of a user is taken: the tenant is not made either.
    const taken = { ...body, name: "never", admin: { username: "stranger", password: "correct horse" } };
    expect((await ask(operator, "POST", "/tenants", taken)).status).toBe(409);
    expect((await ask(operator, "GET", "/tenants/never")).status).toBe(404);
    await ok(operator, "DELETE", "/tenants/twice");
  });

  test("C12 a repetition under one key gets the first answer, of a deletion too", async () => {
    const key = { "x-idempotency-key": "tenant-1" };
    const body = { name: "once", admin: { username: "stranger" } };
    const first = await ask(operator, "POST", "/tenants", body, key);
    const again = await ask(operator, "POST", "/tenants", body, key);
    expect([again.status, again.json, again.headers.get("idempotency-replayed")]).toEqual([
      201,
      first.json,
      "true",
    ]);
    expect((await ask(operator, "POST", "/tenants", { ...body, max_configs: 1 }, key)).json).toMatchObject({
      code: "idempotency_conflict",
    });
    const gone = await ask(operator, "DELETE", "/tenants/once", undefined, key);
    expect(await ask(operator, "DELETE", "/tenants/once", undefined, key)).toMatchObject({
      status: 200,
      json: gone.json,
    });
    expect((await ask(operator, "DELETE", "/tenants/once")).status).toBe(404);
  });

  test("is not deleted while clients hold tokens of it", async () => {
    await ok(operator, "POST", "/tenants", { name: "held", admin: { username: "stranger" } });
    const { id } = await ok(stranger, "POST", "/auth/client-tokens", {
      name: "t",
      scopes: ["read:held/**"],
      ttl_seconds: 60,
    });
    expect((await ask(operator, "DELETE", "/tenants/held")).json).toMatchObject({ code: "conflict" });
    await ok(stranger, "DELETE", `/auth/client-tokens/${String(id)}`);
    await ok(operator, "DELETE", "/tenants/held");
    const rows =
      await app.owner`select summary from audit_logs where tenant_id = '_system' order by id desc limit 1`;
    expect(rows[0]?.["summary"]).toBe("deleted tenant held");
  });

  test("the name of a deleted one is not given again, so nobody reads its audit and history; that of a refused one is", async () => {
    const make = (name: string) =>
      ask(operator, "POST", "/tenants", { name, admin: { username: "stranger" } });
    expect((await make("gone")).status).toBe(201);
    await ok(stranger, "POST", "/roles", { tenant: "gone", name: "kept in the audit" });
    await ok(operator, "DELETE", "/tenants/gone");
    const again = await make("gone");
    expect([again.status, again.json]).toMatchObject([
      409,
      { code: "already_exists", detail: "The name gone belonged to a tenant that was deleted." },
    ]);
    expect((await ask(operator, "GET", "/tenants/gone")).status).toBe(404);
    const seeding = connectPostgres(app.ownerUrl);
    await expect(ensureTenant(seeding, { tenant: "gone", clusterId: "c1" })).rejects.toMatchObject({
      code: "already_exists",
    });
    await seeding.close();
    // Requests about a name that nobody has leave rows of their refusal, and no mark.
    expect((await ask(operator, "DELETE", "/tenants/asked-for")).status).toBe(404);
    expect((await ask(stranger, "GET", "/roles?tenant=asked-for")).status).toBe(403);
    expect((await make("asked-for")).status).toBe(201);
  });

  test("one that is made while another of the name is being deleted waits and is refused", async () => {
    await ok(operator, "POST", "/tenants", { name: "moment", admin: { username: "stranger" } });
    const deleting = Promise.withResolvers<void>();
    const deletion = app.owner.begin(async (tx) => {
      await tx`delete from tenants where tenant_id = 'moment'`;
      deleting.resolve();
      await new Promise((resolve) => setTimeout(resolve, 300));
    });
    await deleting.promise;
    const made = await ask(operator, "POST", "/tenants", { name: "moment", admin: { username: "stranger" } });
    await deletion;
    expect([made.status, made.json["code"]]).toEqual([409, "already_exists"]);
  });

  test("a stale If-Match is refused, the present one is not", async () => {
    const { etag } = await ok(operator, "GET", "/tenants/other");
    const change = (tag: unknown) =>
      ask(operator, "PATCH", "/tenants/other", { max_configs: 5 }, { "if-match": String(tag) });
    expect((await change(etag)).json).toMatchObject({ max_configs: 5 });
    expect((await change(etag)).status).toBe(412);
  });

  test("quotas are whole numbers that a column holds", async () => {
    for (const max_configs of [-1, 1.5, 2_147_483_648, "7"]) {
      expect((await ask(operator, "PATCH", "/tenants/other", { max_configs })).status).toBe(400);
    }
  });
});

describe("A2 applications", () => {
  test("are made, listed, given a key and deleted", async () => {
    const made = await ok(admin, "POST", "/applications", { tenant: "demo", name: "app.v1" });
    expect(made).toMatchObject({ id: "demo:app.v1", kms_key_id: null });
    const changed = await ok(admin, "PATCH", "/applications/demo:app.v1", { kms_key_id: "alias/a" });
    expect(changed["kms_key_id"]).toBe("alias/a");
    expect((await ok(admin, "PATCH", "/applications/demo:app.v1", {}))["kms_key_id"]).toBe("alias/a");
    expect(await itemsOf(admin, "/applications")).toMatchObject([{ name: "app.v1" }]);
    expect((await ask(admin, "POST", "/applications", { tenant: "demo", name: "app.v1" })).status).toBe(409);
    await ok(admin, "DELETE", "/applications/demo:app.v1");
    expect((await ask(admin, "GET", "/applications/demo:app.v1")).status).toBe(404);
    for (const id of ["demo", "demo:", ":x", "demo:a:b", "other:shop"]) {
      expect((await ask(admin, "GET", `/applications/${id}`)).status, id).toBe(404);
    }
  });

  test("stay while they have configs; a config needs none", async () => {
    await ok(admin, "POST", "/applications", { tenant: "demo", name: "kept" });
    const config = await ok(admin, "POST", "/mgt/configs", newConfig({ app: "kept" }));
    expect((await ask(admin, "DELETE", "/applications/demo:kept")).json).toMatchObject({ code: "conflict" });
    await ok(admin, "DELETE", `/mgt/configs/${String(config["id"])}`);
    await ok(admin, "DELETE", "/applications/demo:kept");
  });

  test("concurrent creation of one name makes one", async () => {
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => ask(admin, "POST", "/applications", { tenant: "demo", name: "race" })),
    );
    expect(answers.map((a) => a.status).toSorted((x, y) => x - y)).toEqual([201, 409, 409, 409]);
  });
});

describe("A5 A7", () => {
  test("A5 a change and its audit row are one", async () => {
    const { id } = await ok(admin, "POST", "/roles", { tenant: "demo", name: "audited" });
    const [row] = await app.owner`select * from audit_logs where tenant_id = 'demo' order by id desc limit 1`;
    expect(row).toMatchObject({
      actor_id: admin.id,
      action: "write",
      resource: `demo/roles/${String(id)}`,
      outcome: "success",
      summary: `made role audited (${String(id)})`,
    });
  });

  test("A7 Postgres away: 503 with Retry-After for reads and writes", async () => {
    const nowhere = connectPostgres("postgres://conflux_app@127.0.0.1:1/none");
    const away = app.with({ database: () => nowhere });
    for (const [method, path, body] of [
      ["GET", "/tenants", undefined],
      ["POST", "/roles", { tenant: "demo", name: "x" }],
      ["GET", "/users?tenant=demo", undefined],
      ["PATCH", `/users/${admin.id}?tenant=demo`, { is_active: true }],
    ] as const) {
      const answer = await away.send(method, `/api/v1${path}`, body, admin.bearer);
      expect([path, answer.status, answer.headers.get("retry-after")]).toEqual([path, 503, "1"]);
    }
    // The cluster's health is asked of the core; who may see addresses cannot be told.
    const status = await away.send("GET", "/api/v1/mgt/cluster/status", undefined, operator.bearer);
    expect(await status.json()).toMatchObject({ nodes: [{ raft_address: null }] });
    await nowhere.close();
  });
});
