import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Stack, startStack } from "../testing/stack.ts";
import { type Answer, admin, adminOk, fetchConfig, getRaw } from "../testing/stack-client.ts";

const NAME = "demo/shop/prod/victim.json";
const CONTENT = '{ "kept": true }\n';
const MiB = 1024 * 1024;
const place = { tenant: "demo", app: "shop", env: "prod", format: "json", content: "{}" };

let stack: Stack;
let id: string;
let etag: string;
let before: unknown;

/** All that must not change: the victim with its versions and rules, and which configs there are. */
async function snapshot(): Promise<unknown> {
  const [config, versions, releases, list] = await Promise.all(
    [
      `/mgt/configs/${id}`,
      `/mgt/configs/${id}/versions`,
      `/mgt/configs/${id}/releases`,
      "/mgt/configs?tenant=demo&limit=200",
    ].map(async (path) => (await adminOk(stack, "GET", path)).json),
  );
  return { config, versions, releases, list };
}

beforeAll(async () => {
  stack = await startStack();
  const created = await adminOk(stack, "POST", "/mgt/configs", {
    ...place,
    name: "victim.json",
    content: CONTENT,
    release: true,
  });
  id = String(created.json["id"]);
  etag = (await adminOk(stack, "GET", `/mgt/configs/${id}`)).headers.get("etag") ?? "";
  await adminOk(stack, "POST", `/mgt/configs/${id}/versions`, { content: CONTENT, description: "again" });
  await fetchConfig(stack, NAME, { minIndex: String(created.json["index"]) });
  before = await snapshot();
});
afterAll(async () => {
  await stack.stop();
});

interface Case {
  what: string;
  ask: () => Promise<Answer>;
  status: number;
  code: string;
  /** `path` of the first of `errors`. */
  path?: string;
}

const create = (body: Record<string, unknown>): Promise<Answer> =>
  admin(stack, "POST", "/mgt/configs", { ...place, name: "new.json", ...body });
const version = (body: unknown, headers?: Record<string, string>): Promise<Answer> =>
  admin(stack, "POST", `/mgt/configs/${id}/versions`, body, headers);
const rules = (body: unknown, headers?: Record<string, string>): Promise<Answer> =>
  admin(stack, "PUT", `/mgt/configs/${id}/releases`, body, headers);
const rule = (change: object): unknown[] => [{ labels: {}, version_id: 1, priority: 0, ...change }];

