import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cloneDatabase } from "../../test/testing/postgres.ts";

/** How to make one row of each tenant table. A table that is not here fails the tests: say how it is filled. */
const ROWS: Record<string, string> = {
  tenants: "insert into tenants (tenant_id, cluster_id) values ($1, 'c1')",
  applications: "insert into applications (tenant_id, name) values ($1, 'shop')",
  roles: "insert into roles (tenant_id, id, name) values ($1, 'r1', 'admin')",
  permissions: "insert into permissions values ($1, 'r1', 'read', '**')",
  user_roles: "insert into user_roles values ($1, 'u1', 'r1')",
  client_tokens:
    "insert into client_tokens (tenant_id, id, name, scopes, created_by, expires_at) values ($1, 't1', 't', '{read:x}', 'u1', now() + interval '1 day')",
  idempotency_keys: "insert into idempotency_keys values ($1, 's', 'd', '{}', now())",
  delivery_clients:
    "insert into delivery_clients (tenant_id, config, client_id, region, version_id, state, reported_at, seen_at) values ($1, 't/a/e/n', 'c1', 'r1', 1, 'applied', now(), now())",
  config_fetches: "insert into config_fetches values ($1, 't/a/e/n', 'r1', now())",
  propagation_latency: "insert into propagation_latency values ($1, 't/a/e/n', 'r1', current_date, 50, 1)",
  login_subjects:
    "insert into login_subjects (tenant_id, subject, shard, last_at) values ($1, 's', 0, now())",
  login_addresses: "insert into login_addresses values ($1, 's', 'u1', now())",
  session_families:
    "insert into session_families values ($1, 'f', 'u1', 'd', null, now(), now(), now(), now())",
  user_identities: "insert into user_identities values ($1, 'https://i', 's', 'u1', now())",
  break_glass_grants:
    "insert into break_glass_grants values ($1, 'g', 'u1', 'd', 'a good reason', 'me', now(), now(), null)",
  audit_logs:
    "insert into audit_logs (tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome, trace_id, summary, created_at) values ($1, 'user', 'u1', 'u', '', 'write', 'x', 'success', '', '', now())",
};
const UPDATABLE: Record<string, string> = {
  client_tokens: "revoked_at = now()",
  break_glass_grants: "used_at = now()",
};

let owner: postgres.Sql;
let app: postgres.Sql;
let tables: string[];

beforeAll(async () => {
  const urls = await cloneDatabase();
  owner = postgres(urls.ownerUrl, { max: 2 });
  app = postgres(urls.appUrl, { max: 2 });
  tables = (
    await owner<{ name: string }[]>`
      select c.relname as name from pg_class c
      join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
      where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace order by 1`
  ).map((row) => row.name);
  await owner`insert into clusters (id) values ('c1')`;
  await owner`insert into users (id, username, password_hash) values ('u1', 'ada', '$argon2id$x'), ('u2', 'bob', '$argon2id$x')`;
  for (const tenant of ["one", "two"]) {
    for (const insert of Object.values(ROWS)) await owner.unsafe(insert, [tenant]);
  }
});
afterAll(() => Promise.all([owner.end(), app.end()]));

/** As conflux_app, with a tenant set or none. */
function as<T>(tenant: string | null, fn: (tx: postgres.TransactionSql) => Promise<T>) {
  return app.begin(async (tx) => {
    if (tenant !== null) await tx`select set_config('conflux.tenant_id', ${tenant}, true)`;
    return fn(tx);
  });
}
const count = async (tx: postgres.TransactionSql, table: string): Promise<number> =>
  Number((await tx.unsafe(`select count(*) as n from ${table}`))[0]?.["n"]);

