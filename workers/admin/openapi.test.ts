import { describe, expect, it } from "vitest";
import { PERMISSION_ACTIONS } from "../../domain/access/permits.ts";
import type { RouteAccess } from "./route-access.ts";
import { newConfig, testingAdmin } from "./testing-admin.ts";

interface Operation {
  summary?: string;
  security?: unknown[];
  parameters?: { name: string; in: string; required?: boolean }[];
  requestBody?: { content: Record<string, { schema: { $ref?: string; type?: string } }> };
  responses: Record<string, { content?: Record<string, unknown>; headers?: Record<string, unknown> }>;
  "x-conflux-access": RouteAccess;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
}

const admin = testingAdmin();
const document = await (await admin.send("GET", "/openapi.json")).json<Document>();
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({
    key: `${method.toUpperCase()} ${path}`,
    method,
    path,
    operation,
  })),
);

describe("the OpenAPI document", () => {
  it("is 3.1 and lists exactly the routes that are served", () => {
    expect(document.openapi).toBe("3.1.0");
    const served = admin.app.routes
      .filter((route) => route.method !== "ALL")
      .map(({ method, path }) => `${method} ${path.replaceAll(/\/:([a-z_]+)/g, "/{$1}")}`);
    expect(new Set(operations.map((o) => o.key))).toEqual(new Set(served));
  });

  it("has patterns that a JSON Schema validator can use: Unicode, without flags", () => {
    const patterns = new Set<string>();
    JSON.stringify(document, (key, value: unknown) => {
      if (key === "pattern" && typeof value === "string") patterns.add(value);
      return value;
    });
    expect(patterns.size).toBeGreaterThan(2);
    for (const pattern of patterns) {
      expect(() => new RegExp(pattern, "u")).not.toThrow();
      expect(pattern).not.toMatch(/\$\/\w*$/);
    }
    expect([...patterns].some((pattern) => new RegExp(pattern, "u").test("Zoë 👍"))).toBe(true);
  });

  it.each([
    ["POST /api/v1/mgt/configs", "write"],
    ["GET /api/v1/mgt/configs", "list"],
    ["GET /api/v1/mgt/configs/{id}", "read"],
    ["DELETE /api/v1/mgt/configs/{id}", "delete"],
    ["GET /api/v1/mgt/configs/{id}/versions", "read"],
    ["POST /api/v1/mgt/configs/{id}/versions", "write"],
    ["GET /api/v1/mgt/configs/{id}/versions/{version}", "read"],
    ["GET /api/v1/mgt/configs/{id}/versions/{version}/content", "read"],
    ["GET /api/v1/mgt/configs/{id}/releases", "read"],
    ["PUT /api/v1/mgt/configs/{id}/releases", "publish"],
    ["POST /api/v1/mgt/configs/{id}/rollback", "publish"],
    ["GET /api/v1/mgt/configs/{id}/resolve", "read"],
    ["POST /api/v1/mgt/configs/{id}/publish", "publish"],
    ["GET /api/v1/mgt/configs/{id}/publishes", "read"],
    ["GET /api/v1/mgt/change-rules", "read"],
    ["PUT /api/v1/mgt/change-rules", "write"],
    ["POST /api/v1/mgt/change-requests", "write"],
    ["GET /api/v1/mgt/change-requests", "list"],
    ["PUT /api/v1/mgt/change-requests/{crid}", "write"],
    ["POST /api/v1/mgt/change-requests/{crid}/approve", "approve"],
    ["POST /api/v1/mgt/change-requests/{crid}/reject", "approve"],
    ["POST /api/v1/mgt/change-requests/{crid}/withdraw", "write"],
    ["POST /api/v1/mgt/change-requests/{crid}/execute", "publish"],
    ["GET /api/v1/mgt/publishes/{pid}", "read"],
    ["POST /api/v1/mgt/publishes/{pid}/advance", "publish"],
    ["POST /api/v1/mgt/publishes/{pid}/abort", "publish"],
  ])("A4 says that %s needs %s", (key, action) => {
    const operation = operations.find((o) => o.key === key)?.operation;
    expect(operation?.["x-conflux-access"]).toMatchObject({
      action,
      resource: expect.stringContaining("{tenant}") as unknown,
    });
    expect(operation?.security).toEqual([{ bearer: [] }]);
  });

  it.each(operations)("A4 $key declares who may call it, and how it refuses", ({ operation, method }) => {
    const access = operation["x-conflux-access"];
    const isPublic = "public" in access;
    if (isPublic) expect(operation.security).toEqual([]);
    if ("action" in access) expect(PERMISSION_ACTIONS).toContain(access.action);
    expect(operation.summary).toBeTruthy();
    const statuses = Object.keys(operation.responses);
    expect(statuses).toEqual(expect.arrayContaining(isPublic ? ["500"] : ["401", "403", "404", "500"]));
    if (method !== "get") expect(statuses).toEqual(expect.arrayContaining(["409", "412", "413", "415"]));
    for (const [status, response] of Object.entries(operation.responses)) {
      expect(response.headers).toHaveProperty("X-Trace-Id");
      if (Number(status) >= 400 && status !== "503")
        expect(response.content).toHaveProperty("application/problem+json");
    }
  });

  it.each(operations.filter((o) => !("public" in o.operation["x-conflux-access"])))(
    "A4 $key asks for a token before it looks at anything",
    async ({ method, path }) => {
      const url = path.replace(/\{p?id\}/, "x").replace("{version}", "x");
      const body = method === "get" || method === "delete" ? undefined : "{";
      const answer = await admin.send(method.toUpperCase(), url, body, { authorization: "" });
      expect(answer.status).toBe(401);
    },
  );

  it("C12 lets every write take an idempotency key, and every change of a config an If-Match", () => {
    for (const { key, method, path, operation } of operations) {
      if (method === "get") continue;
      const headers = (operation.parameters ?? []).filter((p) => p.in === "header").map((p) => p.name);
      expect([key, headers]).toEqual([key, expect.arrayContaining(["x-idempotency-key"])]);
      if (/\{p?id\}/.test(path)) expect([key, headers]).toEqual([key, expect.arrayContaining(["if-match"])]);
    }
  });

  it("refers only to schemas it has, and describes the closed list of codes", () => {
    const text = JSON.stringify(document);
    const referred = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((m) => m[1] ?? "");
    for (const name of referred) expect(document.components.schemas).toHaveProperty(name);
    expect(document.components.securitySchemes).toHaveProperty("bearer");
    expect(JSON.stringify(document.components.schemas["Problem"])).toContain("idempotency_conflict");
    expect(JSON.stringify(document.components.schemas["CreateConfigRequest"])).toContain(
      '"additionalProperties":false',
    );
  });
});

