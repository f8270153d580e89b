import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Permission } from "../../domain/access/permits.ts";
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
let { ask, ok, itemsOf, asUser } = {} as ReturnType<typeof accessClient>;
let operator: TestUser;
let admin: TestUser;
let stranger: TestUser;
beforeAll(async () => {
  app = await startAccessApp(["demo", "other"]);
  ({ ask, ok, itemsOf, asUser } = accessClient(app));
  operator = await app.operator("root");
  admin = await app.user("demo", "admin", everything("demo", "demo/**"));
  stranger = await app.user("other", "stranger", everything("other", "other/**"));
});
afterAll(() => app.close());

const newUser = (username: string, changes: Json = {}): Json => ({
  tenant: "demo",
  username,
  password: "correct horse",
  ...changes,
});
/** A role of demo that grants these permissions. */
async function newRole(name: string, permissions: readonly Permission[] = []): Promise<string> {
  const { id } = await ok(admin, "POST", "/roles", { tenant: "demo", name });
  for (const permission of permissions)
    await ok(admin, "POST", `/roles/${String(id)}/permissions`, permission);
  return String(id);
}

test("A5 the changes of one role, group or user are found by its name in the audit", async () => {
  const roleId = await newRole("traced", [{ action: "list", resource_pattern: "demo/traced/**" }]);
  const { id: groupId } = await ok(admin, "POST", "/user-groups", { tenant: "demo", name: "traced" });
  const { id: userId } = await ok(admin, "POST", "/users", newUser("traced", { role_ids: [roleId] }));
  await ok(admin, "POST", `/user-groups/${String(groupId)}/members`, { username: "traced" });
  await ok(admin, "PATCH", `/users/${String(userId)}?tenant=demo`, { email: "traced@example.com" });
  await ok(admin, "DELETE", `/user-groups/${String(groupId)}/members/${String(userId)}`);
  await ok(admin, "PATCH", `/roles/${roleId}`, { description: "x" });
  await ok(admin, "DELETE", `/roles/${roleId}/permissions?action=list&resource_pattern=demo/traced/**`);
  await ok(admin, "DELETE", `/roles/${roleId}`);
  const actionsOf = async (resource: string) =>
    (await itemsOf(admin, `/audit-logs?tenant=demo&resource=${resource}`))
      .map((row) => row["action"])
      .toReversed();
  expect(await actionsOf(`demo/roles/${roleId}`)).toEqual(["write", "write", "write", "delete", "delete"]);
  expect(await actionsOf(`demo/user-groups/${String(groupId)}`)).toEqual(["write", "write", "delete"]);
  expect(await actionsOf(`demo/users/${String(userId)}`)).toEqual(["write", "write"]);
  expect(await actionsOf("demo")).toEqual([]);
  // The permission is asked for on the tenant, now as before.
  const none = await app.user("demo", "none", []);
  expect((await ask(none, "POST", "/roles", { tenant: "demo", name: "refused" })).status).toBe(403);
});

