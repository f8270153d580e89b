import type { OpenAPIHono } from "@hono/zod-openapi";
import { createHeaders } from "../../contracts/config/fields.ts";
import { rewrapAnswer, rewrapRequest } from "../../contracts/encryption/rewrap-api.ts";
import { idempotency, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { requireKeyIds } from "./encryption-keys.ts";
import type { AdminEnv } from "./principal.ts";
import { requireDeclared } from "./require-permission.ts";

const route = declareRoute(
  { action: "write", resource: "{tenant}/{app or *}/{env or *}/{name or *}" },
  {
    method: "post",
    path: "/api/v1/mgt/encryption/rewrap",
    tags: ["encryption"],
    summary: "Wrap data keys anew after a KMS key was rotated or changed",
    description:
      "Goes through all that is sealed of a tenant, an application, an environment or one config: versions of encrypted configs, secrets in typed configs, and contents of open change requests. Some a call: call again with its resume_cursor as cursor until it is null. What is sealed and versions stay; index and ETag are new. A change request whose content was wrapped anew has another digest and no approvals. A repetition does no harm.",
    request: { headers: createHeaders, body: { required: true, content: json(rewrapRequest) } },
    responses: { 200: { description: "What was done, and where to go on", content: json(rewrapAnswer) } },
  },
);

/** K3: one page of re-wrapping. */
export function registerEncryptionRewrap(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { cursor, ...scope } = c.req.valid("json");
    await requireDeclared(c, scope);
    const { principal, traceId, traceparent, deps } = c.var;
    const keys = await deps.applicationKeys(c, scope.tenant, scope.app);
    const key = await idempotency(c, scope.tenant);
    const answer = await deps.core.rewrapKeys(
      {
        ...scope,
        cursor: cursor ?? null,
        keys: { ...requireKeyIds(keys) },
        head: { actor: principal.actor, ip: principal.ip, trace_id: traceId },
        ...(key === null ? {} : { idempotency: key }),
      },
      { traceparent },
    );
    const { rewrapped, next_cursor } = answer;
    return c.json({ rewrapped, resume_cursor: next_cursor, index: await writtenIndex(c, answer) }, 200);
  });
}
