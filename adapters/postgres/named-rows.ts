import { sql, type SQL } from "drizzle-orm";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { postgresCodeOf, UNIQUE_VIOLATION } from "./map-postgres-error.ts";
import type { Transaction } from "./with-tenant.ts";

/** Tables of what a tenant gives a name and a description to. */
export type NamedTable = "roles" | "user_groups";

export interface NamedRow {
  id: string;
  tenant: string;
  name: string;
  description: string;
  revision: number;
  createdAtMs: number;
}

type RawRow = Omit<NamedRow, "createdAtMs"> & { created_at_ms: string; [column: string]: unknown };
const COLUMNS: SQL = sql`tenant_id as tenant, id, name, description, revision,
  floor(extract(epoch from created_at) * 1000)::text as created_at_ms`;

/** Adds a row; `already_exists` when the tenant has one of this name. */
export async function insertNamed(
  tx: Transaction,
  table: NamedTable,
  row: Pick<NamedRow, "tenant" | "id" | "name" | "description">,
): Promise<NamedRow> {
  const rows = await refusingTaken(row.name, () =>
    tx.execute<RawRow>(sql`insert into ${sql.identifier(table)} (tenant_id, id, name, description)
      values (${row.tenant}, ${row.id}, ${row.name}, ${row.description}) returning ${COLUMNS}`),
  );
  return toRow(rows[0]!);
}

/** One row of the transaction's tenant, or null. */
export async function findNamed(tx: Transaction, table: NamedTable, id: string): Promise<NamedRow | null> {
  const rows = await tx.execute<RawRow>(
    sql`select ${COLUMNS} from ${sql.identifier(table)} where id = ${id}`,
  );
  return rows[0] === undefined ? null : toRow(rows[0]);
}

/** Rows of the transaction's tenant, oldest first: ids are in the order of time. */
export async function listNamed(
  tx: Transaction,
  table: NamedTable,
  page: { cursor: string | null; limit: number },
): Promise<{ items: NamedRow[]; nextCursor: string | null }> {
  const rows = await tx.execute<RawRow>(sql`select ${COLUMNS} from ${sql.identifier(table)}
    where id > ${page.cursor ?? ""} order by id limit ${page.limit + 1}`);
  const items = rows.slice(0, page.limit).map(toRow);
  return { items, nextCursor: rows.length > page.limit ? (items.at(-1)?.id ?? null) : null };
}

/** Changes what is given, and counts the revision up; with nothing given, that alone. Null when the row is gone. */
export async function changeNamed(
  tx: Transaction,
  table: NamedTable,
  input: { id: string; name?: string | undefined; description?: string | undefined },
): Promise<NamedRow | null> {
  const rows = await refusingTaken(input.name ?? "", () =>
    tx.execute<RawRow>(sql`update ${sql.identifier(table)} set revision = revision + 1,
      name = coalesce(${input.name ?? null}, name), description = coalesce(${input.description ?? null}, description)
      where id = ${input.id} returning ${COLUMNS}`),
  );
  return rows[0] === undefined ? null : toRow(rows[0]);
}

/** Deletes a row, and with it what hangs on it. */
export async function deleteNamed(tx: Transaction, table: NamedTable, id: string): Promise<void> {
  await tx.execute(sql`delete from ${sql.identifier(table)} where id = ${id}`);
}

async function refusingTaken<T>(name: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (postgresCodeOf(error) !== UNIQUE_VIOLATION) throw error;
    throw new ConfluxError("already_exists", `The name ${name} is taken in this tenant.`, { cause: error });
  }
}

function toRow({ created_at_ms, ...row }: RawRow): NamedRow {
  const { id, tenant, name, description, revision } = row;
  return { id, tenant, name, description, revision, createdAtMs: Number(created_at_ms) };
}