describe("A1 roles and groups grant what they say, from the next request", () => {
  test("directly, and by a group", async () => {
    const roleId = await newRole("lister", [{ action: "list", resource_pattern: "demo/shop/**" }]);
    const user = await ok(admin, "POST", "/users", newUser("direct", { role_ids: [roleId] }));
    expect(user).toMatchObject({ username: "direct", roles: [{ id: roleId, name: "lister" }], groups: [] });
    const direct = await asUser(user);
    const list = "/mgt/configs?tenant=demo&app=shop";
    expect((await ask(direct, "GET", list)).status).toBe(200);
    expect((await ask(direct, "GET", "/mgt/configs?tenant=demo")).status).toBe(403);

    const { id: groupId } = await ok(admin, "POST", "/user-groups", { tenant: "demo", name: "team" });
    const group = `/user-groups/${String(groupId)}`;
    const member = await asUser(
      await ok(admin, "POST", "/users", newUser("member", { group_ids: [groupId] })),
    );
    expect((await ask(member, "GET", list)).status).toBe(403);
    await ok(admin, "POST", `${group}/roles`, { role_id: roleId });
    expect((await ask(member, "GET", list)).status).toBe(200);
    expect(await itemsOf(admin, `${group}/roles`)).toEqual([{ id: roleId, name: "lister" }]);
    expect(await itemsOf(admin, `${group}/members`)).toEqual([{ id: member.id, name: "member" }]);
    expect(await itemsOf(admin, `/roles/${roleId}/users`)).toEqual([{ id: direct.id, name: "direct" }]);
    // Signed in with nothing but a group, the tenant is the caller's.
    expect(await itemsOf(member, "/tenants")).toMatchObject([{ name: "demo" }]);
    await ok(admin, "DELETE", `${group}/members/${member.id}`);
    expect((await ask(member, "GET", list)).status).toBe(403);
    expect((await ask(admin, "DELETE", `${group}/members/${member.id}`)).status).toBe(404);
    await ok(admin, "DELETE", `/roles/${roleId}/permissions?action=list&resource_pattern=demo/shop/**`);
    expect((await ask(direct, "GET", list)).status).toBe(403);
    await ok(admin, "DELETE", group);
    await ok(admin, "DELETE", `/roles/${roleId}`);
  });

  test("what a role grants is listed in pages", async () => {
    const permissions = ["a", "b", "c"].map((name) => ({
      action: "read" as const,
      resource_pattern: `demo/${name}/**`,
    }));
    const roleId = await newRole("paged", permissions);
    const page = await ok(admin, "GET", `/roles/${roleId}/permissions?limit=2`);
    expect(page["items"]).toEqual(permissions.slice(0, 2));
    const cursor = encodeURIComponent(String(page["next_cursor"]));
    const rest = await ok(admin, "GET", `/roles/${roleId}/permissions?limit=2&cursor=${cursor}`);
    expect(rest).toEqual({ items: permissions.slice(2), next_cursor: null });
    expect((await ask(admin, "GET", `/roles/${roleId}/permissions?cursor=x`)).status).toBe(400);
  });

  test("names are taken once a tenant, also when two ask at once; renaming and If-Match", async () => {
    const roles = await Promise.all(
      [1, 2].map(() => ask(admin, "POST", "/roles", { tenant: "demo", name: "dup" })),
    );
    expect(roles.map((r) => r.status).toSorted((x, y) => x - y)).toEqual([201, 409]);
    const made = roles.find((r) => r.status === 201)!;
    const path = `/roles/${String(made.json["id"])}`;
    const change = (name: string, tag: unknown) =>
      ask(admin, "PATCH", path, { name }, { "if-match": String(tag) });
    const renamed = await change("dup2", made.json["etag"]);
    expect(renamed.json).toMatchObject({ name: "dup2", description: "" });
    expect((await change("dup3", made.json["etag"])).status).toBe(412);
    expect((await change("admin", renamed.json["etag"])).status).toBe(409);
    expect((await ask(stranger, "POST", "/roles", { tenant: "other", name: "dup" })).status).toBe(201);
  });

  test("C12 a repetition under one key makes one role, and does not trip over its own If-Match", async () => {
    const key = { "x-idempotency-key": "role-1" };
    const first = await ask(admin, "POST", "/roles", { tenant: "demo", name: "keyed" }, key);
    const again = await ask(admin, "POST", "/roles", { tenant: "demo", name: "keyed" }, key);
    expect([again.status, again.json]).toEqual([201, first.json]);
    const path = `/roles/${String(first.json["id"])}`;
    const headers = { ...key, "if-match": String(first.json["etag"]) };
    const renamed = await ask(admin, "PATCH", path, { name: "keyed2" }, headers);
    expect(await ask(admin, "PATCH", path, { name: "keyed2" }, headers)).toMatchObject({
      status: 200,
      json: renamed.json,
    });
  });
});

