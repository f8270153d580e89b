import type { OpenAPIHono } from "@hono/zod-openapi";
import { declareRoute } from "./declare-route.ts";
import { DOCS_HTML, DOCS_SCRIPT, DOCS_STYLE } from "./docs-assets.ts";
import type { AdminEnv } from "./principal.ts";

/** Nothing but what this host serves itself: no CDN, no inline script or style. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";

const FILES = [
  { path: "/docs", type: "text/html", summary: "This API for people", body: DOCS_HTML },
  { path: "/docs/docs.js", type: "text/javascript", summary: "Script of /docs", body: DOCS_SCRIPT },
  { path: "/docs/docs.css", type: "text/css", summary: "Style of /docs", body: DOCS_STYLE },
];

export function registerDocs(app: OpenAPIHono<AdminEnv>): void {
  for (const { path, type, summary, body } of FILES) {
    const route = declareRoute(
      { public: "documentation" },
      {
        method: "get",
        path,
        tags: ["documentation"],
        summary,
        responses: { 200: { description: summary, content: { [type]: { schema: { type: "string" } } } } },
      },
    );
    app.openapi(route, (c) =>
      c.body(body, 200, {
        "content-type": `${type}; charset=utf-8`,
        "content-security-policy": CONTENT_SECURITY_POLICY,
        "cache-control": "no-cache",
        "referrer-policy": "no-referrer",
      }),
    );
  }
}
