import type { Context } from "hono";
import { beginLogin, type LoginKeys, type LoginStart } from "../../adapters/postgres/begin-login.ts";
import { findUserForLogin } from "../../adapters/postgres/find-user-for-login.ts";
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
  const { username } = input;
  const keys = await loginKeys(deps, username, clientIp(c));
  const start = await beginLogin(deps.database(c), { username, keys, nowMs: deps.nowMs() });
  if (!start.allowed) {
    throw new ConfluxError("rate_limited", "Too many failed sign-ins; try again later.", {
      retryAfterS: Math.ceil(start.waitMs / 1000),
    });
  }
  return judge(c, deps, { ...start, keys }, input.password);
}

/**
 * Judges the password of an attempt by the hash that is stored by now: another than the one it was judged by, which may be
 * of the same password under newer parameters. It stays one attempt.
 */
export async function judgeAgain(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  attempt: PasswordAttempt,
  input: { username: string; password: string },
): Promise<PasswordAttempt> {
  const user = await findUserForLogin(deps.database(c), input.username);
  return judge(c, deps, { ...attempt, user }, input.password);
}

async function judge(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  counted: Omit<PasswordAttempt, "isRight" | "rehashed">,
  password: string,
): Promise<PasswordAttempt> {
  try {
    // Unknown, inactive and known users cost the same work and get the same answer.
    const hash = counted.user?.passwordHash ?? null;
    const { traceparent } = c.var;
    const { valid, rehashed } = await deps.passwords.verify({ password, hash, traceparent });
    return { ...counted, isRight: valid, rehashed };
  } catch (error) {
    await withTenant(deps.database(c), SYSTEM_TENANT, (tx) =>
      takeBackLogin(tx, { subjects: counted.subjects, outcome: "not_checked", nowMs: deps.nowMs() }),
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
