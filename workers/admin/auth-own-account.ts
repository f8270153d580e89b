import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { endAllSessions } from "../../adapters/postgres/end-sessions.ts";
import { findSessionUser } from "../../adapters/postgres/find-session-user.ts";
import { changePassword } from "../../adapters/postgres/replace-password-hash.ts";
import { takeBackLogin } from "../../adapters/postgres/take-back-login.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { tokenPair } from "../../contracts/access/auth-api.ts";
import { normalisePassword } from "../../contracts/access/password-service.ts";
import { changePasswordRequest, endedSessions } from "../../contracts/access/session-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { tryPassword } from "./auth-attempt.ts";
import type { AuthDeps } from "./auth-deps.ts";
import {
  auditSession,
  beginSession,
  type NewSession,
  prepareSession,
  type SessionOwner,
  tokenPairOf,
} from "./auth-session.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireSession, sessionEnded } from "./require-permission.ts";
import { userResource } from "./user-views.ts";

const passwordRoute = declareRoute(
  { authenticated: "own" },
  {
    method: "post",
    path: "/api/v1/auth/password",
    tags: ["access"],
    summary:
      "Change one's own password; every other session ends and this one goes on with the tokens answered",
    request: { body: { required: true, content: json(changePasswordRequest) } },
    responses: { 200: { description: "Tokens to go on with", content: json(tokenPair) } },
  },
);
const logoutAllRoute = declareRoute(
  { authenticated: "own" },
  {
    method: "post",
    path: "/api/v1/auth/logout-all",
    tags: ["access"],
    summary: "End all of one's own sessions, access tokens included",
    responses: { 200: { description: "They have ended", content: json(endedSessions) } },
  },
);

/** What users do to their own account: `POST /auth/password` and `POST /auth/logout-all`. */
export function registerOwnAccountRoutes(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(passwordRoute, async (c) => {
    await requireSession(c);
    const request = c.req.valid("json");
    const owner = await readOwner(c, deps);
    requireAnother(owner, request);
    const attempt = await tryPassword(c, deps, { username: owner.username, password: request.current });
    const old = attempt.user?.passwordHash ?? null;
    if (!attempt.isRight || attempt.user?.id !== owner.id || old === null) {
      throw new ConfluxError("forbidden", "The current password is wrong.");
    }
    const { traceparent } = c.var;
    const hash = await deps.passwords.hash({ password: request.new, traceparent });
    const session = await replacePassword(c, deps, { owner, old, hash, subjects: attempt.subjects });
    return c.json(await tokenPairOf(c, deps, owner, session.refreshToken, session.nowMs), 200);
  });

  app.openapi(logoutAllRoute, async (c) => {
    await requireSession(c);
    const owner = await readOwner(c, deps);
    const nowMs = deps.nowMs();
    const ended = await withTenant(deps.database(c), SYSTEM_TENANT, async (tx) => {
      const { sessions } = await endAllSessions(tx, { userId: owner.id, nowMs });
      await auditSession(c, tx, {
        owner,
        action: "delete",
        resource: "sessions",
        outcome: "success",
        summary: `signed out everywhere: ${sessions} sessions ended`,
        nowMs,
      });
      return sessions;
    });
    return c.json({ ended }, 200);
  });
}

async function readOwner(c: Context<AdminEnv>, deps: AuthDeps): Promise<SessionOwner> {
  const { id } = c.var.principal.actor;
  const user = await findSessionUser(deps.database(c), id);
  if (user === null) throw sessionEnded();
  return { id, username: user.username };
}

function requireAnother(owner: SessionOwner, request: { current: string; new: string }): void {
  const wanted = normalisePassword(request.new);
  if (wanted !== normalisePassword(request.current) && wanted !== normalisePassword(owner.username)) return;
  throw new ConfluxError("validation_failed", "The new password must be another one.", {
    errors: [{ path: "/new", message: "neither the current password nor the user's name" }],
  });
}

function replacePassword(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  change: {
    owner: SessionOwner;
    old: string;
    hash: string;
    subjects: Parameters<typeof takeBackLogin>[1]["subjects"];
  },
): Promise<NewSession> {
  const { owner, old, hash, subjects } = change;
  const nowMs = deps.nowMs();
  return withTenant(deps.database(c), SYSTEM_TENANT, async (tx) => {
    // The user's row first, then what was counted: as a sign-in takes them.
    if (!(await changePassword(tx, { userId: owner.id, old, hash, nowMs }))) {
      throw new ConfluxError("conflict", "The password was changed meanwhile.");
    }
    await takeBackLogin(tx, { subjects, outcome: "accepted", nowMs });
    const { sessions, notBeforeMs } = await endAllSessions(tx, { userId: owner.id, nowMs });
    // Signed in here, for only now it is known from when on tokens are good; nobody else is waited for.
    const session = await prepareSession(deps, owner, { nowMs: notBeforeMs });
    await beginSession(tx, session);
    await auditSession(c, tx, {
      owner,
      action: "write",
      resource: userResource(SYSTEM_TENANT, owner.id),
      outcome: "success",
      summary: `changed the password; ${sessions} sessions ended`,
      nowMs,
    });
    return session;
  });
}
