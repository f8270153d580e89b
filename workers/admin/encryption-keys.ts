import type { Context } from "hono";
import { readApplicationKeys } from "../../adapters/postgres/read-application-keys.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { KMS_KEY_ID } from "../../domain/encryption/envelope-text.ts";
import type { AuthDeps } from "./auth-deps.ts";
import type { AdminEnv, ApplicationKeys } from "./principal.ts";

/** The keys of `applications.kms_key_id`. */
export function applicationKeys(auth: AuthDeps): ApplicationKeys {
  return (c, tenant, app) =>
    withTenant(auth.database(c), tenant, (tx) => readApplicationKeys(tx, tenant, app));
}

/**
 * How the core is to seal a content for an application: under the application's own KMS key, or else under the core's
 * default. Throws `unavailable` when the keys cannot be read and `conflict` for a key that cannot be one.
 */
export async function sealUnder(
  c: Context<AdminEnv>,
  { tenant, app }: { tenant: string; app: string },
): Promise<{ key_id: string | null }> {
  const keys = requireKeyIds(await c.var.deps.applicationKeys(c, tenant, app));
  // An application may be called `constructor`.
  return { key_id: Object.hasOwn(keys, app) ? (keys[app] ?? null) : null };
}

/** Refuses keys whose names no key service knows: somebody wrote them into the database by hand. */
export function requireKeyIds(keys: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const wrong = Object.entries(keys).find(([, keyId]) => !KMS_KEY_ID.test(keyId));
  if (wrong === undefined) return keys;
  throw new ConfluxError("conflict", `the kms_key_id of application ${wrong[0]} is not that of a KMS key`);
}

/**
 * Runs the validation of a content that is to be encrypted. What it refuses is for the content's author; what it fails
 * with would be logged, and may quote the content, so it is told without (K5).
 */
export async function withoutQuotes(isSecret: boolean, validate: () => void | Promise<void>): Promise<void> {
  try {
    await validate();
  } catch (error) {
    if (!isSecret || error instanceof ConfluxError) throw error;
    // oxlint-disable-next-line preserve-caught-error -- the cause's message may hold the secret
    throw new Error("a content that is to be encrypted could not be validated");
  }
}
