import { asc, eq, gt, sql } from "drizzle-orm";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { users } from "../../migrations/schema.ts";
import { postgresCodeOf, UNIQUE_VIOLATION } from "./map-postgres-error.ts";
import type { Transaction } from "./with-tenant.ts";

const COLUMNS = {
  id: users.id,
  username: users.username,
  email: users.email,
  isActive: users.isActive,
  revision: users.revision,
  createdAt: users.createdAt,
};
export interface UserRow {
  id: string;
  username: string;
  email: string | null;
  isActive: boolean;
  revision: number;
  createdAt: Date;
}

/** A user whom the transaction's tenant sees, or null. */
export async function findUser(tx: Transaction, id: string): Promise<UserRow | null> {
  const [row] = await tx.select(COLUMNS).from(users).where(eq(users.id, id));
  return row ?? null;
}

/** Any user by the exact name, of whichever tenant; null for a name that nobody has. */
export async function findUserByName(
  tx: Transaction,
  username: string,
): Promise<{ id: string; isActive: boolean } | null> {
  const [row] = await tx.execute<{ id: string; is_active: boolean }>(
    sql`select id, is_active from conflux_find_user_by_name(${username})`,
  );
  return row === undefined ? null : { id: row.id, isActive: row.is_active };
}

/** Users whom the transaction's tenant sees, oldest first. */
export async function listUsers(
  tx: Transaction,
  page: { cursor: string | null; limit: number },
): Promise<{ items: UserRow[]; nextCursor: string | null }> {
  const rows = await tx
    .select(COLUMNS)
    .from(users)
    .where(page.cursor === null ? undefined : gt(users.id, page.cursor))
    .orderBy(asc(users.id))
    .limit(page.limit + 1);
  const items = rows.slice(0, page.limit);
  return { items, nextCursor: rows.length > page.limit ? (items.at(-1)?.id ?? null) : null };
}

/** What a user holds directly in the transaction's tenant. */
export async function rolesAndGroupsOf(tx: Transaction, userId: string) {
  type Named = { id: string; name: string; [column: string]: unknown };
  const roles = await tx.execute<Named>(sql`select r.id, r.name from user_roles l
    join roles r on r.tenant_id = l.tenant_id and r.id = l.role_id where l.user_id = ${userId} order by r.id`);
  const groups = await tx.execute<Named>(sql`select g.id, g.name from user_group_members l
    join user_groups g on g.tenant_id = l.tenant_id and g.id = l.group_id where l.user_id = ${userId} order by g.id`);
  return { roles: roles.map(toNamed), groups: groups.map(toNamed) };
}
const toNamed = ({ id, name }: { id: string; name: string }) => ({ id, name });

/**
 * Changes what is given of a user. Null when row-level security lets the transaction's tenant change nothing: another
 * tenant has to do with the user, too, or the user is an operator. `already_exists` for an e-mail address that is taken.
 * Sessions are for the caller to end.
 */
export async function changeUser(
  tx: Transaction,
  input: {
    id: string;
    email?: string | null | undefined;
    isActive?: boolean | undefined;
    passwordHash?: string | undefined;
  },
): Promise<UserRow | null> {
  const { id, email, isActive, passwordHash } = input;
  try {
    const [row] = await tx
      .update(users)
      .set({
        ...(email === undefined ? {} : { email }),
        ...(isActive === undefined ? {} : { isActive }),
        ...(passwordHash === undefined ? {} : { passwordHash }),
        revision: sql`${users.revision} + 1`,
      })
      .where(eq(users.id, id))
      .returning(COLUMNS);
    return row ?? null;
  } catch (error) {
    if (postgresCodeOf(error) !== UNIQUE_VIOLATION) throw error;
    throw new ConfluxError("already_exists", "A user of this e-mail address exists.", { cause: error });
  }
}

/** Whether nobody but the transaction's tenant has to do with a user, who is no operator: as for `changeUser`. */
export async function isOwnUser(tx: Transaction, userId: string): Promise<boolean> {
  const [row] = await tx.execute<{ own: boolean | null }>(sql`select conflux_is_own_user(${userId}) as own`);
  return row?.own === true;
}

/** Takes every role and membership of the transaction's tenant from a user. */
export async function leaveTenant(tx: Transaction, userId: string): Promise<void> {
  await tx.execute(sql`delete from user_roles where user_id = ${userId}`);
  await tx.execute(sql`delete from user_group_members where user_id = ${userId}`);
}
