import { getTableColumns, getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import postgres from "postgres";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cloneDatabase } from "../test/testing/postgres.ts";
import * as schema from "./schema.ts";

let sql: postgres.Sql;
beforeAll(async () => {
  sql = postgres((await cloneDatabase()).ownerUrl, { max: 1 });
});
afterAll(() => sql.end());

test("L9 the drizzle schema names the columns of the migrated database, with their nullability", async () => {
  const rows = await sql<{ table_name: string; column_name: string; is_nullable: string }[]>`
    select table_name, column_name, is_nullable from information_schema.columns
    where table_schema = 'public' and table_name <> 'conflux_migrations'`;
  const inDatabase = rows
    .map((r) => `${r.table_name}.${r.column_name} ${r.is_nullable === "YES"}`)
    .toSorted();
  const inSchema = Object.values(schema)
    .filter((value) => is(value, PgTable))
    .flatMap((table) =>
      Object.values(getTableColumns(table)).map((c) => `${getTableName(table)}.${c.name} ${!c.notNull}`),
    )
    .toSorted();
  expect(inSchema).toEqual(inDatabase);
});