describe("A1 nobody hands on what they do not hold", () => {
  test("not by a permission, a role, a group, a new user or somebody's password", async () => {
    const held: Permission[] = [
      { action: "write", resource_pattern: "demo" },
      { action: "read", resource_pattern: "demo/shop/**" },
    ];
    const clerk = await app.user("demo", "clerk", held);
    const own = String((await ok(clerk, "POST", "/roles", { tenant: "demo", name: "clerks" }))["id"]);
    const { id: groupId } = await ok(clerk, "POST", "/user-groups", { tenant: "demo", name: "clerks" });
    const grant = (permission: Permission) => ask(clerk, "POST", `/roles/${own}/permissions`, permission);
    expect((await grant({ action: "read", resource_pattern: "demo/shop/prod/*" })).status).toBe(201);
    for (const [action, resource_pattern] of [
      ["read", "demo/**"],
      ["read", "**"],
      ["read", "*/shop/**"],
      ["publish", "demo/shop/prod/*"],
      ["write", "demo/**"],
    ] as const) {
      const answer = await grant({ action, resource_pattern });
      const expected = resource_pattern === "*/shop/**" ? 201 : 403;
      expect([resource_pattern, answer.status]).toEqual([resource_pattern, expected]);
    }
    expect((await grant({ action: "read", resource_pattern: "other/shop/**" })).status).toBe(403);

    const strong = await newRole("strong", [{ action: "publish", resource_pattern: "demo/**" }]);
    const refused = [
      ["POST", `/roles/${strong}/users`, { username: "clerk" }],
      ["POST", `/user-groups/${String(groupId)}/roles`, { role_id: strong }],
      ["POST", "/users", newUser("puppet", { role_ids: [own, strong] })],
      ["PATCH", `/users/${admin.id}`, { password: "correct horse" }],
      ["PATCH", `/users/${admin.id}`, { is_active: false }],
    ] as const;
    for (const [method, path, body] of refused) {
      expect([path, (await ask(clerk, method, path, body)).status]).toEqual([path, 403]);
    }
    await ok(admin, "POST", `/user-groups/${String(groupId)}/roles`, { role_id: strong });
    const member = { username: "clerk" };
    expect((await ask(clerk, "POST", `/user-groups/${String(groupId)}/members`, member)).status).toBe(403);
    const puppet = newUser("puppet", { group_ids: [groupId] });
    expect((await ask(clerk, "POST", "/users", puppet)).status).toBe(403);
    expect(await itemsOf(admin, `/roles/${strong}/users`)).toEqual([]);
    await ok(clerk, "POST", `/roles/${own}/users`, member);
    // The admin holds all of it.
    await ok(admin, "POST", `/roles/${strong}/users`, member);
  });

  test("a pattern of another tenant is refused even to who holds everything here", async () => {
    const roleId = await newRole("narrow");
    const answer = await ask(admin, "POST", `/roles/${roleId}/permissions`, {
      action: "read",
      resource_pattern: "other/**",
    });
    expect([400, 403]).toContain(answer.status);
    for (const resource_pattern of ["", "demo//x", "demo/**/x", "demo/a/b/c/d", "../x"]) {
      const bad = await ask(admin, "POST", `/roles/${roleId}/permissions`, {
        action: "read",
        resource_pattern,
      });
      expect(bad.status).toBe(400);
    }
  });
});

