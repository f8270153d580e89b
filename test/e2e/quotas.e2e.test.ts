import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ADMIN_BODY_BYTES_MAX } from "../../contracts/limits.ts";
import { makeSecondTenant, type SecondTenant } from "../testing/second-tenant.ts";
import { type Stack, startStack } from "../testing/stack.ts";
import { admin, adminOk } from "../testing/stack-client.ts";

const CLIENTS = 64;
/** The defaults of a new tenant. */
const REQUESTS_PER_MINUTE = 120;
const SIZE_BYTES_MAX = 102_400;
/** What makeSecondTenant sends with its user's token. */
const REQUESTS_OF_ITS_MAKING = 1;

let stack: Stack;
let tenant: SecondTenant;
beforeAll(async () => {
  stack = await startStack();
  tenant = await makeSecondTenant(stack, "acme", { hasDefaultQuotas: true });
});
afterAll(() => stack.stop());

const asTenant = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  admin(stack, method, path, body, { authorization: `Bearer ${tenant.accessToken}`, ...headers });

describe("A6 a new tenant", () => {
  test("has its content bounded, then its requests: exactly, with 64 clients at once, and nobody else's", async () => {
    const config = { tenant: "acme", app: "shop", env: "prod", name: "a", format: "text" };
    const large = await asTenant("POST", "/mgt/configs", {
      ...config,
      content: "x".repeat(SIZE_BYTES_MAX + 1),
    });
    expect([large.status, large.json["code"]]).toEqual([413, "payload_too_large"]);
    const fits = await asTenant("POST", "/mgt/configs", { ...config, content: "x".repeat(SIZE_BYTES_MAX) });
    expect(fits.status).toBe(201);
    // Nothing of these counts: no token, a bad one, signing in, health, keys.
    for (let i = 0; i < 5; i += 1) {
      expect(
        (await admin(stack, "GET", "/mgt/configs?tenant=acme", undefined, { authorization: "" })).status,
      ).toBe(401);
      await admin(stack, "POST", "/auth/login", { username: "acme-admin", password: "no" });
      expect((await admin(stack, "GET", "/.well-known/jwks.json")).status).toBe(200);
    }
    const left = REQUESTS_PER_MINUTE - REQUESTS_OF_ITS_MAKING - 2;
    const perClient = 4;
    const clients = Array.from({ length: CLIENTS }, async () => {
      const answers = [];
      for (let i = 0; i < perClient; i += 1) answers.push(await asTenant("GET", "/mgt/configs?tenant=acme"));
      return answers;
    });
    const answers = (await Promise.all(clients)).flat();
    const refused = answers.filter(({ status }) => status === 429);
    const count = (wanted: number): number => answers.filter(({ status }) => status === wanted).length;
    // Each request has a connection of its own to the local Postgres. A slow machine cannot make 64 of them in time, and
    // who is told so (503) may have been counted before.
    const away = count(503);
    expect(count(200) + away + refused.length).toBe(CLIENTS * perClient);
    expect(count(200)).toBeLessThanOrEqual(left);
    expect(count(200) + away).toBeGreaterThanOrEqual(left);
    for (const answer of refused) {
      expect(answer.json["code"]).toBe("rate_limited");
      const retryAfterS = Number(answer.headers.get("retry-after"));
      expect(retryAfterS).toBeGreaterThan(0);
      expect(retryAfterS).toBeLessThanOrEqual(60);
    }
    expect((await admin(stack, "GET", "/mgt/configs?tenant=demo")).status).toBe(200);
    // By Retry-After there is room again; 60 s is long for a test, so this one waits only for the truth of being full.
    expect((await asTenant("DELETE", `/mgt/configs/${String(fits.json["id"])}`)).status).toBe(429);
  });
});

describe("A6 a body", () => {
  test("over the limit is refused by every route that could take one", async () => {
    interface Document {
      paths: Record<string, Record<string, { requestBody?: object }>>;
    }
    const { json } = await adminOk(stack, "GET", "/openapi.json");
    const body = "x".repeat(ADMIN_BODY_BYTES_MAX + 1);
    for (const [path, item] of Object.entries((json as unknown as Document).paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (method === "get" || (operation.requestBody === undefined && method === "delete")) continue;
        const target = path.replace("/api/v1", "").replaceAll(/\{\w+\}/g, "1");
        const answer = await admin(stack, method.toUpperCase(), target, body);
        expect([answer.status, answer.json["code"]], `${method} ${path}`).toEqual([413, "payload_too_large"]);
      }
    }
  });
});
