import type { OidcIdentity } from "../../adapters/oidc/oidc-provider.ts";
import type { Database } from "../../adapters/postgres/connect.ts";
import { createUser } from "../../adapters/postgres/create-user.ts";
import {
  findIdentityUser,
  findUserByEmail,
  type IdentityUser,
  linkIdentity,
} from "../../adapters/postgres/user-identities.ts";
import { type Transaction, withTenant } from "../../adapters/postgres/with-tenant.ts";
import { USERNAME_CHARACTERS_MAX } from "../../contracts/access/auth-api.ts";
import type { OidcSettings } from "../../contracts/access/session-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";

type Audit = (tx: Transaction, user: IdentityUser, summary: string) => Promise<void>;

/**
 * The user whom an identity is: the one it is linked with; where that is configured, the one of its verified e-mail address
 * (linked by this), or a new one without any role. Null otherwise, and nothing is changed. `audit` adds the row of what is
 * linked or made to its transaction: whatever becomes of the sign-in, both are there or neither.
 */
export async function findOidcUser(
  database: Database,
  input: { identity: OidcIdentity; settings: OidcSettings; nowMs: number; newUserId: string; audit: Audit },
): Promise<IdentityUser | null> {
  const { identity, settings } = input;
  const linked = await withTenant(database, SYSTEM_TENANT, (tx) => findIdentityUser(tx, identity));
  if (linked !== null || !(settings.link_by_email || settings.create_users)) return linked;
  const email = await identity.readEmail();
  try {
    return await withTenant(database, SYSTEM_TENANT, async (tx) => {
      const same = email === null ? null : await findUserByEmail(tx, email);
      if (same === null) return settings.create_users ? await makeUser(tx, { ...input, email }) : null;
      if (!settings.link_by_email || !same.isActive) return null;
      if (!(await linkIdentity(tx, { identity, userId: same.id, nowMs: input.nowMs })))
        return findIdentityUser(tx, identity);
      const { issuer } = identity;
      await input.audit(tx, same, `linked with an identity of ${issuer} by the e-mail address ${email}`);
      return same;
    });
  } catch (error) {
    // The name is somebody else's: nobody is let in as them.
    if (error instanceof ConfluxError && error.code === "already_exists") return null;
    throw error;
  }
}

async function makeUser(
  tx: Transaction,
  input: {
    identity: OidcIdentity;
    email: string | null;
    nowMs: number;
    newUserId: string;
    audit: Audit;
  },
): Promise<IdentityUser | null> {
  const { identity, email, nowMs } = input;
  const { issuer, subject } = identity;
  const username = (email ?? `${new URL(issuer).host}:${subject}`).slice(0, USERNAME_CHARACTERS_MAX);
  const user = { id: input.newUserId, username, isActive: true };
  await createUser(tx, { id: user.id, username, passwordHash: null, email });
  const isLinked = await linkIdentity(tx, { identity, userId: user.id, nowMs });
  await input.audit(tx, user, `made for an identity of ${issuer}${isLinked ? ", and linked with it" : ""}`);
  // Another callback of the same identity came first, or the user is known there under another one.
  return isLinked ? user : findIdentityUser(tx, identity);
}
