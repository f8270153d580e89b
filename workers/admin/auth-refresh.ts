import type { OpenAPIHono } from "@hono/zod-openapi";
import { endSession } from "../../adapters/postgres/end-sessions.ts";
import { refreshSession } from "../../adapters/postgres/refresh-session.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { signRefreshToken } from "../../adapters/tokens/sign-token.ts";
import { type VerifiedRefresh, verifyRefreshToken } from "../../adapters/tokens/verify-access-token.ts";
import { refreshRequest, tokenPair } from "../../contracts/access/auth-api.ts";
import { endedSessions, logoutRequest } from "../../contracts/access/session-api.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { auditSession, refreshDigests, tokenPairOf } from "./auth-session.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { sessionEnded } from "./require-permission.ts";

const refreshRoute = declareRoute(
  { public: "sign_in" },
  {
    method: "post",
    path: "/api/v1/auth/refresh",
    tags: ["access"],
    summary: "Exchange a refresh token, or the code of a sign-in elsewhere, for new tokens; the old one ends",
    request: { body: { required: true, content: json(refreshRequest) } },
    responses: { 200: { description: "Tokens of the user", content: json(tokenPair) } },
  },
);
const logoutRoute = declareRoute(
  { public: "sign_in" },
  {
    method: "post",
    path: "/api/v1/auth/logout",
    tags: ["access"],
    summary: "End the session of a refresh token, which may have been exchanged already",
    request: { body: { required: true, content: json(logoutRequest) } },
    responses: { 200: { description: "It has ended", content: json(endedSessions) } },
  },
);

/** `POST /auth/refresh` and `POST /auth/logout`: the refresh token is the credential of both. */
export function registerRefreshRoutes(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(refreshRoute, async (c) => {
    const claims = await readRefreshToken(deps, c.req.valid("json").refresh_token);
    const nowMs = deps.nowMs();
    const { successorJti, ...digests } = await refreshDigests(deps, claims);
    const outcome = await withTenant(deps.database(c), SYSTEM_TENANT, async (tx) => {
      const { family, issuedAtMs } = claims;
      const judged = await refreshSession(tx, { ...digests, family, userId: claims.sub, issuedAtMs, nowMs });
      if (judged.verdict === "reuse") {
        await auditSession(c, tx, {
          owner: { id: claims.sub, username: claims.name },
          action: "login",
          resource: "sessions",
          outcome: "denied",
          summary: `a refresh token that had ended was used again: session ${family} ended`,
          nowMs,
        });
      }
      // An exchange of the code begins the session's tokens. That of a token goes on with it, each quarter of an hour: no row.
      if (judged.verdict === "exchange" && digests.isCode) {
        await auditSession(c, tx, {
          owner: { id: claims.sub, username: judged.user.username },
          action: "write",
          resource: "sessions",
          outcome: "success",
          summary: `exchanged the code of a sign-in for the tokens of session ${family}`,
          nowMs,
        });
      }
      return judged;
    });
    if (outcome.verdict !== "exchange" && outcome.verdict !== "repeat") throw sessionEnded();
    const owner = { id: claims.sub, username: outcome.user.username };
    // Of a repetition the very token that the first answer had: there is one line, however often it is asked for.
    const refresh = await signRefreshToken(await deps.signingKey(), {
      userId: owner.id,
      username: owner.username,
      family: claims.family,
      jti: successorJti,
      nowMs: outcome.usedAtMs,
      expiresAtMs: outcome.expiresAtMs,
    });
    const issuedAtMs = Math.max(nowMs, outcome.user.tokensNotBeforeMs);
    return c.json(await tokenPairOf(c, deps, owner, refresh.token, issuedAtMs), 200);
  });

  app.openapi(logoutRoute, async (c) => {
    const { sub, name, family } = await readRefreshToken(deps, c.req.valid("json").refresh_token);
    const ended = await withTenant(deps.database(c), SYSTEM_TENANT, async (tx) => {
      if (!(await endSession(tx, { family, userId: sub }))) return 0;
      await auditSession(c, tx, {
        owner: { id: sub, username: name },
        action: "delete",
        resource: "sessions",
        outcome: "success",
        summary: `signed out of session ${family}`,
        nowMs: deps.nowMs(),
      });
      return 1;
    });
    return c.json({ ended }, 200);
  });
}

async function readRefreshToken(deps: AuthDeps, token: string): Promise<VerifiedRefresh> {
  const { jwks } = await deps.signingKey();
  return verifyRefreshToken(token, { jwks, nowMs: deps.nowMs() });
}
