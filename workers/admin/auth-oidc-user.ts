import type { OidcIdentity } from "../../adapters/oidc/oidc-provider.ts";
import type { Database } from "../../adapters/postgres/connect.ts";
import { createUser } from "../../adapters/postgres/create-user.ts";
import {
  findIdentityUser,
  findUserByEmail,
  type IdentityUser,
  linkIdentity,
} from "../../adapters/postgres/user-identities.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { USERNAME_CHARACTERS_MAX } from "../../contracts/access/auth-api.ts";
import type { OidcSettings } from "../../contracts/access/session-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";

interface Found {
  user: IdentityUser | null;
  /** For the audit: what was done to find the user. */
  note: string;
}

/**
 * The user whom an identity is: the one it is linked with; where that is configured, the one of its verified e-mail address
 * (linked by this), or a new one without any role. Null otherwise, and nothing is changed.
 */
export async function findOidcUser(
  database: Database,
  input: { identity: OidcIdentity; settings: OidcSettings; nowMs: number; newUserId: string },
): Promise<Found> {
  const { identity, settings } = input;
  const linked = await withTenant(database, SYSTEM_TENANT, (tx) => findIdentityUser(tx, identity));
  if (linked !== null || !(settings.link_by_email || settings.create_users))
    return { user: linked, note: "" };
  const email = await identity.readEmail();
  try {
    return await withTenant(database, SYSTEM_TENANT, async (tx) => {
      const link = async (user: IdentityUser, note: string): Promise<Found> => {
        const isLinked = await linkIdentity(tx, { identity, userId: user.id, nowMs: input.nowMs });
        // Another callback of the same identity came first, or the user is known there under another one.
        return isLinked ? { user, note } : { user: await findIdentityUser(tx, identity), note: "" };
      };
      const same = email === null ? null : await findUserByEmail(tx, email);
      if (same !== null) {
        const mayLink = settings.link_by_email && same.isActive;
        return mayLink
          ? await link(same, `; linked by the e-mail address ${email}`)
          : { user: null, note: "" };
      }
      if (!settings.create_users) return { user: null, note: "" };
      const username = (email ?? `${new URL(identity.issuer).host}:${identity.subject}`).slice(
        0,
        USERNAME_CHARACTERS_MAX,
      );
      const user = { id: input.newUserId, username, isActive: true };
      await createUser(tx, { id: user.id, username, passwordHash: null, email });
      return link(user, "; the user was made by this");
    });
  } catch (error) {
    // The name is somebody else's: nobody is let in as them.
    if (error instanceof ConfluxError && error.code === "already_exists") return { user: null, note: "" };
    throw error;
  }
}
