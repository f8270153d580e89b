import { ulid } from "ulid";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import { appendAuditRows, type AuditRow } from "../../adapters/postgres/append-audit-rows.ts";
import type { ClientTokenRow } from "../../adapters/postgres/client-token-row.ts";
import { findClientToken } from "../../adapters/postgres/find-client-token.ts";
import { insertClientToken } from "../../adapters/postgres/insert-client-token.ts";
import { listClientTokens } from "../../adapters/postgres/list-client-tokens.ts";
import { markClientTokenRevoked } from "../../adapters/postgres/mark-client-token-revoked.ts";
import { readTokensNotBefore } from "../../adapters/postgres/read-tokens-not-before.ts";
import { runIdempotent } from "../../adapters/postgres/run-idempotent.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { signClientToken } from "../../adapters/tokens/sign-token.ts";
import {
  clientTokenList,
  clientTokenPath,
  clientTokenQuery,
  type ClientTokenView,
  type CreatedClientToken,
  createClientTokenRequest,
  createdClientToken,
  revokedClientToken,
} from "../../contracts/access/auth-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { COMMAND_FORMAT_VERSION } from "../../domain/command/command.ts";
import { clientTokenState } from "../../domain/access/client-token-state.ts";
import { parseReadScope, tenantOfScopes } from "../../domain/access/permits.ts";
import { tenantOfId, tenantScopedId } from "../../domain/access/tenant-scoped-id.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requireSession } from "./require-permission.ts";

const path = "/api/v1/auth/client-tokens";
const createTokenRoute = declareRoute(
  { authenticated: "delegation" },
  {
    method: "post",
    path,
    tags: ["access"],
    summary: "Issue a token for clients of the edge",
    request: { body: { required: true, content: json(createClientTokenRequest) } },
    responses: { 201: { description: "The token, shown this once", content: json(createdClientToken) } },
  },
);
const listTokensRoute = declareRoute(
  { authenticated: "own" },
  {
    method: "get",
    path,
    tags: ["access"],
    summary: "Client tokens of a tenant: one's own, or all with the permission list on the tenant",
    request: { query: clientTokenQuery },
    responses: { 200: { description: "A page, newest first", content: json(clientTokenList) } },
  },
);
const revokeTokenRoute = declareRoute(
  { authenticated: "own" },
  {
    method: "delete",
    path: `${path}/{id}`,
    tags: ["access"],
    summary: "Revoke a client token: one's own, or any with the permission delete on the tenant",
    request: { params: clientTokenPath },
    responses: { 200: { description: "Edges refuse it within seconds", content: json(revokedClientToken) } },
  },
);

/** `POST`, `GET /auth/client-tokens` and `DELETE /auth/client-tokens/{id}`. */
export function registerClientTokenRoutes(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(createTokenRoute, async (c) => {
    await requireSession(c);
    const request = c.req.valid("json");
    const tenant = await requireDelegable(c, request.scopes);
    const { token, body, replayed } = await issueToken(c, deps, { ...request, tenant });
    if (replayed) c.header("idempotency-replayed", "true");
    c.header("cache-control", "no-store");
    return c.json(replayed ? body : { ...body, token }, 201);
  });

  app.openapi(listTokensRoute, async (c) => {
    await requireSession(c);
    const query = c.req.valid("query");
    const tenant = await resolveTenant(c, deps, query.tenant);
    const { principal } = c.var;
    const createdBy = (await principal.allows("list", tenant)) ? null : principal.actor.id;
    const { page, tokensNotBeforeMs } = await withTenant(deps.database(c), tenant, async (tx) => ({
      page: await listClientTokens(tx, { createdBy, cursor: query.cursor ?? null, limit: query.limit }),
      tokensNotBeforeMs: await readTokensNotBefore(tx, tenant),
    }));
    const at = { nowMs: deps.nowMs(), tokensNotBeforeMs };
    return c.json({ items: page.items.map((row) => toView(row, at)), next_cursor: page.nextCursor }, 200);
  });

  app.openapi(revokeTokenRoute, async (c) => {
    await requireSession(c);
    const { id } = c.req.valid("param");
    const { tenant, row } = await requireRevocable(c, deps, id);
    const nowMs = deps.nowMs();
    const index = row.expiresAtMs > nowMs ? await proposeRevocation(c, tenant, row) : null;
    // The log has it; this mark is for people, and a repetition makes up for one that was lost.
    await withTenant(deps.database(c), tenant, async (tx) => {
      const isNew = await markClientTokenRevoked(tx, { id, nowMs });
      // Of a token that has expired the log hears nothing, so nobody else tells the audit.
      if (isNew && index === null) {
        const summary = `revoked client token ${id} (${row.name}), which had expired`;
        await appendAuditRows(tx, [auditRow(c, { tenant, id, action: "delete", summary, nowMs })]);
      }
    });
    return c.json({ id, revoked_at: new Date(row.revokedAtMs ?? nowMs).toISOString(), index }, 200);
  });
}

