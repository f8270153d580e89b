// Over 400 lines: every way across tenants is tried on the same rows, over one setup.
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cloneDatabase } from "../../test/testing/postgres.ts";
import { connectPostgres } from "./connect.ts";
import { fillTenants } from "./testing/fill-tenants.ts";
import { FUNCTIONS, FURTHER_POLICIES, schemaFaults, TABLES_WITHOUT_TENANT } from "./testing/schema-faults.ts";
import { inTransaction, withTenant } from "./with-tenant.ts";

const ONE = "marker-one";
const TWO = "marker-two";
/** Who sets no tenant, an empty one, one that is not there, or a pattern. */
const STRANGERS = [null, "", "marker-three", "marker-", "%", "*"];
const DENIED = "42501";

let owner: postgres.Sql;
let app: postgres.Sql;
/** What the catalogue has: tables with and without tenants, partitions, views, materialised views, sequences. */
let relations: { name: string; kind: string; of_tenants: boolean; is_partition: boolean }[];
let tables: string[];
const notices: string[] = [];

beforeAll(async () => {
  const urls = await cloneDatabase();
  owner = postgres(urls.ownerUrl, { max: 2 });
  app = postgres(urls.appUrl, { max: 2, onnotice: ({ message }) => notices.push(String(message)) });
  relations = await owner`
    select c.relname as name, c.relkind as kind, c.relispartition as is_partition,
      exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
        as of_tenants
    from pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relnamespace = 'public'::regnamespace
    order by 1`;
  tables = relations
    .filter((r) => r.of_tenants && "rp".includes(r.kind) && !r.is_partition)
    .map((r) => r.name);
  await fillTenants(owner, [ONE, TWO]);
});
afterAll(() => Promise.all([owner.end(), app.end()]));

/** As conflux_app, with a tenant set or none. */
function as<T>(tenant: string | null, fn: (tx: postgres.TransactionSql) => Promise<T>) {
  return app.begin(async (tx) => {
    if (tenant !== null) await tx`select set_config('conflux.tenant_id', ${tenant}, true)`;
    return fn(tx);
  });
}
/** The SQLSTATE and words with which Postgres refuses; null when it does not. */
async function refusal(work: Promise<unknown>): Promise<{ code: string; text: string } | null> {
  try {
    await work;
    return null;
  } catch (error) {
    if (!(error instanceof postgres.PostgresError)) throw error;
    return { code: error.code, text: `${error.message} ${error.detail ?? ""}` };
  }
}
/** Rows as text, or none where the role may not read. */
async function readAll(tenant: string | null, statement: string): Promise<string> {
  const found = await as(tenant, (tx) => tx.unsafe(statement)).catch((error: unknown) => {
    expect((error as postgres.PostgresError).code, statement).toBe(DENIED);
    return [];
  });
  return JSON.stringify(found);
}
/** Everything that a tenant has, as its owner sees it. */
async function contents(tenant: string): Promise<string[]> {
  const all: string[] = [];
  for (const table of tables) {
    const rows = await owner.unsafe(`select t::text as row from "${table}" t where tenant_id = $1`, [tenant]);
    all.push(
      `${table} ${rows
        .map((r) => String(r["row"]))
        .toSorted()
        .join()}`,
    );
  }
  return all;
}
const rowOf = async (table: string, tenant: string): Promise<Record<string, unknown>> =>
  (await owner.unsafe(`select to_jsonb(t) as row from "${table}" t where tenant_id = $1`, [tenant]))[0]?.[
    "row"
  ];
/** Inserts a row as the role: all columns that it may write, or all there are where it may write none. */
async function insert(
  tx: postgres.TransactionSql,
  table: string,
  row: Record<string, unknown>,
  behind = "",
): Promise<unknown> {
  const writable = await tx<{ name: string }[]>`
    select attname as name from pg_attribute where attrelid = ${table}::regclass and attnum > 0 and not attisdropped
      and has_column_privilege(attrelid, attnum, 'insert')`;
  const columns = writable.length > 0 ? writable.map(({ name }) => name) : Object.keys(row);
  const names = columns.map((name) => `"${name}"`).join(", ");
  return tx.unsafe(
    `insert into "${table}" (${names}) overriding system value
     select ${names} from jsonb_populate_record(null::"${table}", $1::text::jsonb) ${behind}`,
    [JSON.stringify(row)],
  );
}

