import { ulid } from "ulid";
import type { OpenAPIHono } from "@hono/zod-openapi";
import { appendAuditRows } from "../../adapters/postgres/append-audit-rows.ts";
import { useBreakGlass } from "../../adapters/postgres/use-break-glass.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { signAccessToken } from "../../adapters/tokens/sign-token.ts";
import { breakGlassRequest, breakGlassSession } from "../../contracts/access/session-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { sessionRow } from "./auth-session.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { sha256Hex } from "../../adapters/digest/sha256-hex.ts";

const route = declareRoute(
  { public: "sign_in" },
  {
    method: "post",
    path: "/api/v1/auth/break-glass",
    tags: ["access"],
    summary:
      "Exchange the code that the owner of the database opened, once, for a session that ends by itself",
    request: { body: { required: true, content: json(breakGlassRequest) } },
    responses: { 200: { description: "An access token and no more", content: json(breakGlassSession) } },
  },
);

/** `POST /auth/break-glass`. */
export function registerBreakGlassRoute(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(route, async (c) => {
    const codeDigest = await sha256Hex(c.req.valid("json").code);
    const nowMs = deps.nowMs();
    const use = await withTenant(deps.database(c), SYSTEM_TENANT, async (tx) => {
      const found = await useBreakGlass(tx, { codeDigest, nowMs });
      if (found !== null) {
        const until = new Date(found.expiresAtMs).toISOString();
        const row = sessionRow(c, {
          owner: { id: found.userId, username: found.username },
          action: "login",
          resource: "break-glass",
          outcome: "success",
          summary: `BREAK-GLASS session until ${until}, opened by ${found.openedBy}: ${found.reason}`,
          nowMs,
        });
        const ofTenants = found.tenants.map((tenant) => ({ ...row, tenant, resource: tenant }));
        await appendAuditRows(tx, [row, ...ofTenants]);
      }
      return found;
    });
    if (use === null) {
      throw new ConfluxError("unauthenticated", "The code is wrong, used or expired; open another one.");
    }
    const { userId, username, expiresAtMs } = use;
    const ttlS = Math.floor((expiresAtMs - nowMs) / 1000);
    const access = await signAccessToken(await deps.signingKey(), {
      userId,
      username,
      jti: ulid(),
      nowMs,
      ttlS,
    });
    c.var.deps.log({
      level: "warn",
      message: "break-glass session",
      trace_id: c.var.traceId,
      user: username,
      opened_by: use.openedBy,
      reason: use.reason,
      expires_at: new Date(expiresAtMs).toISOString(),
    });
    c.header("cache-control", "no-store");
    return c.json({ access_token: access.token, token_type: "Bearer" as const, expires_in: ttlS }, 200);
  });
}
