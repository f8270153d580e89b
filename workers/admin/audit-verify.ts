import type { OpenAPIHono } from "@hono/zod-openapi";
import { verifyAuditChain } from "../../adapters/postgres/verify-audit-chain.ts";
import {
  type AuditVerification,
  auditVerification,
  auditVerifyQuery,
} from "../../contracts/access/audit-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { BEFORE_CHAIN, type ChainPlace } from "../../domain/access/verify-chain.ts";
import type { AuthDeps } from "./auth-deps.ts";
import { resolveTenant } from "./auth-tenant.ts";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";
import { requirePermission } from "./require-permission.ts";

/** Rows that one request verifies at most, and how long it goes on; the caller goes on with the cursor. */
const AUDIT_VERIFY_ROWS_MAX = 20_000;
const AUDIT_VERIFY_TIME_MS = 2_000;

const verifyRoute = declareRoute(
  { action: "list", resource: "{tenant}" },
  {
    method: "get",
    path: "/api/v1/audit-logs/verify",
    tags: ["access"],
    summary: "Whether a tenant's audit is as it was written: hashes, order, and the log's anchors",
    request: { query: auditVerifyQuery },
    responses: { 200: { description: "What was found, good or bad", content: json(auditVerification) } },
  },
);

/** `GET /audit-logs/verify`. */
export function registerAuditVerify(app: OpenAPIHono<AdminEnv>, deps: AuthDeps): void {
  app.openapi(verifyRoute, async (c) => {
    const query = c.req.valid("query");
    const from = query.cursor === undefined ? BEFORE_CHAIN : parsePlace(query.cursor);
    const tenant = await resolveTenant(c, deps, query.tenant);
    await requirePermission(c, "list", tenant);
    // Before the rows: an anchor stands for rows that are there by then.
    const { anchors } = await c.var.deps.core.getAuditAnchors(tenant, {
      consistency: "leader",
      traceparent: c.var.traceparent,
    });
    const startedMs = deps.nowMs();
    const { place, rows, complete, anchorsMet, finding } = await verifyAuditChain(deps.database(c), {
      tenant,
      anchors,
      from,
      isEnough: (done) => done >= AUDIT_VERIFY_ROWS_MAX || deps.nowMs() - startedMs >= AUDIT_VERIFY_TIME_MS,
    });
    const newest = anchors.at(-1);
    const body: AuditVerification = {
      tenant,
      verified: rows,
      last: place,
      complete,
      resume_cursor: complete ? null : `${place.seq}_${place.hash}`,
      anchors: {
        met: anchorsMet,
        newest:
          newest === undefined
            ? null
            : {
                seq: newest.seq,
                hash: newest.hash,
                anchored_at: new Date(newest.timestamp_ms).toISOString(),
              },
      },
      finding,
    };
    return c.json(body, 200);
  });
}

function parsePlace(text: string): ChainPlace {
  const [, seq, hash] = /^(\d{1,15})_([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq !== undefined && hash !== undefined) return { seq: Number(seq), hash };
  throw new ConfluxError("validation_failed", "The cursor is none that a verification gave.", {
    errors: [{ path: "/query/cursor", message: "the resume_cursor of the answer before" }],
  });
}
