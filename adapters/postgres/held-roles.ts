import { type SQL, sql } from "drizzle-orm";

/**
 * The transaction's tenant's pairs of users and the roles they hold, directly or by a group: a subquery with the columns
 * `user_id` and `role_id`. A pair stands in it once.
 */
export const HELD_ROLES: SQL = sql`(
  select tenant_id, user_id, role_id from user_roles
  union
  select m.tenant_id, m.user_id, g.role_id from user_group_members m
    join user_group_roles g on g.tenant_id = m.tenant_id and g.group_id = m.group_id
)`;

/** The same of one user: asked with each request, so the user is named where an index can use it. */
export function heldRolesOf(userId: string): SQL {
  return sql`(
    select tenant_id, role_id from user_roles where user_id = ${userId}
    union
    select m.tenant_id, g.role_id from user_group_members m
      join user_group_roles g on g.tenant_id = m.tenant_id and g.group_id = m.group_id
      where m.user_id = ${userId}
  )`;
}
