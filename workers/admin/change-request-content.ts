import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import {
  changeContentQuery,
  changeRequestParams,
} from "../../contracts/change-request/change-request-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { contentsOfOperation } from "../../domain/change-request/held-content.ts";
import { hashOf } from "./change-views.ts";
import { declareRoute } from "./declare-route.ts";
import { findChangeRequest } from "./find-change-request.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { action: "read", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "get",
    path: "/api/v1/mgt/change-requests/{crid}/content",
    tags: ["changes"],
    summary: "A content that a change request would make a version of",
    description:
      "404 for one without content, and once it has ended without making one. Of several, content_hash says which.",
    request: { params: changeRequestParams, query: changeContentQuery },
    responses: {
      200: {
        description: "The bytes; of an encrypted config: the envelope",
        content: { "application/octet-stream": { schema: z.string().meta({ format: "binary" }) } },
      },
    },
  },
);

/** What an approver reads before they approve its hash. */
export function registerChangeRequestContent(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const { consistency, content_hash: wanted } = c.req.valid("query");
    const request = await findChangeRequest(c, c.req.valid("param").crid, consistency);
    const contents = contentsOfOperation(request.operation);
    const [content, another] = contents.filter((one) => wanted === undefined || hashOf(one) === wanted);
    if (content === undefined) throw new ConfluxError("not_found", "the change request has no such content");
    if (another !== undefined && wanted === undefined) {
      const message = "the change request has several contents: name one";
      throw new ConfluxError("validation_failed", message, { errors: [{ path: "/content_hash", message }] });
    }
    const { tenant } = request.namespace;
    const options = { consistency, traceparent: c.var.traceparent };
    const bytes = await c.var.deps.core.getBlob({ tenant, sha256: content.sha256 }, options);
    return c.body(new Uint8Array(bytes), 200, {
      "content-type": "application/octet-stream",
      "x-config-hash": `sha256:${content.sha256}`,
      // Whatever a tenant has stored, a browser must not run it on this host.
      "content-security-policy": "default-src 'none'; sandbox",
    });
  });
}