describe("A2 the catalogue", () => {
  test("says nothing against the isolation of tenants", async () => {
    expect(await schemaFaults(owner)).toEqual([]);
  });

  test("every entry of the lists is still there, with a reason", async () => {
    const names = await owner`
      select p.oid::regprocedure::text as name from pg_proc p where pronamespace = 'public'::regnamespace`;
    const functions = names.map((r) => String(r["name"]));
    for (const [name, why] of Object.entries(FUNCTIONS)) {
      expect(functions).toContain(name);
      expect(why).not.toBe("");
    }
    const policies = await owner`
      select polrelid::regclass || '.' || polname as name from pg_policy`.then((rows) =>
      rows.map((r) => r["name"]),
    );
    for (const [name, why] of Object.entries(FURTHER_POLICIES)) {
      expect(policies).toContain(name);
      expect(why).not.toBe("");
    }
    const known = relations.map(({ name }) => name);
    for (const [name, { why }] of Object.entries(TABLES_WITHOUT_TENANT)) {
      expect(known).toContain(name);
      expect(why).not.toBe("");
    }
  });

  /** What somebody could add in a migration, and what is said of it. */
  const MISTAKES: [string, RegExp][] = [
    [
      "create table bare (tenant_id text primary key); grant select on bare to conflux_app",
      /bare: row-level/,
    ],
    [
      "create table unforced (tenant_id text primary key); alter table unforced enable row level security; create policy p on unforced using (tenant_id = conflux_tenant_id()) with check (tenant_id = conflux_tenant_id())",
      /^unforced: row-level/,
    ],
    [
      "create table open (tenant_id text primary key); alter table open enable row level security; alter table open force row level security; create policy p on open using (true) with check (true)",
      /open: no policy/,
    ],
    ["create policy more on roles for select using (true)", /roles\.more: a further policy/],
    [
      "create policy more on roles for insert to conflux_app with check (true)",
      /roles\.more: a further policy/,
    ],
    ["alter table roles no force row level security", /^roles: row-level/],
    ["create table global (id text)", /global: a table without tenant_id/],
    ["grant select (password_hash) on users to conflux_app", /users: a table without tenant_id/],
    ["grant insert on users to conflux_app", /users: a table without tenant_id/],
    ["grant delete on clusters to conflux_app", /clusters: a table without tenant_id/],
    ["create unique index roles_by_name on roles (name)", /roles_by_name: a primary or unique/],
    ["alter table roles add constraint one_name unique (id)", /one_name: a primary or unique/],
    [
      "alter table roles add constraint one unique (id); alter table client_tokens add role_id text references roles (id)",
      /client_tokens\..*: a foreign key that can point/,
    ],
    [
      "create table global (id text primary key); alter table roles add global_id text references global (id)",
      /roles\.global_id: a foreign key to a table without tenants/,
    ],
    ["grant truncate on roles to conflux_app", /roles: conflux_app has a privilege/],
    ["grant references (id) on roles to conflux_app", /roles: conflux_app has a privilege/],
    [
      "create table parts (tenant_id text, at date) partition by range (at); create table part_1 partition of parts for values from ('2026-01-01') to ('2026-02-01'); grant select on part_1 to conflux_app",
      /part_1: a partition/,
    ],
    ["create view names as select name from roles", /names: a view without security_invoker/],
    ["create view names with (security_invoker = false) as select 1 as one", /names: a view without/],
    [
      "create materialized view kept as select * from roles; grant select on kept to conflux_app",
      /kept: a materialised view or a sequence/,
    ],
    [
      "create sequence numbers; grant usage on numbers to conflux_app",
      /numbers: a materialised view or a seq/,
    ],
    ["create function tell() returns bigint language sql return 1", /tell\(\): a function that/],
    [
      "create function tell() returns bigint language sql security definer return (select count(*) from roles)",
      /tell\(\): a SECURITY DEFINER function/,
    ],
    [
      "alter function conflux_find_user_for_login(text) reset search_path",
      /find_user_for_login.*: a SECURITY/,
    ],
    ["grant execute on function conflux_is_operator to public", /is_operator.*: a SECURITY DEFINER/],
    ["grant pg_read_all_data to conflux_app", /conflux_app: conflux_app is more/],
    ["alter role conflux_app bypassrls", /conflux_app: conflux_app is more/],
    ["alter table roles owner to conflux_app", /conflux_app: conflux_app is more/],
    ["grant create on schema public to conflux_app", /conflux_app: conflux_app is more/],
    [
      "alter default privileges in schema public grant select on tables to conflux_app",
      /conflux_app: conflux_app is more/,
    ],
  ];
  test.each(MISTAKES)("would say so of: %s", async (mistake, said) => {
    let faults: string[] = [];
    const undone = new Error("undo");
    const work = owner.begin(async (tx) => {
      await tx.unsafe(mistake);
      faults = await schemaFaults(tx);
      throw undone;
    });
    await expect(work).rejects.toBe(undone);
    expect(faults).toEqual(expect.arrayContaining([expect.stringMatching(said)]));
  });

  test("the role becomes nobody else", async () => {
    for (const statement of [
      "set role conflux_login",
      "set role postgres",
      "set session authorization postgres",
      "alter role conflux_app superuser",
      "alter table roles disable row level security",
      "drop policy tenant_isolation on roles",
      "create table mine (id text)",
      "create function mine() returns int language sql return 1",
    ]) {
      expect((await refusal(as(ONE, (tx) => tx.unsafe(statement))))?.code, statement).toBe(DENIED);
    }
  });
});

