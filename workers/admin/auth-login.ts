import { ulid } from "ulid";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { appendAuditRows } from "../../adapters/postgres/append-audit-rows.ts";
import { findSessionUser } from "../../adapters/postgres/find-session-user.ts";
import { findUserForLogin } from "../../adapters/postgres/find-user-for-login.ts";
import { inTransaction } from "../../adapters/postgres/with-tenant.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { ACCESS_TOKEN_TTL_S, signAccessToken, signRefreshToken } from "../../adapters/tokens/sign-token.ts";
import { verifyRefreshToken } from "../../adapters/tokens/verify-access-token.ts";
import { loginRequest, refreshRequest, type TokenPair, tokenPair } from "../../contracts/access/auth-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { clientIp } from "./authenticate.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

const tokens = { description: "Tokens of the user", content: json(tokenPair) };
const loginRoute = declareRoute(
  { public: "sign_in" },
  {
    method: "post",
    path: "/api/v1/auth/login",
    tags: ["access"],
    summary: "Sign in with a name and a password",
    request: { body: { required: true, content: json(loginRequest) } },
    responses: { 200: tokens },
  },
);
const refreshRoute = declareRoute(
  { public: "sign_in" },
  {
    method: "post",
    path: "/api/v1/auth/refresh",
    tags: ["access"],
    summary: "Exchange a refresh token for new tokens",
    request: { body: { required: true, content: json(refreshRequest) } },
    responses: { 200: tokens },
  },
);

/** `POST /auth/login` and `POST /auth/refresh`. */
export function registerLoginRoutes(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(loginRoute, async (c) => {
    const { username, password } = c.req.valid("json");
    const user = await findUserForLogin(deps.database(c), username);
    // Unknown, inactive and known users cost the same work and get the same answer.
    const valid = await deps.passwords.verify({
      password,
      hash: user?.passwordHash ?? null,
      traceparent: c.var.traceparent,
    });
    const accepted = user !== null && user.isActive && valid;
    await recordLogin(c, deps, { username, userId: user?.id ?? null, accepted });
    if (!accepted) throw new ConfluxError("unauthenticated", "The name or the password is wrong.");
    return answerTokens(c, deps, { id: user.id, username: user.username });
  });

  app.openapi(refreshRoute, async (c) => {
    const { refresh_token } = c.req.valid("json");
    const { jwks } = await deps.signingKey();
    const claims = await verifyRefreshToken(refresh_token, { jwks, nowMs: deps.nowMs() });
    const user = await findSessionUser(deps.database(c), claims.sub);
    if (user === null || !user.isActive || claims.issuedAtMs < user.tokensNotBeforeMs) {
      throw new ConfluxError("unauthenticated", "The session has ended; sign in again.");
    }
    return answerTokens(c, deps, { id: claims.sub, username: user.username });
  });
}

async function answerTokens(c: Context<AdminEnv>, deps: AuthDeps, user: { id: string; username: string }) {
  const key = await deps.signingKey();
  const input = { userId: user.id, username: user.username, nowMs: deps.nowMs() };
  const access = await signAccessToken(key, { ...input, jti: ulid() });
  const refresh = await signRefreshToken(key, { ...input, jti: ulid() });
  const body: TokenPair = {
    access_token: access.token,
    token_type: "Bearer",
    expires_in: ACCESS_TOKEN_TTL_S,
    refresh_token: refresh.token,
  };
  c.header("cache-control", "no-store");
  return c.json(body, 200);
}

/** Signing in belongs to no tenant, so it is audited under the system's. A name that is no user's is not written down. */
function recordLogin(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  login: { username: string; userId: string | null; accepted: boolean },
): Promise<number> {
  const known = login.userId !== null;
  return inTransaction(deps.database(c), (tx) =>
    appendAuditRows(tx, [
      {
        tenant: SYSTEM_TENANT,
        // People type passwords into the field of the name.
        actor: { type: "user", id: login.userId ?? "", name: known ? login.username : "" },
        ip: clientIp(c),
        action: "login",
        resource: "users",
        outcome: login.accepted ? "success" : "failure",
        traceId: c.var.traceId,
        summary: login.accepted ? "signed in" : "sign-in refused",
        position: null,
        createdAtMs: deps.nowMs(),
      },
    ]),
  );
}