/** The one tenant of the scopes, all of which the caller may read; `validation_failed` or `forbidden` otherwise. */
async function requireDelegable(c: Context<AdminEnv>, scopes: readonly string[]): Promise<string> {
  const tenant = tenantOfScopes(scopes);
  if (tenant === null) {
    throw new ConfluxError(
      "validation_failed",
      "All scopes of a token name one tenant, without a wildcard.",
      {
        errors: [{ path: "/scopes", message: "begin every pattern with the same tenant's name" }],
      },
    );
  }
  const errors: { path: string; message: string }[] = [];
  for (const [i, scope] of scopes.entries()) {
    const pattern = parseReadScope(scope);
    if (pattern === null || !(await c.var.principal.allows("read", pattern))) {
      errors.push({ path: `/scopes/${i}`, message: "beyond your own permission to read" });
    }
  }
  if (errors.length > 0) {
    throw new ConfluxError("forbidden", "A token can read no more than who issues it.", { errors });
  }
  return tenant;
}

async function issueToken(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  input: { tenant: string; name: string; scopes: string[]; ttl_seconds: number },
): Promise<{ token: string; body: CreatedClientToken; replayed: boolean }> {
  const { tenant, name, scopes } = input;
  const nowMs = deps.nowMs();
  const id = tenantScopedId(tenant, ulid(nowMs));
  const signed = await signClientToken(await deps.signingKey(), {
    id,
    tenant,
    scopes,
    nowMs,
    ttlS: input.ttl_seconds,
  });
  const { idempotency } = await commandHead(c, tenant);
  const { result, replayed } = await withTenant(deps.database(c), tenant, (tx) =>
    runIdempotent(
      tx,
      idempotency && { ...idempotency, tenant, nowMs },
      async (): Promise<CreatedClientToken> => {
        const createdBy = c.var.principal.actor.id;
        await insertClientToken(tx, {
          tenant,
          id,
          name,
          scopes,
          createdBy,
          createdAtMs: nowMs,
          expiresAtMs: signed.expiresAtMs,
        });
        const summary = `issued client token ${id} (${name}) for ${scopes.join(" ")}`;
        await appendAuditRows(tx, [auditRow(c, { tenant, id, action: "write", summary, nowMs })]);
        return { id, name, scopes, expires_at: new Date(signed.expiresAtMs).toISOString() };
      },
    ),
  );
  return { token: signed.token, body: result, replayed };
}

/** A row about a token, which the log's own revocations name in the same way. */
function auditRow(
  c: Context<AdminEnv>,
  act: { tenant: string; id: string; action: "write" | "delete"; summary: string; nowMs: number },
): AuditRow {
  const { principal, traceId } = c.var;
  return {
    tenant: act.tenant,
    actor: principal.actor,
    ip: principal.ip,
    action: act.action,
    resource: `${act.tenant}/client-tokens/${act.id}`,
    outcome: "success",
    traceId,
    summary: act.summary,
    position: null,
    createdAtMs: act.nowMs,
  };
}

/** The token of this id, if the caller may revoke it; `not_found` in every other case, so that ids tell nothing. */
async function requireRevocable(
  c: Context<AdminEnv>,
  deps: AuthDeps,
  id: string,
): Promise<{ tenant: string; row: ClientTokenRow }> {
  const tenant = tenantOfId(id);
  const row =
    tenant === null ? null : await withTenant(deps.database(c), tenant, (tx) => findClientToken(tx, id));
  const { principal } = c.var;
  if (tenant === null || row === null) throw new ConfluxError("not_found", `no client token ${id}`);
  if (row.createdBy === principal.actor.id || (await principal.allows("delete", tenant)))
    return { tenant, row };
  throw new ConfluxError("not_found", `no client token ${id}`);
}

async function proposeRevocation(c: Context<AdminEnv>, tenant: string, row: ClientTokenRow): Promise<string> {
  const answer = await c.var.deps.core.propose<"revoke_token">(
    {
      command: {
        ...(await commandHead(c, tenant)),
        format: COMMAND_FORMAT_VERSION,
        kind: "revoke_token",
        payload: { jti: row.id, expires_at_ms: row.expiresAtMs },
      },
      attachments: [],
    },
    { traceparent: c.var.traceparent },
  );
  return writtenIndex(c, answer);
}

function toView(row: ClientTokenRow, at: { nowMs: number; tokensNotBeforeMs: number }): ClientTokenView {
  const { status, endedAtMs } = clientTokenState({ ...row, issuedAtMs: row.createdAtMs }, at);
  return {
    id: row.id,
    name: row.name,
    scopes: row.scopes,
    created_by: row.createdBy,
    created_at: new Date(row.createdAtMs).toISOString(),
    expires_at: new Date(row.expiresAtMs).toISOString(),
    revoked_at: row.revokedAtMs === null ? null : new Date(row.revokedAtMs).toISOString(),
    ended_at: endedAtMs === null ? null : new Date(endedAtMs).toISOString(),
    status,
  };
}
