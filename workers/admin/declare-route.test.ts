import { z } from "zod";
import { beforeEach, describe, expect, it } from "vitest";
import { declareRoute, json } from "./declare-route.ts";
import { requireDeclared, requirePermission, requireSession } from "./require-permission.ts";
import type { RouteAccess } from "./route-access.ts";
import { testingAdmin, type TestingAdmin } from "./testing-admin.ts";
import type { Context } from "hono";
import type { AdminEnv } from "./principal.ts";

let admin: TestingAdmin;
beforeEach(() => {
  admin = testingAdmin();
});

/** A route that declares `access` and whose handler does `ask` before it answers. */
async function answerOf(
  access: RouteAccess,
  ask: (c: Context<AdminEnv>) => Promise<void>,
  who = "reader",
): Promise<number> {
  const route = declareRoute(access, {
    method: "get",
    path: "/api/v1/probe",
    responses: { 200: { description: "What it guards", content: json(z.object({ secret: z.string() })) } },
  });
  admin.app.openapi(route, async (c) => {
    await ask(c);
    return c.json({ secret: "s" }, 200);
  });
  const answer = await admin.send("GET", "/api/v1/probe", undefined, { authorization: `Bearer ${who}` });
  expect((await answer.text()).includes("secret")).toBe(answer.status === 200);
  return answer.status;
}
const READ: RouteAccess = { action: "read", resource: "{tenant}/{app}" };

describe("A4 a route is held to what it declares", () => {
  it("answers when the declared permission was asked for and found, in either way of asking", async () => {
    expect(await answerOf(READ, (c) => requireDeclared(c, { tenant: "demo", app: "shop" }))).toBe(200);
    admin = testingAdmin();
    expect(await answerOf(READ, (c) => requirePermission(c, "read", "demo/shop"))).toBe(200);
  });

  it.each<[string, (c: Context<AdminEnv>) => Promise<void>]>([
    ["nothing", () => Promise.resolve()],
    ["another action", (c) => requirePermission(c, "list", "demo/shop/prod/x")],
    ["another resource", (c) => requirePermission(c, "read", "demo/shop/prod/x")],
    ["the session alone", (c) => requireSession(c)],
  ])("does not answer when %s was asked for", async (_name, ask) => {
    expect(await answerOf(READ, ask)).toBe(500);
    expect(admin.logs.at(-1)?.["error"]).toContain("answered without asking");
  });

  it("refuses who lacks it, and takes the other resource in its place", async () => {
    expect(await answerOf(READ, (c) => requireDeclared(c, { tenant: "other", app: "shop" }))).toBe(403);
    admin = testingAdmin();
    const either: RouteAccess = { action: "execute", resource: "{tenant}", or: "_system/tenants" };
    expect(await answerOf(either, (c) => requireDeclared(c, { tenant: "other" }), "operator")).toBe(200);
  });

  it("asks a session of routes that need no permission", async () => {
    expect(await answerOf({ authenticated: "own" }, () => Promise.resolve())).toBe(500);
    admin = testingAdmin();
    expect(await answerOf({ authenticated: "own" }, (c) => requireSession(c))).toBe(200);
  });

  it("asks nothing of public ones", async () => {
    expect(await answerOf({ public: "health" }, () => Promise.resolve(), "nobody")).toBe(200);
  });
});