describe("A2 reading", () => {
  test("every table, partition, view and materialised view shows a tenant its own, and a stranger nothing", async () => {
    for (const { name, kind, of_tenants, is_partition } of relations) {
      if (kind === "S" || (!of_tenants && name in TABLES_WITHOUT_TENANT && name !== "users")) continue;
      const statement = `select to_jsonb(t) as row from (select ${name === "users" ? "id, username" : "*"} from "${name}") t`;
      for (const tenant of STRANGERS) {
        expect(await readAll(tenant, statement), `${name} as ${String(tenant)}`).toBe("[]");
      }
      const seen = await readAll(ONE, statement);
      expect(seen, name).not.toContain(TWO);
      if (of_tenants && "rp".includes(kind) && !is_partition) expect(seen, name).toContain(ONE);
    }
  });

  test("counts, also those of the other tenant by name", async () => {
    for (const table of tables) {
      const count = (tenant: string | null, where = "true") =>
        readAll(tenant, `select count(*)::int as n from "${table}" where ${where}`);
      for (const tenant of STRANGERS) expect(await count(tenant), table).toBe('[{"n":0}]');
      expect(await count(ONE), table).toBe('[{"n":1}]');
      expect(await count(ONE, `tenant_id = '${TWO}'`), table).toBe('[{"n":0}]');
      expect(await count(ONE, `tenant_id <> '${ONE}'`), table).toBe('[{"n":0}]');
    }
  });

  test("joins of any two tables, along foreign keys or across", async () => {
    for (const left of tables) {
      for (const right of [...tables, "users", "clusters"]) {
        const statement = `select count(*)::int as n from "${left}" a full join (select * from "${right}" b) b on true
          where to_jsonb(a)::text like '%${TWO}%'`;
        if (right === "users") continue;
        expect(await readAll(ONE, statement), `${left} ${right}`).toBe('[{"n":0}]');
      }
      const users = `select u.username from users u left join "${left}" a on true`;
      expect(await readAll(ONE, users)).not.toContain(TWO);
    }
  });

  test("COPY gives what SELECT gives", async () => {
    for (const table of tables) {
      for (const source of [`"${table}"`, `(select * from "${table}")`]) {
        const copied = await as(ONE, async (tx) => {
          const stream = await tx.unsafe(`copy ${source} to stdout`).readable();
          return (await stream.toArray()).map(String).join("");
        });
        expect(copied, table).toContain(ONE);
        expect(copied, table).not.toContain(TWO);
      }
    }
    for (const statement of ["copy roles to program 'cat'", "copy roles to '/tmp/roles'"]) {
      expect((await refusal(as(ONE, (tx) => tx.unsafe(statement))))?.code).toBe(DENIED);
    }
  });

  test("no condition of the reader is asked about the other tenant's rows", async () => {
    const leak = `create function pg_temp.leak(text) returns boolean language plpgsql cost 0.0001 as
      $$ begin raise notice 'saw %', $1; return true; end $$`;
    for (const table of tables) {
      notices.length = 0;
      await as(ONE, async (tx) => {
        await tx.unsafe(leak);
        await tx.unsafe(`select count(*) from "${table}" t where pg_temp.leak(t::text)`);
        await tx.unsafe("drop function pg_temp.leak(text)");
      });
      expect(notices.join(), table).toContain(ONE);
      expect(notices.join(), table).not.toContain(TWO);
      const divided = `select 1 / (case when tenant_id = '${TWO}' then 0 else 1 end) as n from "${table}"`;
      expect(await readAll(ONE, divided), table).toBe('[{"n":1}]');
      const cast = await refusal(as(ONE, (tx) => tx.unsafe(`select tenant_id::int from "${table}"`)));
      expect(cast?.text, table).not.toContain(TWO);
    }
  });

  test("a plan tells no values, and statistics of guarded tables are hidden", async () => {
    await owner.unsafe("analyze");
    for (const table of tables) {
      const plan = await readAll(ONE, `explain (analyze, verbose) select * from "${table}"`);
      expect(plan, table).not.toContain(TWO);
    }
    const guarded = [...tables, "users"].map((name) => `'${name}'`).join(", ");
    expect(await readAll(ONE, `select * from pg_stats where tablename in (${guarded})`)).toBe("[]");
  });

  test("row_security off is an error and no way around", async () => {
    for (const table of tables) {
      const off = as(ONE, async (tx) => {
        await tx.unsafe("set local row_security = off");
        return tx.unsafe(`select count(*) from "${table}"`);
      });
      expect((await refusal(off))?.code, table).toBe(DENIED);
    }
  });
});

