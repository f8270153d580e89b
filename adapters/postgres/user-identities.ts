import { and, eq, sql } from "drizzle-orm";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { userIdentities } from "../../migrations/schema.ts";
import { readSessionUser } from "./find-session-user.ts";
import type { Transaction } from "./with-tenant.ts";

/** Somebody at an OIDC provider: `subject` is the provider's `sub`. */
export interface Identity {
  issuer: string;
  subject: string;
}
export interface IdentityUser {
  id: string;
  username: string;
  isActive: boolean;
}

/** The user whose identity this is; null when it is nobody's. */
export async function findIdentityUser(tx: Transaction, identity: Identity): Promise<IdentityUser | null> {
  const [row] = await tx
    .select({ userId: userIdentities.userId })
    .from(userIdentities)
    .where(
      and(
        eq(userIdentities.tenantId, SYSTEM_TENANT),
        eq(userIdentities.issuer, identity.issuer),
        eq(userIdentities.externalId, identity.subject),
      ),
    );
  const user = row === undefined ? null : await readSessionUser(tx, row.userId);
  return row === undefined || user === null
    ? null
    : { id: row.userId, username: user.username, isActive: user.isActive };
}

/** The user of exactly this e-mail address. */
export async function findUserByEmail(tx: Transaction, email: string): Promise<IdentityUser | null> {
  const [row] = await tx.execute<{ id: string; username: string; is_active: boolean }>(
    sql`select id, username, is_active from conflux_find_user_by_email(${email})`,
  );
  return row === undefined ? null : { id: row.id, username: row.username, isActive: row.is_active };
}

/** Makes an identity a user's. False when it is somebody's already, or the user has another one at this provider. */
export async function linkIdentity(
  tx: Transaction,
  input: { identity: Identity; userId: string; nowMs: number },
): Promise<boolean> {
  const linked = await tx
    .insert(userIdentities)
    .values({
      tenantId: SYSTEM_TENANT,
      issuer: input.identity.issuer,
      externalId: input.identity.subject,
      userId: input.userId,
      createdAt: new Date(input.nowMs),
    })
    .onConflictDoNothing()
    .returning({ userId: userIdentities.userId });
  return linked.length > 0;
}