const WRITES: Case[] = [
  {
    what: "bad JSON as content",
    ask: () => version({ content: '{"a":1,}', description: "" }),
    status: 400,
    code: "validation_failed",
    path: "/content",
  },
  { what: "bad JSON as body", ask: () => version('{"content":'), status: 400, code: "malformed_request" },
  { what: "a body that is no object", ask: () => version("[]"), status: 400, code: "validation_failed" },
  {
    what: "unknown format",
    ask: () => create({ format: "docx" }),
    status: 400,
    code: "validation_failed",
    path: "/format",
  },
  {
    what: "a name with ..",
    ask: () => create({ name: "a..b" }),
    status: 400,
    code: "validation_failed",
    path: "/name",
  },
  {
    what: "a name with a slash",
    ask: () => create({ name: "a/b" }),
    status: 400,
    code: "validation_failed",
    path: "/name",
  },
  {
    what: "an app named ..",
    ask: () => create({ app: ".." }),
    status: 400,
    code: "validation_failed",
    path: "/app",
  },
  {
    what: "a name that is taken",
    ask: () => create({ name: "victim.json" }),
    status: 409,
    code: "already_exists",
  },
  {
    what: "10 MB of body",
    ask: () => version({ content: "x".repeat(10 * MiB), description: "" }),
    status: 413,
    code: "payload_too_large",
  },
  {
    what: "6 MB of content",
    ask: () => version({ content: `"${"x".repeat(6 * MiB)}"`, description: "" }),
    status: 413,
    code: "payload_too_large",
  },
  {
    what: "no media type of JSON",
    ask: () => version("a=b", { "content-type": "text/plain" }),
    status: 415,
    code: "unsupported_media_type",
  },
  {
    what: "no token",
    ask: () => rules(rule({}), { authorization: "" }),
    status: 401,
    code: "unauthenticated",
  },
  {
    what: "a client's token at the admin API",
    ask: () => rules(rule({}), { authorization: `Bearer ${stack.dev.client_token}` }),
    status: 401,
    code: "unauthenticated",
  },
  {
    what: "a tampered token",
    ask: () => rules(rule({}), { authorization: `Bearer ${tampered(stack.dev.admin_token)}` }),
    status: 401,
    code: "unauthenticated",
  },
  { what: "another tenant", ask: () => create({ tenant: "other" }), status: 403, code: "forbidden" },
  {
    what: "an unknown version in a rule",
    ask: () => rules(rule({ version_id: 99 })),
    status: 400,
    code: "validation_failed",
    path: "/0/version_id",
  },
  {
    what: "two rules that are the same",
    ask: () => rules([...rule({}), ...rule({})]),
    status: 400,
    code: "validation_failed",
  },
  {
    what: "a label name over its limit",
    ask: () => rules(rule({ labels: { [`l${"x".repeat(64)}`]: "1" } })),
    status: 400,
    code: "validation_failed",
  },
  {
    what: "a stale If-Match",
    ask: () => rules(rule({}), { "if-match": etag }),
    status: 412,
    code: "precondition_failed",
  },
  {
    what: "a rollback to no version",
    ask: () => admin(stack, "POST", `/mgt/configs/${id}/rollback`, { version_id: 99 }),
    status: 400,
    code: "validation_failed",
  },
  {
    what: "an unknown config",
    ask: () => admin(stack, "GET", "/mgt/configs/nothing"),
    status: 404,
    code: "not_found",
  },
  {
    what: "an unknown route",
    ask: () => admin(stack, "POST", "/mgt/nothing", {}),
    status: 404,
    code: "not_found",
  },
  {
    what: "a method that the route lacks",
    ask: () => admin(stack, "PATCH", `/mgt/configs/${id}`, {}),
    status: 405,
    code: "method_not_allowed",
  },
  {
    what: "an idempotency key over its limit",
    ask: () => rules(rule({}), { "x-idempotency-key": "k".repeat(129) }),
    status: 400,
    code: "validation_failed",
  },
  {
    what: "a token beyond the caller's own rights",
    ask: () =>
      admin(stack, "POST", "/auth/client-tokens", { name: "x", scopes: ["read:other/**"], ttl_seconds: 60 }),
    status: 403,
    code: "forbidden",
  },
];

describe("S3 wrong input at the admin API is refused with its code and changes nothing", () => {
  test.each(WRITES)("$what: $status $code", async ({ ask, status, code, path }) => {
    const answer = await ask();
    expect([answer.status, answer.json["code"]], answer.text).toEqual([status, code]);
    expect(answer.headers.get("content-type")).toContain("application/problem+json");
    expect(answer.json["trace_id"]).toMatch(/^[0-9a-f]{32}$/);
    if (path !== undefined) expect((answer.json["errors"] as { path: string }[])[0]?.path).toBe(path);
    expect(await snapshot()).toEqual(before);
  });

  test("one idempotency key with two bodies is 409 and the second does nothing", async () => {
    const key = { "x-idempotency-key": crypto.randomUUID() };
    const body = rule({});
    await adminOk(stack, "PUT", `/mgt/configs/${id}/releases`, body, key);
    const again = await rules(body, key);
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([200, "true"]);
    const other = await rules(rule({ version_id: 2 }), key);
    expect([other.status, other.json["code"]]).toEqual([409, "idempotency_conflict"]);
    expect((await fetchConfig(stack, NAME)).headers.get("x-config-version")).toBe("1");
    before = await snapshot();
  });
});

