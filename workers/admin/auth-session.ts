import { ulid } from "ulid";
import type { Context } from "hono";
import { appendAuditRows, type AuditRow } from "../../adapters/postgres/append-audit-rows.ts";
import { readSessionUser } from "../../adapters/postgres/find-session-user.ts";
import { startSession } from "../../adapters/postgres/start-session.ts";
import type { Transaction } from "../../adapters/postgres/with-tenant.ts";
import { ACCESS_TOKEN_TTL_S, signAccessToken, signRefreshToken } from "../../adapters/tokens/sign-token.ts";
import type { TokenPair } from "../../contracts/access/auth-api.ts";
import { LOGIN_CODE_TTL_MS } from "../../contracts/limits.ts";
import { beginFamily, type SessionFamily } from "../../domain/access/session-family.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { clientIp } from "./authenticate.ts";
import type { AuthDeps } from "./auth-deps.ts";
import type { AdminEnv } from "./principal.ts";
import { sha256Hex } from "../../adapters/digest/sha256-hex.ts";

const SUCCESSOR_DIGEST = "refresh successor";
/** Begins the id of the code that a callback hands on: a refresh token that lives a minute and is never answered twice. */
const CODE_PREFIX = "code.";

export interface SessionOwner {
  id: string;
  username: string;
}

/** A session that is ready to be begun: signed before the transaction, which waits for nobody. */
export interface NewSession {
  id: string;
  family: SessionFamily;
  owner: SessionOwner;
  nowMs: number;
  refreshToken: string;
}

/** `isCode`: what begins it is the code of a redirect. */
export async function prepareSession(
  deps: AuthDeps,
  owner: SessionOwner,
  options: { isCode?: boolean; nowMs?: number } = {},
): Promise<NewSession> {
  const key = await deps.signingKey();
  const nowMs = options.nowMs ?? deps.nowMs();
  const id = `ses_${ulid(nowMs)}`;
  const jti = `${options.isCode === true ? CODE_PREFIX : ""}${crypto.randomUUID()}`;
  const begun = beginFamily(await sha256Hex(jti), nowMs);
  const expiresAtMs = options.isCode === true ? nowMs + LOGIN_CODE_TTL_MS : begun.expiresAtMs;
  const refresh = await signRefreshToken(key, {
    userId: owner.id,
    username: owner.username,
    family: id,
    jti,
    nowMs,
    expiresAtMs,
  });
  return { id, family: { ...begun, expiresAtMs }, owner, nowMs, refreshToken: refresh.token };
}

/**
 * The session, or the same signed later: by the database's clock, or meanwhile, all of the user's tokens may have been called
 * in until after the moment it was signed at, and it would be dead when it begins. In the transaction that begins it.
 */
export async function signedInTime(
  deps: AuthDeps,
  tx: Transaction,
  session: NewSession,
  options: { isCode?: boolean } = {},
): Promise<NewSession> {
  const notBeforeMs = (await readSessionUser(tx, session.owner.id))?.tokensNotBeforeMs ?? 0;
  if (session.nowMs >= notBeforeMs) return session;
  return prepareSession(deps, session.owner, { ...options, nowMs: notBeforeMs });
}

export function beginSession(tx: Transaction, session: NewSession): Promise<void> {
  return startSession(tx, { ...session, userId: session.owner.id });
}

/** The digests by which a refresh token is known, and the id of the token it is exchanged for: always the same one. */
export async function refreshDigests(
  deps: AuthDeps,
  token: { jti: string; family: string },
): Promise<{ digest: string; successorJti: string; successor: string; isCode: boolean }> {
  const { derived } = await deps.signingKey();
  const successorJti = await derived.digest(SUCCESSOR_DIGEST, `${token.family}\0${token.jti}`);
  return {
    digest: await sha256Hex(token.jti),
    successorJti,
    successor: await sha256Hex(successorJti),
    isCode: token.jti.startsWith(CODE_PREFIX),
  };
}

/** A new access token beside the refresh token. */
export async function tokenPairOf(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  owner: SessionOwner,
  refreshToken: string,
  nowMs: number,
): Promise<TokenPair> {
  const access = await signAccessToken(await deps.signingKey(), {
    userId: owner.id,
    username: owner.username,
    jti: ulid(),
    nowMs,
  });
  c.header("cache-control", "no-store");
  return {
    access_token: access.token,
    token_type: "Bearer",
    expires_in: ACCESS_TOKEN_TTL_S,
    refresh_token: refreshToken,
  };
}

export interface SessionAct extends Pick<AuditRow, "action" | "resource" | "outcome" | "summary"> {
  /** Null for nobody we know: people type passwords into the field of the name, so it is not written down. */
  owner: SessionOwner | null;
  nowMs: number;
}

/** An act of somebody that belongs to no tenant: signing in and what has to do with it. */
export function auditSession(c: Context<AdminEnv>, tx: Transaction, act: SessionAct): Promise<number> {
  return appendAuditRows(tx, [sessionRow(c, act)]);
}

/** The row of such an act. */
export function sessionRow(c: Context<AdminEnv>, act: SessionAct): AuditRow {
  const { owner, nowMs, ...rest } = act;
  return {
    ...rest,
    tenant: SYSTEM_TENANT,
    actor: { type: "user", id: owner?.id ?? "", name: owner?.username ?? "" },
    ip: clientIp(c),
    traceId: c.var.traceId,
    position: null,
    createdAtMs: nowMs,
  };
}
