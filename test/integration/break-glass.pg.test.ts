import { ulid } from "ulid";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connectPostgres } from "../../adapters/postgres/connect.ts";
import { openBreakGlass } from "../../adapters/postgres/open-break-glass.ts";
import { type CliIo, EXIT } from "../../cli/cli-io.ts";
import { runCli } from "../../cli/run-cli.ts";
import { BREAK_GLASS_MINUTES_MAX } from "../../contracts/limits.ts";
import { newConfig, type TestingAdmin } from "../../workers/admin/testing-admin.ts";
import { accessClient, everything, startAccessApp } from "../testing/access-app.ts";
import { type AuthPlace, type Json, json, startAuthPlace } from "../testing/auth-admin.ts";
import { cloneDatabase } from "../testing/postgres.ts";

const REASON = "the identity provider is down";
let place: AuthPlace;
let testing: TestingAdmin;
beforeAll(async () => {
  place = await startAuthPlace();
  testing = place.admin();
});
afterAll(() => place.stop());
beforeEach(() => {
  place.aheadS = 0;
});

/** `conflux break-glass ...` as the owner of the database. */
async function run(args: readonly string[], url = place.ownerUrl) {
  const [out, err]: [string[], string[]] = [[], []];
  const io: CliIo = {
    env: { CONFLUX_OWNER_DATABASE_URL: url },
    cwd: "/",
    isTerminal: false,
    out: (text) => out.push(text),
    err: (text) => err.push(text),
    fetch: () => Promise.reject(new Error("the API is what is broken")),
  };
  const exitCode = await runCli(["break-glass", ...args], io);
  return { exitCode, out: out.join("\n"), err: err.join("\n") };
}
async function open(...args: string[]): Promise<Json> {
  const { exitCode, out, err } = await run(["open", "--reason", REASON, "--json", ...args]);
  expect([exitCode, err]).toEqual([EXIT.ok, ""]);
  return JSON.parse(out) as Json;
}
const exchange = (code: unknown) => testing.send("POST", "/api/v1/auth/break-glass", { code });
const bearerOf = (body: Json) => ({ authorization: `Bearer ${String(body["access_token"])}` });