const READS: Case[] = [
  {
    what: "no token",
    ask: () => fetchConfig(stack, NAME, { headers: { authorization: "" } }),
    status: 401,
    code: "unauthenticated",
  },
  {
    what: "nonsense as token",
    ask: () => fetchConfig(stack, NAME, { token: "a.b.c" }),
    status: 401,
    code: "unauthenticated",
  },
  {
    what: "an admin's token",
    ask: () => fetchConfig(stack, NAME, { token: stack.dev.admin_token }),
    status: 401,
    code: "unauthenticated",
  },
  {
    what: "a tampered token",
    ask: () => fetchConfig(stack, NAME, { token: tampered(stack.dev.client_token) }),
    status: 401,
    code: "unauthenticated",
  },
  {
    what: "another tenant's config",
    ask: () => fetchConfig(stack, "other/shop/prod/victim.json"),
    status: 404,
    code: "not_found",
  },
  {
    what: "a config that is not there",
    ask: () => fetchConfig(stack, "demo/shop/prod/none.json"),
    status: 404,
    code: "not_found",
  },
  {
    what: "a name with ..",
    ask: () => getRaw(stack, "/api/v1/fetch/config/demo/shop/prod/a..b"),
    status: 400,
    code: "validation_failed",
  },
  {
    what: "33 labels",
    ask: () => fetchConfig(stack, NAME, { labels: manyLabels(33) }),
    status: 400,
    code: "validation_failed",
  },
  {
    what: "a label value over its limit",
    ask: () => fetchConfig(stack, NAME, { labels: { canary: "x".repeat(257) } }),
    status: 400,
    code: "validation_failed",
  },
  {
    what: "a label name over its limit",
    ask: () => fetchConfig(stack, NAME, { labels: { ["n".repeat(65)]: "x" } }),
    status: 400,
    code: "validation_failed",
  },
];

describe("S3 wrong input at the edge is refused with its code", () => {
  test.each(READS)("$what: $status $code", async ({ ask, status, code }) => {
    const answer = await ask();
    expect([answer.status, answer.json["code"]], answer.text).toEqual([status, code]);
  });

  test("configs not there, not permitted and without a matching rule answer the same body", async () => {
    const narrow = await adminOk(stack, "POST", "/auth/client-tokens", {
      name: "narrow",
      scopes: ["read:demo/other/*/*"],
      ttl_seconds: 60,
    });
    await adminOk(stack, "POST", "/mgt/configs", { ...place, name: "unreleased.json" });
    const answers = await Promise.all([
      fetchConfig(stack, "demo/shop/prod/none.json"),
      fetchConfig(stack, NAME, { token: String(narrow.json["token"]) }),
      fetchConfig(stack, "demo/shop/prod/unreleased.json"),
      fetchConfig(stack, "other/shop/prod/none.json"),
    ]);
    const bodies = answers.map(({ status, json }) => ({ status, ...json, trace_id: "" }));
    expect(bodies).toEqual(bodies.map(() => ({ ...bodies[0], status: 404 })));
  });

  test.each(["c1.1.999999999.forged", "nonsense", "c1.1.1.", "9".repeat(4000), "c1.1.-1.x"])(
    "E5 a forged minimum index (%s) is ignored and delays nothing",
    async (minIndex) => {
      const answer = await fetchConfig(stack, NAME, { minIndex });
      expect([answer.status, answer.text]).toEqual([200, CONTENT]);
    },
  );

  test("A3 a revoked token is refused within seconds", async () => {
    const made = await adminOk(stack, "POST", "/auth/client-tokens", {
      name: "short",
      scopes: ["read:demo/**"],
      ttl_seconds: 60,
    });
    const token = String(made.json["token"]);
    expect((await fetchConfig(stack, NAME, { token })).status).toBe(200);
    const revoked = await adminOk(stack, "DELETE", `/auth/client-tokens/${String(made.json["id"])}`);
    const minIndex = String(revoked.json["index"]);
    await expect
      .poll(async () => (await fetchConfig(stack, NAME, { token, minIndex })).status, { timeout: 10_000 })
      .toBe(401);
  });
});

function tampered(token: string): string {
  const [head, payload, signature = ""] = token.split(".");
  const middle = Math.floor(signature.length / 2);
  const swapped = signature[middle] === "A" ? "B" : "A";
  return `${head}.${payload}.${signature.slice(0, middle)}${swapped}${signature.slice(middle + 1)}`;
}

function manyLabels(n: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: n }, (_, i) => [`label-${i}`, "x"]));
}