describe("/docs", () => {
  it("loads nothing from elsewhere and runs nothing inline", async () => {
    const page = await admin.send("GET", "/docs", undefined, { authorization: "" });
    const html = await page.text();
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'; script-src 'self'");
    expect(html).not.toMatch(/https?:\/\/|<script>|style=|\son[a-z]+=/);
    for (const [, url] of html.matchAll(/(?:src|href)="([^"]+)"/g)) {
      expect((await admin.send("GET", url ?? "", undefined, { authorization: "" })).status).toBe(200);
    }
  });
});

describe("traces", () => {
  it("M2 takes a caller's trace, begins one otherwise, and puts it into the command", async () => {
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
    const answer = await admin.send("POST", "/api/v1/mgt/configs", newConfig(), headers);
    expect(answer.headers.get("x-trace-id")).toBe(traceId);
    const { entries } = await admin.core.feed({ after: 0, limit: 10, wait_ms: 0, view: "full" });
    expect(entries[0]).toMatchObject({
      trace_id: traceId,
      audit: { actor: { name: "admin" }, ip: "192.0.2.1" },
    });
    for (const traceparent of ["", "junk", `00-${"0".repeat(32)}-00f067aa0ba902b7-01`]) {
      const other = await admin.send("GET", "/healthz", undefined, { traceparent });
      expect(other.headers.get("x-trace-id")).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
    }
  });
});
