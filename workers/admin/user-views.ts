import { rolesAndGroupsOf, type UserRow } from "../../adapters/postgres/user-rows.ts";
import type { Transaction } from "../../adapters/postgres/with-tenant.ts";
import type { UserSummary, UserView } from "../../contracts/access/users-api.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { configEtag } from "./command-head.ts";

export const USERS_PATH = "/api/v1/users";

/** How the audit of a tenant, or of the system, names a user. */
export function userResource(tenant: string, id: string): string {
  return tenant === SYSTEM_TENANT ? `users/${id}` : `${tenant}/users/${id}`;
}

export function viewUserSummary(row: UserRow): UserSummary {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    is_active: row.isActive,
    created_at: row.createdAt.toISOString(),
    etag: configEtag(row.revision),
  };
}

/** With what the user holds in the transaction's tenant. */
export async function viewUser(tx: Transaction, row: UserRow): Promise<UserView> {
  return { ...viewUserSummary(row), ...(await rolesAndGroupsOf(tx, row.id)) };
}
