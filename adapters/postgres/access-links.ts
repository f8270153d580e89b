import { sql } from "drizzle-orm";
import type { Transaction } from "./with-tenant.ts";

/** Which table ties what to what: `of` is the column of the role or group in the path, `to` that of what it is tied to. */
export const ACCESS_LINKS = {
  roleUsers: { table: "user_roles", of: "role_id", to: "user_id", target: "users" },
  groupMembers: { table: "user_group_members", of: "group_id", to: "user_id", target: "users" },
  groupRoles: { table: "user_group_roles", of: "group_id", to: "role_id", target: "roles" },
} as const;
export type AccessLink = keyof typeof ACCESS_LINKS;

/** A user (its username) or a role (its name). */
export interface LinkedRow {
  id: string;
  name: string;
  [column: string]: unknown;
}

/** What hangs on a role or group of the transaction's tenant, in the order of ids. */
export async function listLinked(
  tx: Transaction,
  link: AccessLink,
  input: { id: string; cursor: string | null; limit: number },
): Promise<{ items: LinkedRow[]; nextCursor: string | null }> {
  const { table, of, to, target } = ACCESS_LINKS[link];
  const name = sql.identifier(target === "users" ? "username" : "name");
  const rows = await tx.execute<LinkedRow>(sql`select t.id, t.${name} as name
    from ${sql.identifier(table)} l join ${sql.identifier(target)} t on t.id = l.${sql.identifier(to)}
    where l.${sql.identifier(of)} = ${input.id} and t.id > ${input.cursor ?? ""}
    order by t.id limit ${input.limit + 1}`);
  const items = rows.slice(0, input.limit).map(({ id, name: called }) => ({ id, name: called }));
  return { items, nextCursor: rows.length > input.limit ? (items.at(-1)?.id ?? null) : null };
}

/** Ties; repeating it changes nothing. */
export async function addLink(
  tx: Transaction,
  link: AccessLink,
  input: { tenant: string; id: string; to: string },
): Promise<void> {
  const { table, of, to } = ACCESS_LINKS[link];
  await tx.execute(sql`insert into ${sql.identifier(table)}
    (tenant_id, ${sql.identifier(of)}, ${sql.identifier(to)}) values (${input.tenant}, ${input.id}, ${input.to})
    on conflict do nothing`);
}

/** Unties; answers whether there was anything to untie. */
export async function removeLink(
  tx: Transaction,
  link: AccessLink,
  input: { id: string; to: string },
): Promise<boolean> {
  const { table, of, to } = ACCESS_LINKS[link];
  const rows = await tx.execute(sql`delete from ${sql.identifier(table)}
    where ${sql.identifier(of)} = ${input.id} and ${sql.identifier(to)} = ${input.to} returning 1`);
  return rows.length > 0;
}

/** How many hang on a role or group. */
export async function countLinked(tx: Transaction, link: AccessLink, id: string): Promise<number> {
  const { table, of } = ACCESS_LINKS[link];
  const rows = await tx.execute<{ n: number }>(
    sql`select count(*)::int as n from ${sql.identifier(table)} where ${sql.identifier(of)} = ${id}`,
  );
  return rows[0]?.n ?? 0;
}