describe("A1 users", () => {
  test("a name that is taken is said to be taken, whoever has it", async () => {
    const roleId = await newRole("any");
    const ours = await ask(admin, "POST", "/users", newUser("admin", { role_ids: [roleId] }));
    const theirs = await ask(admin, "POST", "/users", newUser("stranger", { role_ids: [roleId] }));
    const { trace_id: _a, ...first } = ours.json;
    const { trace_id: _b, ...second } = theirs.json;
    expect([ours.status, first]).toEqual([409, second]);
    const answers = await Promise.all(
      [1, 2, 3].map(() => ask(admin, "POST", "/users", newUser("racer", { role_ids: [roleId] }))),
    );
    expect(answers.map((a) => a.status).toSorted((x, y) => x - y)).toEqual([201, 409, 409]);
  });

  test("a user of another tenant is taken in by the exact name, and then is nobody's alone", async () => {
    const roleId = await newRole("guests");
    expect((await ask(admin, "GET", `/users/${stranger.id}`)).status).toBe(404);
    expect((await ask(admin, "POST", `/roles/${roleId}/users`, { user_id: stranger.id })).status).toBe(400);
    expect((await ask(admin, "POST", `/roles/${roleId}/users`, { username: "strange" })).status).toBe(400);
    await ok(admin, "POST", `/roles/${roleId}/users`, { username: "stranger" });
    expect(await ok(admin, "GET", `/users/${stranger.id}`)).toMatchObject({ roles: [{ id: roleId }] });
    for (const who of [admin, stranger]) {
      const tenant = who === admin ? "demo" : "other";
      const answer = await ask(who, "PATCH", `/users/${stranger.id}?tenant=${tenant}`, { is_active: false });
      expect([tenant, answer.status]).toEqual([tenant, 403]);
    }
    await ok(operator, "PATCH", `/users/${stranger.id}?tenant=_system`, { email: "s@x.test" });
    // Each tenant takes out what is its own; the account lives on.
    await ok(admin, "DELETE", `/users/${stranger.id}`);
    expect((await ask(admin, "GET", `/users/${stranger.id}`)).status).toBe(404);
    expect(await ok(stranger, "GET", `/users/${stranger.id}`)).toMatchObject({ is_active: true });
  });

  test("a new password and a deactivation end every session; the last role taken ends the account", async () => {
    const roleId = await newRole("temps", [{ action: "list", resource_pattern: "demo" }]);
    const temp = await asUser(await ok(admin, "POST", "/users", newUser("temp", { role_ids: [roleId] })));
    const use = async () => (await ask(temp, "GET", "/roles")).status;
    expect(await use()).toBe(200);
    await ok(admin, "PATCH", `/users/${temp.id}`, { password: "another horse" });
    expect(await use()).toBe(401);
    await app.owner`update users set tokens_not_before = 'epoch' where id = ${temp.id}`;
    await ok(admin, "PATCH", `/users/${temp.id}`, { is_active: false, email: "t@x.test" });
    expect(await use()).toBe(401);
    const back = await ok(admin, "PATCH", `/users/${temp.id}`, { is_active: true, email: null });
    expect(back).toMatchObject({ is_active: true, email: null });
    await ok(admin, "DELETE", `/users/${temp.id}`);
    const [row] = await app.owner`select is_active from users where id = ${temp.id}`;
    expect(row?.["is_active"]).toBe(false);
    // An account that belongs to nobody is not taken over by the next tenant.
    const guests = { tenant: "other", name: "guests" };
    const { id } = await ok(stranger, "POST", "/roles", guests);
    expect((await ask(stranger, "POST", `/roles/${String(id)}/users`, { username: "temp" })).status).toBe(
      400,
    );
  });

  test("a new password and a deactivation end refreshes whose clock was read later, and their sessions for good", async () => {
    const roleId = await newRole("raced", [{ action: "list", resource_pattern: "demo" }]);
    const user = await ok(admin, "POST", "/users", newUser("raced", { role_ids: [roleId] }));
    const behind = app.with({ nowMs: () => Date.now() - 10_000 });
    const credentials = { username: "raced", password: "correct horse" };
    const send = (path: string, body: object) => app.send("POST", `/api/v1/auth/${path}`, body);
    const path = `/api/v1/users/${String(user["id"])}`;
    for (const [method, body] of [
      ["PATCH", { password: "another horse" }],
      ["PATCH", { is_active: false }],
      ["DELETE", undefined],
    ] as const) {
      await app.owner`update users set is_active = true where username = 'raced'`;
      const thief = (await (await send("login", credentials)).json()) as Json;
      const bearer = { authorization: `Bearer ${String(thief["access_token"])}` };
      expect((await app.send("GET", "/api/v1/roles", undefined, bearer)).status).toBe(200);
      expect((await behind.send(method, path, body, admin.bearer)).status).toBe(200);
      await app.owner`update users set is_active = true where username = 'raced'`;
      const refreshed = await send("refresh", { refresh_token: thief["refresh_token"] });
      expect([method, refreshed.status]).toEqual([method, 401]);
      expect((await app.send("GET", "/api/v1/roles?tenant=demo", undefined, bearer)).status).toBe(401);
      const left = await app.owner`select 1 from session_families where user_id = ${String(user["id"])}`;
      expect(left).toHaveLength(0);
    }
  });

  test("what an operator does to an account is in the audit of each of its tenants", async () => {
    const roleId = await newRole("watched");
    const user = await ok(admin, "POST", "/users", newUser("watched", { role_ids: [roleId] }));
    const { id } = await ok(stranger, "POST", "/roles", { tenant: "other", name: "watchers" });
    await ok(stranger, "POST", `/roles/${String(id)}/users`, { username: "watched" });
    const path = `/users/${String(user["id"])}?tenant=_system`;
    const changes = [{ password: "another horse" }, { email: "w@x.test" }, { is_active: false }];
    for (const change of changes) {
      const key = { "x-idempotency-key": `watched-${Object.keys(change)[0]}` };
      expect((await ask(operator, "PATCH", path, change, key)).status).toBe(200);
      expect((await ask(operator, "PATCH", path, change, key)).status).toBe(200);
    }
    for (const [tenant, resource] of [
      ["_system", `users/${String(user["id"])}`],
      ["demo", `demo/users/${String(user["id"])}`],
      ["other", `other/users/${String(user["id"])}`],
    ] as const) {
      const rows = await app.owner`select actor_id, resource, outcome, summary from audit_logs
        where tenant_id = ${tenant} and summary like 'changed user watched%' order by id`;
      const said = ["password, sessions ended", "e-mail address", "deactivated"];
      expect(rows.map((row) => ({ ...row }))).toEqual(
        said.map((what) => ({
          actor_id: operator.id,
          resource,
          outcome: "success",
          summary: `changed user watched (${String(user["id"])}): ${what}`,
        })),
      );
    }
  });

  test.each([
    ["no role", {}],
    ["a short password", { role_ids: ["x"], password: "short" }],
    ["an unknown role", { role_ids: [`demo.${"0".repeat(26)}`] }],
    ["another tenant's group", { group_ids: [`other.${"0".repeat(26)}`] }],
    ["a NUL in the name", { role_ids: ["x"], username: "a\u0000b" }],
    ["an address that is none", { role_ids: ["x"], email: "nobody" }],
    ["an unknown field", { role_ids: ["x"], is_operator: true }],
  ])("refuses %s", async (_name, changes) => {
    expect((await ask(admin, "POST", "/users", newUser("bad", changes))).status).toBe(400);
    expect((await ask(admin, "GET", "/users?cursor=%00")).status).toBe(400);
  });

  test("A4 a cursor that no page ends with is refused by every list", async () => {
    const [role] = await itemsOf(admin, "/roles?tenant=demo");
    const [group] = await itemsOf(admin, "/user-groups?tenant=demo");
    for (const path of [
      "/users?tenant=demo",
      "/roles?tenant=demo",
      "/user-groups?tenant=demo",
      "/applications?tenant=demo",
      "/tenants?limit=1",
      "/auth/client-tokens?tenant=demo",
      "/audit-logs?tenant=demo",
      `/roles/${String(role?.["id"])}/users?limit=1`,
      `/roles/${String(role?.["id"])}/permissions?limit=1`,
      `/user-groups/${String(group?.["id"])}/members?limit=1`,
      `/user-groups/${String(group?.["id"])}/roles?limit=1`,
    ]) {
      const answer = await ask(admin, "GET", `${path}&cursor=junk/`);
      expect([path, answer.status, answer.json]).toMatchObject([
        path,
        400,
        { code: "validation_failed", errors: [{ path: "/query/cursor" }] },
      ]);
    }
  });
});