describe("A3 break-glass", () => {
  test("lets an operator in for minutes, who can do what was asked for and no more, and ends by itself", async () => {
    const opened = await open("--minutes", "10", "--tenant", "demo");
    const answer = await exchange(opened["code"]);
    expect(answer.status).toBe(200);
    const body = await json(answer);
    expect(Object.keys(body).toSorted()).toEqual(["access_token", "expires_in", "token_type"]);
    expect(Number(body["expires_in"])).toBeGreaterThan(590);
    expect(Number(body["expires_in"])).toBeLessThanOrEqual(600);
    const bearer = bearerOf(body);
    const create = (tenant: string) =>
      testing.send("POST", "/api/v1/mgt/configs", newConfig({ tenant, name: `bg-${tenant}.json` }), bearer);
    expect((await create("demo")).status).toBe(201);
    expect((await create("other")).status).toBe(403);
    const unlock = () => testing.send("POST", "/api/v1/auth/unlock", { username: "reader" }, bearer);
    expect((await unlock()).status).toBe(200);
    place.aheadS = 601;
    expect((await unlock()).status).toBe(401);
  });

  test("is loud: in the audit of the system and of the tenant, with reason and name, and in the log", async () => {
    const opened = await open("--tenant", "demo");
    expect((await exchange(opened["code"])).status).toBe(200);
    const rows = await place.owner`
      select tenant_id, actor_type, action, summary from audit_logs
      where summary like ${"BREAK-GLASS%"} and created_at > now() - interval '1 minute' order by id desc limit 4`;
    expect(rows.map((row) => String(row["tenant_id"])).toSorted()).toEqual([
      "_system",
      "_system",
      "demo",
      "demo",
    ]);
    for (const row of rows) expect(row["summary"]).toContain(REASON);
    const [came] = rows.filter((row) => row["tenant_id"] === "demo" && row["action"] === "login");
    expect(came?.["summary"]).toMatch(/^BREAK-GLASS session until /);
    expect(testing.logs).toContainEqual(
      expect.objectContaining({ level: "warn", message: "break-glass session", reason: REASON }),
    );
    const stored = await place.owner`select * from break_glass_grants`;
    expect(JSON.stringify(stored)).not.toContain(String(opened["code"]));
  });

  test("a code is good once, also for two at once, and not after its time", async () => {
    const { code } = await open();
    const answers = await Promise.all([exchange(code), exchange(code), exchange(code)]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 401, 401]);
    const { code: late } = await open("--minutes", "1");
    place.aheadS = 61;
    expect((await exchange(late)).status).toBe(401);
    expect((await exchange("x".repeat(43))).status).toBe(401);
    expect((await exchange("short")).status).toBe(400);
  });

  test("close ends sessions and codes at once", async () => {
    const [used, unused] = [await open("--tenant", "demo"), await open()];
    const bearer = bearerOf(await json(await exchange(used["code"])));
    const list = () => testing.send("GET", "/api/v1/mgt/configs?tenant=demo", undefined, bearer);
    expect((await list()).status).toBe(200);
    const { exitCode, out } = await run(["close"]);
    expect([exitCode, out]).toEqual([EXIT.ok, expect.stringMatching(/^\d+ ended$/)]);
    expect((await list()).status).toBe(401);
    expect((await exchange(unused["code"])).status).toBe(401);
    const [row] = await place.owner`
      select summary from audit_logs where tenant_id = '_system' order by id desc limit 1`;
    expect(row?.["summary"]).toMatch(/^BREAK-GLASS closed: [1-9]\d* ended$/);
  });

  test("the next opening tidies up what expired ones left behind", async () => {
    const { username } = await open("--tenant", "demo");
    await place.owner`update break_glass_grants set created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'`;
    await open();
    const [user] = await place.owner`select is_active from users where username = ${String(username)}`;
    expect(user).toEqual({ is_active: false });
  });

  const rolesOf = async (): Promise<unknown[]> =>
    (await place.owner`select name from roles where name like 'break-glass%' order by name`).map(
      (row) => row["name"],
    );

  test("what may do everything in a tenant is a role of the grant's own, which ends with it", async () => {
    await run(["close"]);
    expect(await rolesOf()).toEqual([]);
    // Whoever may write roles of the tenant can make one of any name before, and hold it.
    await place.owner`insert into roles (tenant_id, id, name) values ('demo', 'demo.trap', 'break-glass')`;
    await place.owner`insert into user_roles (tenant_id, user_id, role_id) values ('demo', 'usr_reader', 'demo.trap')`;
    const { username } = await open("--tenant", "demo", "demo");
    const held = await place.owner`
      select p.action from user_roles l join permissions p on p.role_id = l.role_id
      where l.user_id = 'usr_reader' and p.resource_pattern = '**'`;
    expect(held).toHaveLength(0);
    expect(await rolesOf()).toEqual(["break-glass", username]);
    await place.owner`update roles set name = 'break-glass-kept' where name = ${String(username)}`;
    await run(["close"]);
    expect(await rolesOf()).toEqual(["break-glass"]);
    const rows = await place.owner`
      select tenant_id from audit_logs where summary = ${`BREAK-GLASS ended for ${String(username)}`}`;
    expect(rows.map((row) => row["tenant_id"])).toEqual(["demo"]);
    await place.owner`delete from roles where name = 'break-glass'`;
  });

  test("a role of the grant's name that is there already is refused, and nothing is left behind", async () => {
    const id = "01JZZZZZZZZZZZZZZZZZZZZZZZ";
    await place.owner`
      insert into roles (tenant_id, id, name) values ('demo', 'demo.trap', ${`break-glass-${id.toLowerCase()}`})`;
    const database = connectPostgres(place.ownerUrl);
    const nowMs = Date.now();
    const opening = openBreakGlass(database, {
      id,
      codeDigest: "x",
      tenants: ["demo"],
      reason: REASON,
      openedBy: "me",
      nowMs,
      expiresAtMs: nowMs + 1000,
      unique: () => ulid(),
    });
    await expect(opening).rejects.toMatchObject({ code: "already_exists" });
    expect(await place.owner`select 1 from users where username like ${`%${id.toLowerCase()}`}`).toHaveLength(
      0,
    );
    await place.owner`delete from roles where id = 'demo.trap'`;
    await database.close();
  });

  /** As builds before left it: these users have the role that all grants of a tenant shared, and none of their own. */
  async function shareRole(...usernames: string[]): Promise<void> {
    const { owner } = place;
    await owner`delete from roles where name = any(${usernames})`;
    await owner`insert into roles (tenant_id, id, name) values ('demo', 'demo.shared', 'break-glass')`;
    await owner`insert into permissions select 'demo', 'demo.shared', unnest(enum_range(null::rbac_action)), '**'`;
    await owner`insert into permissions values ('demo', 'demo.shared', 'read', 'demo/shop/**')`;
    await owner`insert into user_roles select 'demo', id, 'demo.shared' from users
      where username = any(${[...usernames, "reader"]})`;
  }
  const given = () =>
    place.owner`select 1 from permissions p join roles r on r.id = p.role_id where r.name = 'break-glass'`;

  test("an expired one of an older build leaves another that is open what the two shared", async () => {
    const expired = String((await open("--tenant", "demo"))["username"]);
    await place.owner`update break_glass_grants set created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'`;
    const going = String((await open("--tenant", "demo"))["username"]);
    await place.owner`update users set is_active = true where username = ${expired}`;
    await shareRole(expired, going);
    await open("--tenant", "demo");
    expect(await given()).toHaveLength(8);
    await run(["close"]);
    expect(await given()).toHaveLength(1);
    await place.owner`delete from roles where name = 'break-glass'`;
  });

  test("close ends expired ones, too, and takes what an older build gave a role that others hold", async () => {
    const { username } = await open("--tenant", "demo");
    await place.owner`update break_glass_grants set created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'`;
    await place.owner`update users set is_active = false where username = ${String(username)}`;
    await shareRole(String(username));
    expect(await given()).toHaveLength(8);
    expect((await run(["close"])).exitCode).toBe(EXIT.ok);
    expect(await given()).toHaveLength(1);
    const [left] = await place.owner`
      select count(*)::int as n from user_roles l join users u on u.id = l.user_id where u.username = ${String(username)}`;
    expect(left?.["n"]).toBe(0);
    expect((await run(["close", "--json"])).out).toBe('{"closed":0}');
    await place.owner`delete from roles where name = 'break-glass'`;
  });

  test("its user administers no tenant in the sense that another need not", async () => {
    const urls = await cloneDatabase();
    const app = await startAccessApp(["demo"], urls);
    const { ok, ask } = accessClient(app);
    const last = await app.user("demo", "last", everything("demo", "demo/**"));
    const { exitCode } = await run(["open", "--reason", REASON, "--tenant", "demo"], urls.ownerUrl);
    expect(exitCode).toBe(EXIT.ok);
    const remove = () => ask(last, "DELETE", `/users/${last.id}`);
    expect(await remove()).toMatchObject({ status: 409, json: { code: "conflict" } });
    await app.owner`update break_glass_grants set created_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'`;
    expect(await remove()).toMatchObject({ status: 409, json: { code: "conflict" } });
    const other = await ok(last, "POST", "/users", {
      tenant: "demo",
      username: "other",
      password: "correct horse",
      role_ids: [last.roleId],
    });
    expect(other).toMatchObject({ is_active: true });
    expect((await remove()).status).toBe(200);
    await app.close();
  });

  test.each([
    ["no reason", ["open"], EXIT.usage],
    ["a reason that says nothing", ["open", "--reason", "because"], EXIT.usage],
    ["no time", ["open", "--reason", REASON, "--minutes", "0"], EXIT.usage],
    [
      "too long a time",
      ["open", "--reason", REASON, "--minutes", String(BREAK_GLASS_MINUTES_MAX + 1)],
      EXIT.usage,
    ],
    ["a tenant that is none", ["open", "--reason", REASON, "--tenant", "nowhere"], EXIT.refused],
  ])("refuses %s and leaves nothing behind", async (_name, args, exitCode) => {
    const count = async () => (await place.owner`select count(*)::int as n from users`)[0]?.["n"] as number;
    const before = await count();
    expect((await run(args)).exitCode).toBe(exitCode);
    expect(await count()).toBe(before);
  });

  test("refuses without a database, and says which variable", async () => {
    expect(await run(["open", "--reason", REASON], "")).toMatchObject({
      exitCode: EXIT.usage,
      err: expect.stringContaining("CONFLUX_OWNER_DATABASE_URL"),
    });
    const away = await run(["open", "--reason", REASON], "postgres://owner@127.0.0.1:1/none");
    expect(away.exitCode).toBe(EXIT.unavailable);
  });

  test("the application cannot open one", async () => {
    const { exitCode } = await run(["open", "--reason", REASON], place.appUrl);
    expect(exitCode).toBe(EXIT.refused);
    const [row] = await place.owner`
      select has_table_privilege('conflux_app', 'break_glass_grants', 'insert') as inserts,
        has_function_privilege('conflux_app', 'conflux_make_operator(text)', 'execute') as makes,
        has_function_privilege('conflux_app', 'conflux_deactivate_user(text, timestamptz)', 'execute') as ends`;
    expect(row).toEqual({ inserts: false, makes: false, ends: false });
  });
});
