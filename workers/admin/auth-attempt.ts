import type { Context } from "hono";
import { beginLogin, type LoginKeys, type LoginStart } from "../../adapters/postgres/begin-login.ts";
import { takeBackLogin } from "../../adapters/postgres/take-back-login.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { addressSubject } from "../../domain/access/login-lock.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { clientIp } from "./authenticate.ts";
import type { AuthDeps } from "./auth-deps.ts";
import type { AdminEnv } from "./principal.ts";

/** An attempt at a password that was counted, and what came of it. */
export type PasswordAttempt = Extract<LoginStart, { allowed: true }> & {
  keys: LoginKeys;
  /** The password is right (whether or not the user is active). */
  isRight: boolean;
  /** The hash that should take the place of the stored one; null when that is of today. */
  rehashed: string | null;
};

/**
 * Tries a password. The attempt is counted first and stands as failed; the caller takes it back (`takeBackLogin`) when it lets
 * somebody in. `rate_limited` while the name or the address is locked: for a right password and an unknown name alike.
 */
export async function tryPassword(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  input: { username: string; password: string },
): Promise<PasswordAttempt> {
  const { username, password } = input;
  const keys = await loginKeys(deps, username, clientIp(c));
  const start = await beginLogin(deps.database(c), { username, keys, nowMs: deps.nowMs() });
  if (!start.allowed) {
    throw new ConfluxError("rate_limited", "Too many failed sign-ins; try again later.", {
      retryAfterS: Math.ceil(start.waitMs / 1000),
    });
  }
  try {
    // Unknown, inactive and known users cost the same work and get the same answer.
    const hash = start.user?.passwordHash ?? null;
    const { traceparent } = c.var;
    const { valid, rehashed } = await deps.passwords.verify({ password, hash, traceparent });
    return { ...start, keys, isRight: valid, rehashed };
  } catch (error) {
    await withTenant(deps.database(c), SYSTEM_TENANT, (tx) =>
      takeBackLogin(tx, { subjects: start.subjects, outcome: "not_checked", nowMs: deps.nowMs() }),
    );
    throw error;
  }
}

/** Keyed digests, so that the tables hold neither names (people type passwords there) nor addresses. */
export async function loginKeys(deps: AuthDeps, username: string, ip: string): Promise<LoginKeys> {
  const { derived } = await deps.signingKey();
  const address = addressSubject(ip);
  return {
    name: await derived.digest("login name", username),
    address: address === null ? null : await derived.digest("login address", address),
    nameAtAddress:
      address === null ? null : await derived.digest("login name at address", `${username}\0${address}`),
  };
}