describe("A1 the last who can administer a tenant", () => {
  test("is not removed by accident, whichever way, nor by two at once", async () => {
    await ok(operator, "POST", "/tenants", {
      name: "solo",
      admin: { username: "solo-a", password: "correct horse" },
    });
    const [row] = await app.owner`select id from users where username = 'solo-a'`;
    const boss = await asUser({ id: row?.["id"], username: "solo-a" });
    const [role] = await itemsOf(boss, "/roles");
    const roleId = String(role?.["id"]);
    const removals = [
      ["DELETE", `/roles/${roleId}`],
      ["DELETE", `/roles/${roleId}/users/${boss.id}`],
      ["DELETE", `/roles/${roleId}/permissions?action=approve&resource_pattern=solo/**`],
      ["DELETE", `/users/${boss.id}`],
      ["PATCH", `/users/${boss.id}`, { is_active: false }],
      ["PATCH", `/users/${boss.id}?tenant=_system`, { is_active: false }],
    ] as const;
    for (const [method, path, body] of removals) {
      const answer = await ask(path.includes("_system") ? operator : boss, method, path, body);
      expect([path, answer.status, answer.json["code"]]).toEqual([path, 409, "conflict"]);
    }
    const second = newUser("solo-b", { tenant: "solo", role_ids: [roleId] });
    const other = await asUser(await ok(boss, "POST", "/users", second));
    const both = await Promise.all([
      ask(boss, "DELETE", `/users/${other.id}`),
      ask(other, "DELETE", `/users/${boss.id}`),
    ]);
    expect(both.map((a) => a.status).filter((status) => status === 200)).toHaveLength(1);
    expect(both.some((a) => a.status !== 200)).toBe(true);
  });
});

