import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, inject, test } from "vitest";
import { createDatabase, databaseUrl, MIGRATIONS_DIRECTORY } from "../../test/testing/postgres.ts";
import { connectPostgres } from "./connect.ts";
import { findUserForLogin } from "./find-user-for-login.ts";
import { migrate } from "./migrate.ts";
import { ensureAdminUser, ensureTenant } from "./seed-access.ts";

let directory: string;
let url: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "conflux-migrations-"));
  await cp(MIGRATIONS_DIRECTORY, directory, { recursive: true });
  url = databaseUrl(inject("postgresUrl"), await createDatabase());
});
afterEach(() => rm(directory, { recursive: true }));

async function query(statement: string): Promise<Record<string, unknown>[]> {
  const client = postgres(url, { max: 1 });
  try {
    return [...(await client.unsafe(statement))];
  } finally {
    await client.end();
  }
}

describe("L9 migrate", () => {
  test("applies every file once, in order", async () => {
    const names = (await readdir(directory)).filter((n) => n.endsWith(".sql")).toSorted();
    expect(await migrate({ url, directory })).toEqual(names);
    expect(await migrate({ url, directory })).toEqual([]);
    await writeFile(join(directory, "9000_more.sql"), "create table more (id int)");
    expect(await migrate({ url, directory })).toEqual(["9000_more.sql"]);
  });

  test("two runners at once apply it once", async () => {
    const applied = await Promise.all([migrate({ url, directory }), migrate({ url, directory })]);
    expect(applied.map((names) => names.length).toSorted((a, b) => a - b)).toEqual([
      0,
      (await readdir(directory)).length - 2,
    ]);
  });

  test("refuses a changed, a vanished and a squeezed-in file before it runs anything", async () => {
    await migrate({ url, directory });
    await writeFile(join(directory, "9000_more.sql"), "create table more (id int)");
    const [first = ""] = (await readdir(directory)).toSorted();
    await writeFile(join(directory, first), "select 1");
    await expect(migrate({ url, directory })).rejects.toThrow(/was changed after it was applied/);
    await cp(join(MIGRATIONS_DIRECTORY, first), join(directory, first));
    await writeFile(join(directory, "0000_early.sql"), "select 1");
    await expect(migrate({ url, directory })).rejects.toThrow(/add migrations at the end/);
    await rm(join(directory, "0000_early.sql"));
    await rm(join(directory, first));
    await expect(migrate({ url, directory })).rejects.toThrow(/no longer there/);
    expect(await query("select to_regclass('more') as found")).toEqual([{ found: null }]);
  });

  test("refuses names without or with the same number", async () => {
    await writeFile(join(directory, "0001_again.sql"), "select 1");
    await expect(migrate({ url, directory })).rejects.toThrow(/same number/);
    await rm(join(directory, "0001_again.sql"));
    await writeFile(join(directory, "later.sql"), "select 1");
    await expect(migrate({ url, directory })).rejects.toThrow(/not named/);
  });

  test("a file that fails is rolled back whole, and runs once it is put right", async () => {
    await writeFile(join(directory, "9000_bad.sql"), "create table half (id int); select 1 / 0;");
    await expect(migrate({ url, directory })).rejects.toThrow(/division by zero/);
    expect(await query("select to_regclass('half') as found")).toEqual([{ found: null }]);
    await writeFile(join(directory, "9000_bad.sql"), "create table half (id int);");
    expect(await migrate({ url, directory })).toEqual(["9000_bad.sql"]);
  });

  test("A2 works for an owner who is no superuser, and row-level security then binds the owner too", async () => {
    const server = postgres(inject("postgresUrl"), { max: 1, onnotice: () => undefined });
    const role = `owner_${crypto.randomUUID().replaceAll("-", "")}`;
    await server.unsafe(`create role ${role} login createrole`);
    // What a role that may create roles has over those it creates.
    await server.unsafe(
      `grant conflux_app, conflux_login to ${role} with admin true, inherit false, set false`,
    );
    url = databaseUrl(inject("postgresUrl"), await createDatabase(`owner ${role}`)).replace(
      "postgres@",
      `${role}@`,
    );
    await server.end();
    await migrate({ url, directory });
    const database = connectPostgres(url);
    await ensureTenant(database, { tenant: "demo", clusterId: "c1", applications: ["shop"] });
    const user = { tenant: "demo", username: "admin", passwordHash: "$argon2id$first" };
    const { userId, created } = await ensureAdminUser(database, user);
    expect(created).toBe(true);
    expect(await ensureAdminUser(database, { ...user, passwordHash: "$argon2id$second" })).toEqual({
      userId,
      created: false,
    });
    await database.close();
    expect(await query("select count(*)::int as n from tenants")).toEqual([{ n: 0 }]);
    expect(await query("select count(*)::int as n from users")).toEqual([{ n: 0 }]);
    const app = connectPostgres(databaseUrl(inject("postgresUrl"), new URL(url).pathname.slice(1)));
    expect(await findUserForLogin(app, "admin")).toMatchObject({
      id: userId,
      passwordHash: "$argon2id$first",
    });
    await app.close();
  });
});