describe("A2 writing", () => {
  test("nothing is written into another tenant, whatever is added to the statement", async () => {
    const before = await contents(TWO);
    for (const table of tables) {
      const row = await rowOf(table, TWO);
      for (const tenant of [...STRANGERS, ONE]) {
        for (const behind of [
          "",
          "on conflict do nothing",
          "returning *",
          "on conflict do nothing returning *",
        ]) {
          const refused = await refusal(as(tenant, (tx) => insert(tx, table, row, behind)));
          expect(refused?.code, `${table} as ${String(tenant)} ${behind}`).toBe(DENIED);
        }
      }
      const keys = await owner<{ name: string }[]>`
        select a.attname as name from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
        where i.indisprimary and i.indrelid = ${table}::regclass`;
      const key = keys.map(({ name }) => `"${name}"`).join(", ");
      const behind = `on conflict (${key}) do update set tenant_id = excluded.tenant_id returning *`;
      expect((await refusal(as(ONE, (tx) => insert(tx, table, row, behind))))?.code, table).toBe(DENIED);
    }
    expect(await contents(TWO)).toEqual(before);
  });

  test("the other tenant's rows are neither changed, nor deleted, nor moved, nor taken", async () => {
    const before = await contents(TWO);
    for (const table of tables) {
      const columns = await owner<{ name: string }[]>`
        select a.attname as name from pg_attribute a where a.attrelid = ${table}::regclass and a.attnum > 0
          and a.attidentity = '' and has_column_privilege('conflux_app', a.attrelid, a.attnum, 'update')`;
      const statements = [
        `delete from "${table}" where tenant_id = '${TWO}' returning 1`,
        `update "${table}" set tenant_id = '${ONE}' where tenant_id = '${TWO}' returning 1`,
        `select 1 from "${table}" where tenant_id = '${TWO}' for update`,
        `merge into "${table}" t using (values (1)) v on t.tenant_id = '${TWO}' when matched then delete`,
        `with gone as (delete from "${table}" where tenant_id <> '${ONE}' returning 1) select * from gone`,
        ...columns.map(
          ({ name }) => `update "${table}" set "${name}" = "${name}" where tenant_id = '${TWO}' returning 1`,
        ),
      ];
      for (const tenant of [...STRANGERS, ONE]) {
        for (const statement of statements) expect(await readAll(tenant, statement), statement).toBe("[]");
      }
      const away = `update "${table}" set tenant_id = '${TWO}' where tenant_id = '${ONE}'`;
      expect((await refusal(as(ONE, (tx) => tx.unsafe(away))))?.code, away).toBe(DENIED);
      expect((await refusal(as(ONE, (tx) => tx.unsafe(`truncate "${table}" cascade`))))?.code).toBe(DENIED);
    }
    expect(await contents(TWO)).toEqual(before);
  });

  test("pointing to the other tenant's row is refused in the words for one that never was", async () => {
    const keys = await owner<{ table: string; column: string; target: string; key: string }[]>`
      select k.conrelid::regclass::text as table, a.attname as column, k.confrelid::regclass::text as target, b.attname as key
      from pg_constraint k join generate_subscripts(k.conkey, 1) i on true
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[i]
      join pg_attribute b on b.attrelid = k.confrelid and b.attnum = k.confkey[i]
      where k.contype = 'f' and a.attname <> 'tenant_id' and k.conrelid::regclass::text = any(${tables})
        and k.confrelid::regclass::text = any(${tables})`;
    expect(keys.length).toBeGreaterThan(0);
    for (const { table, column, target, key } of keys) {
      const own = await rowOf(table, ONE);
      const theirs = String((await rowOf(target, TWO))[key]);
      const point = async (to: string) => {
        const refused = await refusal(as(ONE, (tx) => insert(tx, table, { ...own, [column]: to })));
        return { ...refused, text: refused?.text.replaceAll(to, "…") };
      };
      const refused = await point(theirs);
      expect(refused.code, `${table}.${column}`).toBe("23503");
      expect(refused).toEqual(await point("never-was"));
    }
  });
});

