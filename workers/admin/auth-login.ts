import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { rememberLoginAddress } from "../../adapters/postgres/remember-login-address.ts";
import { upgradePasswordHash } from "../../adapters/postgres/replace-password-hash.ts";
import { takeBackLogin } from "../../adapters/postgres/take-back-login.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { loginRequest, tokenPair } from "../../contracts/access/auth-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { type PasswordAttempt, tryPassword } from "./auth-attempt.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { auditSession, beginSession, type NewSession, prepareSession, tokenPairOf } from "./auth-session.ts";
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
    const attempt = await tryPassword(c, deps, c.req.valid("json"));
    const { user } = attempt;
    if (user === null || !user.isActive || !attempt.isRight) {
      await withTenant(deps.database(c), SYSTEM_TENANT, (tx) =>
        auditSession(c, tx, {
          owner: user,
          action: "login",
          resource: "users",
          outcome: "failure",
          summary: "sign-in refused",
          nowMs: deps.nowMs(),
        }),
      );
      throw new ConfluxError("unauthenticated", "The name or the password is wrong.");
    }
    const session = await prepareSession(deps, user);
    await letIn(c, deps, attempt, session);
    return c.json(await tokenPairOf(c, deps, user, session.refreshToken, session.nowMs), 200);
  });
}

function letIn(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  attempt: PasswordAttempt,
  session: NewSession,
): Promise<void> {
  const { owner, nowMs } = session;
  const { subjects, keys, rehashed } = attempt;
  const old = attempt.user?.passwordHash ?? null;
  return withTenant(deps.database(c), SYSTEM_TENANT, async (tx) => {
    await takeBackLogin(tx, { subjects, outcome: "accepted", nowMs });
    if (keys.nameAtAddress !== null) {
      await rememberLoginAddress(tx, { userId: owner.id, subject: keys.nameAtAddress, nowMs });
    }
    if (rehashed !== null && old !== null) {
      await upgradePasswordHash(tx, { userId: owner.id, old, hash: rehashed });
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
  });
}
