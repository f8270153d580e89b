import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { holdLogin } from "../../adapters/postgres/hold-login.ts";
import { rememberLoginAddress } from "../../adapters/postgres/remember-login-address.ts";
import { upgradePasswordHash } from "../../adapters/postgres/replace-password-hash.ts";
import { takeBackLogin } from "../../adapters/postgres/take-back-login.ts";
import { type Transaction, withTenant } from "../../adapters/postgres/with-tenant.ts";
import { loginRequest, tokenPair } from "../../contracts/access/auth-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { judgeAgain, type PasswordAttempt, tryPassword } from "./auth-attempt.ts";
import type { AuthDeps } from "./auth-deps.ts";
import {
  auditSession,
  beginSession,
  type NewSession,
  prepareSession,
  signedInTime,
  tokenPairOf,
} from "./auth-session.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

const loginRoute = declareRoute(
  { public: "sign_in" },
  {
    method: "post",
    path: "/api/v1/auth/login",
    tags: ["access"],
    summary: "Sign in with a name and a password; 429 after several that failed, for longer each time",
    request: { body: { required: true, content: json(loginRequest) } },
    responses: { 200: { description: "Tokens of the user", content: json(tokenPair) } },
  },
);

/** `POST /auth/login`. */
export function registerLoginRoute(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(loginRoute, async (c) => {
    const request = c.req.valid("json");
    let attempt = await tryPassword(c, deps, request);
    let session = await letIn(c, deps, attempt);
    if (session === "changed") {
      attempt = await judgeAgain(c, deps, attempt, request);
      session = await letIn(c, deps, attempt);
    }
    if (session === "refused" || session === "changed") {
      await withTenant(deps.database(c), SYSTEM_TENANT, (tx) =>
        auditSession(c, tx, {
          owner: attempt.user,
          action: "login",
          resource: "users",
          outcome: "failure",
          summary: "sign-in refused",
          nowMs: deps.nowMs(),
        }),
      );
      throw new ConfluxError("unauthenticated", "The name or the password is wrong.");
    }
    return c.json(await tokenPairOf(c, deps, session.owner, session.refreshToken, session.nowMs), 200);
  });
}

/**
 * Begins a session of who is active and has the right password; else `refused`. `changed`: password or user are no longer
 * what the attempt was judged by, and nothing was begun.
 */
async function letIn(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  attempt: PasswordAttempt,
): Promise<NewSession | "refused" | "changed"> {
  const { user, subjects, keys, rehashed } = attempt;
  const hash = user?.passwordHash ?? null;
  if (user === null || hash === null || !user.isActive || !attempt.isRight) return "refused";
  const prepared = await prepareSession(deps, user);
  return withTenant(deps.database(c), SYSTEM_TENANT, async (tx) => {
    if (!(await holdJudged(tx, { userId: user.id, hash, rehashed }))) return "changed";
    const session = await signedInTime(deps, tx, prepared);
    const { owner, nowMs } = session;
    await takeBackLogin(tx, { subjects, outcome: "accepted", nowMs });
    if (keys.nameAtAddress !== null) {
      await rememberLoginAddress(tx, { userId: owner.id, subject: keys.nameAtAddress, nowMs });
    }
    await beginSession(tx, session);
    await auditSession(c, tx, {
      owner,
      action: "login",
      resource: "users",
      outcome: "success",
      summary: "signed in",
      nowMs,
    });
    return session;
  });
}

/** Upgrades the hash before it holds it: two who held it both could not. */
async function holdJudged(
  tx: Transaction,
  judged: { userId: string; hash: string; rehashed: string | null },
): Promise<boolean> {
  const { userId, hash, rehashed } = judged;
  if (rehashed === null) return holdLogin(tx, { userId, hash });
  if (!(await upgradePasswordHash(tx, { userId, old: hash, hash: rehashed }))) return false;
  return holdLogin(tx, { userId, hash: rehashed });
}