describe("A2 functions", () => {
  test("signing in finds one user by the exact name or id, and no pattern", async () => {
    const user = await owner`select id, username from users order by id`;
    const [first] = user;
    expect(await app`select username from conflux_find_user_for_login(${first?.["username"]})`).toHaveLength(
      1,
    );
    for (const name of ["%", "", String(first?.["username"]).toUpperCase(), "' or true --"]) {
      expect(await app`select id from conflux_find_user_for_login(${name})`).toHaveLength(0);
      expect(await app`select username from conflux_find_session_user(${name})`).toHaveLength(0);
    }
    const [session] = await app`select tenants from conflux_find_session_user(${first?.["id"]})`;
    expect(session?.["tenants"]).toEqual([ONE]);
    const [operator] = await app`select conflux_is_operator(${first?.["id"]}, now()) as is`;
    expect(operator?.["is"]).toBe(false);
  });

  test("a tenant sees the users who hold one of its roles, and nobody's password", async () => {
    expect(await readAll(ONE, "select username from users")).toBe(`[{"username":"${ONE}-value"}]`);
    for (const statement of [
      "select password_hash from users",
      "select is_operator from users",
      "select * from users",
      "update users set is_operator = true",
      "delete from users",
      "insert into users (id, username, is_operator) values ('x', 'x', true)",
      "insert into users values ('x', 'x', null, null, true, now(), now(), true, 1)",
    ]) {
      expect((await refusal(as(ONE, (tx) => tx.unsafe(statement))))?.code, statement).toBe(DENIED);
    }
    for (const tenant of [null, "_system"]) {
      const operator = "insert into users (id, username, is_operator) values ('x', 'x', true)";
      expect((await refusal(as(tenant, (tx) => tx.unsafe(operator))))?.code).toBe(DENIED);
    }
    const before = await owner`select u::text from users u where username like ${`${TWO}%`}`;
    await refusal(as(ONE, (tx) => tx.unsafe("update users set is_active = false")));
    expect(await owner`select u::text from users u where username like ${`${TWO}%`}`).toEqual(before);
  });
});

describe("A2 the tenant of a transaction", () => {
  test("does not outlive it on a pooled connection, however it ends", async () => {
    const database = connectPostgres((await cloneDatabase()).appUrl, { connectionsMax: 1 });
    const tenant = () =>
      inTransaction(database, async (tx) => {
        const [row] = await tx.execute("select conflux_tenant_id() as tenant, pg_backend_pid() as pid");
        return row;
      });
    const first = await tenant();
    expect(first?.["tenant"] ?? "").toBe("");
    await withTenant(database, ONE, (tx) => tx.execute("select 1"));
    await expect(withTenant(database, ONE, (tx) => tx.execute("select 1 / 0"))).rejects.toThrow();
    await expect(
      withTenant(database, ONE, (tx) =>
        tx.transaction(async (inner) => {
          await inner.execute("select set_config('conflux.tenant_id', 'inner', true)");
        }),
      ),
    ).resolves.toBeUndefined();
    const last = await tenant();
    expect(last?.["pid"]).toBe(first?.["pid"]);
    expect(last?.["tenant"] ?? "").toBe("");
    await database.close();
  });

  test("is nobody's at first, even on a connection that somebody else has set for its session", async () => {
    const database = connectPostgres((await cloneDatabase()).appUrl, { connectionsMax: 1 });
    await inTransaction(database, (tx) =>
      tx.execute(`select set_config('conflux.tenant_id', '${ONE}', false)`),
    );
    const [row] = await inTransaction(database, (tx) => tx.execute("select conflux_tenant_id() as tenant"));
    expect(row?.["tenant"]).toBe("");
    await database.close();
  });
});

describe("A5 the audit", () => {
  test("is append-only, for its owner too, and outlives its tenant", async () => {
    for (const statement of [
      "update audit_logs set summary = 'x'",
      "delete from audit_logs",
      "truncate audit_logs",
    ]) {
      expect((await refusal(owner.unsafe(statement)))?.code).toBe(DENIED);
      expect((await refusal(as(ONE, (tx) => tx.unsafe(statement))))?.code).toBe(DENIED);
    }
    const undone = new Error("undo");
    const work = owner.begin(async (tx) => {
      await tx`delete from client_tokens where tenant_id = ${ONE}`;
      await tx`delete from tenants where tenant_id = ${ONE}`;
      expect(await tx`select 1 from audit_logs where tenant_id = ${ONE}`).toHaveLength(1);
      throw undone;
    });
    await expect(work).rejects.toBe(undone);
  });
});