describe("A1 limits", () => {
  test("one user's roles grant 10,000 permissions at most, and with that many a check still finds its one", async () => {
    const rich = await app.user("demo", "rich", [{ action: "read", resource_pattern: "demo/shop/prod/*" }]);
    await app.owner`insert into permissions select 'demo', ${rich.roleId}, 'read', 'demo/a' || n || '/**'
      from generate_series(1, 9999) n`;
    const { id } = await ok(admin, "POST", "/mgt/configs", newConfig({ name: "rich.json" }));
    await ok(rich, "GET", `/mgt/configs/${String(id)}`);
    const more = { action: "read", resource_pattern: "demo/more/**" };
    const refused = await ask(admin, "POST", `/roles/${rich.roleId}/permissions`, more);
    expect([refused.status, refused.json]).toMatchObject([429, { code: "quota_exceeded" }]);
    const other = await newRole("one-more", [{ action: "read", resource_pattern: "demo/more/**" }]);
    expect((await ask(admin, "POST", `/roles/${other}/users`, { user_id: rich.id })).status).toBe(429);
    const { id: group } = await ok(admin, "POST", "/user-groups", { tenant: "demo", name: "rich" });
    await ok(admin, "POST", `/user-groups/${String(group)}/members`, { user_id: rich.id });
    const toGroup = await ask(admin, "POST", `/user-groups/${String(group)}/roles`, { role_id: other });
    expect(toGroup.status).toBe(429);
    expect(await itemsOf(admin, `/user-groups/${String(group)}/roles`)).toEqual([]);
  });

  test("a tenant has 1,000 roles at most", async () => {
    await app.owner`insert into roles (tenant_id, id, name) select 'other', 'r' || n, 'r' || n from generate_series(1, 1000) n`;
    const refused = await ask(stranger, "POST", "/roles", { tenant: "other", name: "one too many" });
    expect([refused.status, refused.json]).toMatchObject([429, { code: "quota_exceeded" }]);
    await app.owner`delete from roles where tenant_id = 'other' and id like 'r%'`;
  });
});
