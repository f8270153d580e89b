import type { OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { declareRoute, json } from "./declare-route.ts";
import type { AdminEnv } from "./principal.ts";

const route = declareRoute(
  { public: "documentation" },
  {
    method: "get",
    path: "/openapi.json",
    tags: ["documentation"],
    summary: "This document: OpenAPI 3.1, generated from the schemas that requests are judged by",
    responses: { 200: { description: "The document", content: json(z.record(z.string(), z.unknown())) } },
  },
);

export function registerOpenapi(app: OpenAPIHono<AdminEnv>): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "bearer", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "An access token from POST /api/v1/auth/login",
  });
  let document: object | undefined;
  app.openapi(route, (c) => {
    document ??= withPlainPatterns(
      app.getOpenAPI31Document({
        openapi: "3.1.0",
        info: {
          title: "Conflux admin API",
          version: "1",
          description:
            "Configs, versions and release rules. Refusals are problem documents (RFC 9457) with a stable `code`. " +
            "Every answer carries `X-Trace-Id`.",
        },
        servers: [{ url: "/" }],
      }),
    );
    return c.json({ ...document }, 200);
  });
}

/**
 * JSON Schema knows no flags behind a pattern: every one is read as Unicode. The generator leaves the `/u` of ours at its end,
 * where nothing could ever match it.
 */
function withPlainPatterns(document: object): object {
  const plain = (key: string, value: unknown): unknown =>
    key === "pattern" && typeof value === "string" ? value.replace(/\/u$/, "") : value;
  return JSON.parse(JSON.stringify(document, plain)) as object;
}