describe("A2 row-level security", () => {
  test("every tenant table is known here and has a policy, enabled and forced", async () => {
    expect(tables).toEqual(Object.keys(ROWS).toSorted());
    const rows = await owner`
      select relname from pg_class c where relname = any(${tables}) and not (
        relrowsecurity and relforcerowsecurity and exists (
          select from pg_policy p where p.polrelid = c.oid and p.polcmd = '*' and p.polwithcheck is not null))`;
    expect(rows.map((r) => r["relname"])).toEqual([]);
  });

  test("every primary, unique and foreign key of a tenant table includes tenant_id", async () => {
    const rows = await owner`
      select conrelid::regclass::text || '.' || conname as name from pg_constraint k
      where conrelid::regclass::text = any(${tables}) and contype in ('p', 'u', 'f')
        and not exists (
          select from pg_attribute a
          where a.attrelid = conrelid and a.attnum = any(conkey) and a.attname = 'tenant_id')
        -- what they point to has no tenant
        and (contype <> 'f' or confrelid::regclass::text = any(${tables}))`;
    expect(rows.map((r) => r["name"])).toEqual([]);
  });

  test("the application's role owns nothing and is bound by policies", async () => {
    const [role] =
      await owner`select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, oid from pg_roles where rolname = 'conflux_app'`;
    expect(role).toMatchObject({
      rolsuper: false,
      rolbypassrls: false,
      rolcreaterole: false,
      rolcreatedb: false,
    });
    const owned = await owner`select relname from pg_class where relowner = ${role?.["oid"]}`;
    expect(owned).toHaveLength(0);
  });

  test("with no or an unknown tenant every table is empty; with one, the others' rows are", async () => {
    for (const table of tables) {
      for (const tenant of [null, "", "three", "on_"]) {
        expect(await as(tenant, (tx) => count(tx, table)), `${table} as ${tenant}`).toBe(0);
      }
      expect(await as("one", (tx) => count(tx, table)), table).toBe(1);
      const [row] = await as("two", (tx) => tx.unsafe(`select tenant_id from ${table}`));
      expect(row?.["tenant_id"]).toBe("two");
    }
  });

  test("the tenant does not outlive its transaction", async () => {
    const one = postgres((await cloneDatabase()).appUrl, { max: 1 });
    await one.begin((tx) => tx`select set_config('conflux.tenant_id', 'one', true)`);
    const [row] = await one`select conflux_tenant_id() as tenant`;
    expect(row?.["tenant"] ?? "").toBe("");
    await one.end();
  });

  test("nothing is written into another tenant, with the wrong one set or none", async () => {
    for (const [table, insert] of Object.entries(ROWS)) {
      for (const tenant of [null, "two"]) {
        await expect(
          as(tenant, (tx) => tx.unsafe(insert, ["one"])),
          `${table} as ${tenant}`,
        ).rejects.toMatchObject({ code: "42501" });
      }
    }
  });

  test("another tenant's rows are neither changed nor deleted", async () => {
    for (const table of tables) {
      const change = UPDATABLE[table] ?? "tenant_id = tenant_id";
      const statements = [
        `update ${table} set ${change} where true returning 1`,
        `delete from ${table} returning 1`,
      ];
      for (const statement of statements) {
        const touched = await as("three", (tx) => tx.unsafe(statement)).catch((error: unknown) => {
          expect((error as postgres.PostgresError).code, statement).toBe("42501");
          return [];
        });
        expect(touched, statement).toHaveLength(0);
      }
    }
  });

  test("a tenant sees the users who hold one of its roles, and nobody's password", async () => {
    expect(await as("one", (tx) => tx`select username from users`)).toMatchObject([{ username: "ada" }]);
    expect(await as(null, (tx) => tx`select username from users`)).toHaveLength(0);
    await expect(as("one", (tx) => tx`select password_hash from users`)).rejects.toMatchObject({
      code: "42501",
    });
    await expect(as("one", (tx) => tx`update users set is_active = false`)).rejects.toMatchObject({
      code: "42501",
    });
    await expect(as(null, (tx) => tx`set local role conflux_login`)).rejects.toMatchObject({ code: "42501" });
  });

  test("signing in finds one user by the exact name, and the functions are nobody else's", async () => {
    expect(await app`select id from conflux_find_user_for_login('bob')`).toMatchObject([{ id: "u2" }]);
    expect(await app`select id from conflux_find_user_for_login('BOB')`).toHaveLength(0);
    expect(await app`select id from conflux_find_user_for_login('%')`).toHaveLength(0);
    const [row] = await app`select tenants from conflux_find_session_user('u1')`;
    expect(row?.["tenants"]).toEqual(["one", "two"]);
    const others = await owner`
      select p.oid::regprocedure::text as name from pg_proc p
      where p.prosecdef and p.pronamespace = 'public'::regnamespace
        and (has_function_privilege('pg_monitor', p.oid, 'execute')
          or p.proowner <> (select oid from pg_roles where rolname = 'conflux_login'))`;
    expect(others.map((r) => r["name"])).toEqual([]);
  });

  test("A5 the audit is append-only, for its owner too", async () => {
    for (const statement of [
      "update audit_logs set summary = 'x'",
      "delete from audit_logs",
      "truncate audit_logs",
    ]) {
      await expect(owner.unsafe(statement)).rejects.toMatchObject({ code: "42501" });
      await expect(as("one", (tx) => tx.unsafe(statement))).rejects.toMatchObject({ code: "42501" });
    }
    await owner
      .begin(async (tx) => {
        await tx`delete from client_tokens where tenant_id = 'one'`;
        await tx`delete from tenants where tenant_id = 'one'`;
        expect(await tx`select 1 from audit_logs where tenant_id = 'one'`).toHaveLength(1);
        throw new Error("undo");
      })
      .catch((error: unknown) => expect((error as Error).message).toBe("undo"));
  });
});
