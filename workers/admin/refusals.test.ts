// Over 400 lines: one table of requests that are refused, a row each, over one setup.
import { beforeEach, describe, expect, it } from "vitest";
import { CONTENT_BYTES_MAX } from "../../contracts/limits.ts";
import { STATUS_BY_CODE, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import { BODY_DRAIN_BYTES_MAX } from "./read-body.ts";
import { newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
let admin: TestingAdmin;
/** The path of a config that exists, with two versions and a rule. */
let config: string;

beforeEach(async () => {
  admin = testingAdmin();
  const schema = { type: "object", properties: { retries: { type: "integer" } } };
  const created = await admin.send("POST", CONFIGS, newConfig({ release: true, schema }), {
    "x-idempotency-key": "used",
  });
  config = `${CONFIGS}/${(await created.json<{ id: string }>()).id}`;
  await admin.send("POST", `${config}/versions`, { content: '{"retries": 3}' });
});

interface Case {
  name: string;
  method?: string;
  path?: string | (() => string);
  body?: unknown;
  headers?: Record<string, string>;
  code: ErrorCode;
  /** Of the first error; left out where a refusal is about no field. */
  at?: string;
  message?: RegExp;
}
const releases = (): string => `${config}/releases`;
const versions = (): string => `${config}/versions`;
const put = { method: "PUT", path: releases };

const CASES: Case[] = [
  {
    name: "bad JSON",
    body: '{"tenant": "demo",\n "app": }',
    code: "malformed_request",
    at: "",
    message: /unexpected/,
  },
  { name: "an empty body", body: "", code: "malformed_request" },
  {
    name: "a body that is no UTF-8",
    body: new Uint8Array([0x22, 0xff, 0x22]),
    code: "malformed_request",
    at: "",
  },
  {
    name: "a field twice",
    body: '{"tenant":"demo","tenant":"other"}',
    code: "malformed_request",
    at: "",
    message: /twice/,
  },
  {
    name: "a label that a record would lose, and with it the rule's condition",
    ...put,
    body: '[{"labels":{"__proto__":"x"},"version_id":1,"priority":5}]',
    code: "malformed_request",
    at: "",
    message: /__proto__/,
  },
  {
    name: "a compressed body",
    body: newConfig({}),
    headers: { "content-type": "application/json", "content-encoding": "gzip" },
    code: "unsupported_media_type",
  },
  {
    name: "a body nested without end",
    body: `{"schema":${"[".repeat(100_000)}`,
    code: "malformed_request",
    at: "",
  },
  {
    name: "a body of another type",
    body: "a=1",
    headers: { "content-type": "text/plain" },
    code: "unsupported_media_type",
  },
  { name: "a list for an object", body: "[]", code: "validation_failed", at: "" },
  {
    name: "an unknown format",
    body: newConfig({ format: "hocon" }),
    code: "validation_failed",
    at: "/format",
    message: /json.*yaml/,
  },
  {
    name: "XML that declares an entity",
    body: newConfig({
      format: "xml",
      content: '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n<a>&x;</a>',
    }),
    code: "validation_failed",
    at: "/content",
    message: /entities too/,
  },
  {
    name: "a name with ..",
    body: newConfig({ name: "a..b" }),
    code: "validation_failed",
    at: "/name",
    message: /without '\.\.'/,
  },
  { name: "a name with a slash", body: newConfig({ app: "a/b" }), code: "validation_failed", at: "/app" },
  {
    name: "an unknown field",
    body: newConfig({ colour: "red" }),
    code: "validation_failed",
    at: "/colour",
    message: /unknown/,
  },
  { name: "no content", body: newConfig({ content: undefined }), code: "validation_failed", at: "/content" },
  {
    name: "content twice",
    body: newConfig({ content_base64: "e30=" }),
    code: "validation_failed",
    at: "/content",
  },
  {
    name: "content that is no base64",
    body: newConfig({ content: undefined, content_base64: "e3" }),
    code: "validation_failed",
    at: "/content_base64",
  },
  {
    name: "content that is no Unicode",
    body: newConfig({ content: '"\uD800"' }),
    code: "validation_failed",
    at: "/content",
    message: /has a lone surrogate, which is no Unicode text/,
  },
  {
    name: "a text that is no Unicode, of no matter which field",
    body: newConfig({ name: "n", description: "\uD800" }),
    code: "validation_failed",
    at: "/description",
    message: /has a lone surrogate, which is no Unicode text/,
  },
  {
    name: "a text that is no Unicode, somewhere deep",
    body: newConfig({ name: "n", schema: { enum: ["a", { b: "x\uDC00" }] } }),
    code: "validation_failed",
    at: "/schema/enum/1/b",
    message: /lone surrogate/,
  },
  {
    name: "a name that is no Unicode",
    ...put,
    body: [{ labels: { "\uD800": "x" }, version_id: 1 }],
    code: "validation_failed",
    at: "/0/labels/\uFFFD",
    message: /lone surrogate/,
  },
  {
    name: "content that does not parse",
    body: newConfig({ name: "n", content: "{\n  x" }),
    code: "validation_failed",
    at: "/content",
  },
  {
    name: "content against its schema",
    body: newConfig({ name: "n", schema: { properties: { retries: { type: "string" } } } }),
    code: "validation_failed",
    at: "/content/retries",
  },
  {
    name: "a broken schema",
    body: newConfig({ name: "n", schema: "{" }),
    code: "validation_failed",
    at: "/schema",
  },
  {
    name: "a schema that is a number",
    body: newConfig({ schema: 5 }),
    code: "validation_failed",
    at: "/schema",
    message: /JSON Schema/,
  },
  {
    name: "a schema for text",
    body: newConfig({ name: "n", format: "text", schema: {} }),
    code: "validation_failed",
    at: "/schema",
  },
  {
    name: "a wish for encryption that is no boolean",
    body: newConfig({ encrypt: "yes" }),
    code: "validation_failed",
    at: "/encrypt",
  },
  {
    name: "release and releases",
    body: newConfig({ release: true, releases: [] }),
    code: "validation_failed",
    at: "/release",
  },
  {
    name: "a long description",
    body: newConfig({ description: "é".repeat(600) }),
    code: "validation_failed",
    at: "/description",
  },
  {
    name: "a description with a NUL",
    body: newConfig({ description: "a\u0000b" }),
    code: "validation_failed",
    at: "/description",
    message: /control characters/,
  },
  {
    name: "a rule for a version to come",
    body: newConfig({ name: "n", releases: [{ version_id: 2 }] }),
    code: "validation_failed",
    at: "/releases/0/version_id",
  },
  { name: "a taken name", body: newConfig(), code: "already_exists" },
  {
    name: "content over its limit",
    body: newConfig({ name: "n", format: "text", content: "x".repeat(CONTENT_BYTES_MAX + 1) }),
    code: "payload_too_large",
    at: "/content",
  },
  {
    name: "a body of 10 MB",
    body: newConfig({ content: "x".repeat(10 * 1024 * 1024) }),
    code: "payload_too_large",
  },
  {
    name: "a key of 129 bytes",
    body: newConfig(),
    headers: { "x-idempotency-key": "k".repeat(129) },
    code: "validation_failed",
    at: "/headers/x-idempotency-key",
  },
  {
    name: "a used key with another body",
    body: newConfig({ name: "n" }),
    headers: { "x-idempotency-key": "used" },
    code: "idempotency_conflict",
  },
  {
    name: "no token",
    body: newConfig({ name: "n" }),
    headers: { authorization: "" },
    code: "unauthenticated",
  },
  {
    name: "an unknown token",
    body: newConfig({ name: "n" }),
    headers: { authorization: "Bearer nobody" },
    code: "unauthenticated",
  },
  {
    name: "no token before anything else",
    body: "{",
    headers: { authorization: "" },
    code: "unauthenticated",
  },
  {
    name: "a token of another tenant",
    body: newConfig({ name: "n" }),
    headers: { authorization: "Bearer stranger" },
    code: "forbidden",
  },
  {
    name: "a release by who may only write",
    body: newConfig({ name: "n", release: true }),
    headers: { authorization: "Bearer writer" },
    code: "forbidden",
  },
  {
    name: "an unknown version in a rule",
    ...put,
    body: [{ version_id: 1 }, { labels: { a: "b" }, version_id: 9 }],
    code: "validation_failed",
    at: "/1/version_id",
  },
  {
    name: "two equal rules",
    ...put,
    body: [{ version_id: 1 }, { version_id: 2 }],
    code: "validation_failed",
    at: "/1",
  },
  {
    name: "an object for the list of rules",
    ...put,
    body: { releases: [] },
    code: "validation_failed",
    at: "",
  },
  {
    name: "too many labels",
    ...put,
    body: [
      { version_id: 1, labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, "x"])) },
    ],
    code: "validation_failed",
    at: "/0/labels",
  },
  {
    name: "a label that is no text",
    ...put,
    body: [{ version_id: 1, labels: { a: true } }],
    code: "validation_failed",
    at: "/0/labels/a",
  },
  {
    name: "a stale If-Match",
    ...put,
    body: [{ version_id: 1 }],
    headers: { "if-match": '"1"' },
    code: "precondition_failed",
  },
  {
    name: "an If-Match of something else",
    ...put,
    body: [{ version_id: 1 }],
    headers: { "if-match": "W/whatever" },
    code: "precondition_failed",
  },
  {
    name: "rules by who may only write",
    ...put,
    body: [],
    headers: { authorization: "Bearer writer" },
    code: "forbidden",
  },
  {
    name: "rules by who may not even read",
    ...put,
    body: [],
    headers: { authorization: "Bearer stranger" },
    code: "not_found",
  },
  {
    name: "a version against the config's schema",
    path: versions,
    body: { content: '{"retries": "x"}' },
    code: "validation_failed",
    at: "/content/retries",
  },
  {
    name: "a version of another format",
    path: versions,
    body: { content: "a = [", format: "toml" },
    code: "validation_failed",
    at: "/content",
  },
  {
    name: "a version by a reader",
    path: versions,
    body: { content: "{}" },
    headers: { authorization: "Bearer reader" },
    code: "forbidden",
  },
  {
    name: "a version of no config",
    path: `${CONFIGS}/cfg-c1-99/versions`,
    body: { content: "{}" },
    code: "not_found",
  },
  {
    name: "a rollback to no version",
    path: () => `${config}/rollback`,
    body: { version_id: 7 },
    code: "validation_failed",
    at: "/version_id",
  },
  {
    name: "a rollback to nothing",
    path: () => `${config}/rollback`,
    body: {},
    code: "validation_failed",
    at: "/version_id",
  },
  {
    name: "a delete by a reader",
    method: "DELETE",
    path: () => config,
    headers: { authorization: "Bearer reader" },
    code: "forbidden",
  },
  {
    name: "a delete of another tenant's",
    method: "DELETE",
    path: () => config,
    headers: { authorization: "Bearer stranger" },
    code: "not_found",
  },
  {
    name: "a stale delete",
    method: "DELETE",
    path: () => config,
    headers: { "if-match": '"1"' },
    code: "precondition_failed",
  },
  { name: "an unknown id", method: "GET", path: `${CONFIGS}/nope`, code: "not_found" },
  { name: "an id with a slash in it", method: "GET", path: `${CONFIGS}/a%2Fb`, code: "not_found" },
  {
    name: "a version that is no number",
    method: "GET",
    path: () => `${config}/versions/one`,
    code: "validation_failed",
    at: "/path/version",
  },
  { name: "a version to come", method: "GET", path: () => `${config}/versions/3/content`, code: "not_found" },
  {
    name: "a list without a tenant",
    method: "GET",
    path: CONFIGS,
    code: "validation_failed",
    at: "/query/tenant",
  },
  {
    name: "a list of 201",
    method: "GET",
    path: `${CONFIGS}?tenant=demo&limit=201`,
    code: "validation_failed",
    at: "/query/limit",
  },
  {
    name: "a list with an unknown word",
    method: "GET",
    path: `${CONFIGS}?tenant=demo&page=2`,
    code: "validation_failed",
    at: "/query/page",
  },
  {
    name: "a list of a whole tenant by who may list an app",
    method: "GET",
    path: `${CONFIGS}?tenant=demo`,
    headers: { authorization: "Bearer reader" },
    code: "forbidden",
  },
  {
    name: "a consistency nobody knows",
    method: "GET",
    path: () => `${config}?consistency=strong`,
    code: "validation_failed",
    at: "/query/consistency",
  },
  {
    name: "an unknown region",
    method: "GET",
    path: () => `${config}/resolve?edge.region=mars`,
    code: "validation_failed",
    at: "/query/edge.region",
  },
  {
    name: "a word that is no label",
    method: "GET",
    path: () => `${config}/resolve?canary=true`,
    code: "validation_failed",
    at: "/query/canary",
  },
  {
    name: "a flood of labels",
    method: "GET",
    path: () => `${config}/resolve?${Array.from({ length: 40 }, (_, i) => `label.l${i}=x`).join("&")}`,
    code: "validation_failed",
    at: "/query/label.",
  },
  ...["1e2", "0x10", "%2010", "10%20", "+5", "1.0", ""].map((limit) => ({
    name: `a limit that is no decimal digits, ${limit}`,
    method: "GET",
    path: `${CONFIGS}?tenant=demo&limit=${limit}`,
    code: "validation_failed" as const,
    at: "/query/limit",
    message: /decimal digits/,
  })),
  { name: "an unknown route", method: "GET", path: "/api/v1/mgt/nothing", code: "not_found" },
  {
    name: "a route that is spelled otherwise",
    method: "POST",
    path: "/api/v1/mgt/releases%3Abatch",
    body: {},
    code: "not_found",
  },
  {
    name: "a method that is not answered, of a route with a colon",
    method: "GET",
    path: "/api/v1/mgt/releases:batch",
    code: "method_not_allowed",
  },
  { name: "a method that is not answered", method: "PATCH", path: () => config, code: "method_not_allowed" },
];

describe("C1 C3 C4 C12 what is refused changes nothing", () => {
  it.each(CASES.map((c) => [c.name, c] as const))("%s", async (_, c) => {
    const before = await snapshot();
    const path = typeof c.path === "function" ? c.path() : (c.path ?? CONFIGS);
    const answer = await admin.send(c.method ?? "POST", path, c.body, c.headers);
    const problem = await readProblem(answer);
    expect({ code: problem.code, at: problem.errors[0]?.path }).toEqual({ code: c.code, at: c.at });
    expect(answer.status).toBe(STATUS_BY_CODE[c.code]);
    expect(problem.status).toBe(answer.status);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.headers.get("x-trace-id")).toBe(problem.trace_id);
    if (c.message) expect(problem.errors[0]?.message).toMatch(c.message);
    expect(await snapshot()).toEqual(before);
  });

  async function snapshot(): Promise<unknown> {
    const page = await admin.core.listConfigs({ tenant: "demo", limit: 200 });
    const { entries } = await admin.core.feed({ after: 0, limit: 1000, wait_ms: 0, view: "full" });
    return { configs: page.items, feed: entries };
  }

  it("says line and column of what does not parse, in the body and in the content", async () => {
    const body = await readProblem(await admin.send("POST", CONFIGS, '{"tenant": "demo",\n "app": }'));
    expect(body.errors[0]).toMatchObject({ line: 2, column: 9 });
    const content = await readProblem(await admin.send("POST", CONFIGS, newConfig({ content: "{\n  x" })));
    expect(content.errors[0]).toMatchObject({ line: 2, column: 3 });
    const schema = newConfig({
      content: '{\n "retries": "x"}',
      schema: { properties: { retries: { type: "integer" } } },
    });
    const value = await readProblem(await admin.send("POST", CONFIGS, schema));
    expect(value.errors[0]).toMatchObject({ path: "/content/retries", line: 2, column: 13 });
  });

  it("tells a stranger of an id exactly what it tells of none", async () => {
    const headers = { authorization: "Bearer stranger" };
    const id = config.split("/").at(-1) ?? "";
    const there = await readProblem(await admin.send("GET", config, undefined, headers));
    const gone = await readProblem(await admin.send("GET", `${CONFIGS}/cfg-c1-99`, undefined, headers));
    expect({ ...there, trace_id: "", detail: there.detail.replace(id, "ID") }).toEqual({
      ...gone,
      trace_id: "",
      detail: gone.detail.replace("cfg-c1-99", "ID"),
    });
  });

  it("says how to show who one is with each 401, as the edge does", async () => {
    const headers = { authorization: "Bearer nobody" };
    const answer = await admin.send("GET", CONFIGS, undefined, headers);
    expect([answer.status, answer.headers.get("www-authenticate")]).toEqual([401, 'Bearer realm="conflux"']);
    const denied = await admin.send("GET", config, undefined, { authorization: "Bearer stranger" });
    expect([denied.status, denied.headers.get("www-authenticate")]).toEqual([404, null]);
  });

  it("counts a body that does not say how long it is", async () => {
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(32));
      },
    });
    const request = new Request(`http://admin${CONFIGS}`, {
      method: "POST",
      body: endless,
      duplex: "half",
      headers: { authorization: "Bearer admin", "content-type": "application/json" },
    } as RequestInit);
    const answer = await admin.app.request(request);
    expect(answer.status).toBe(413);
    expect(sent).toBeLessThan(BODY_DRAIN_BYTES_MAX + 1_000_000);
  });
});

describe("dependencies that are away", () => {
  it("answers what the core said, and internal for what nobody foresaw, with a log line", async () => {
    const failing = testingAdmin();
    failing.core.getConfig = () => Promise.reject(new TypeError("secret detail"));
    const answer = await failing.send("GET", config);
    const problem = await readProblem(answer);
    expect(answer.status).toBe(500);
    expect(problem.code).toBe("internal");
    expect(JSON.stringify(problem)).not.toContain("secret");
    expect(failing.logs).toEqual([
      expect.objectContaining({ error: "secret detail", trace_id: problem.trace_id }),
    ]);
  });
  it("is not ready when the core is not", async () => {
    const away = testingAdmin({
      readiness: { core: () => Promise.reject(new Error("away")), postgres: () => Promise.resolve(true) },
    });
    const answer = await away.send("GET", "/readyz");
    expect(answer.status).toBe(503);
    expect(answer.headers.get("retry-after")).toBe("1");
    expect(await answer.json()).toEqual({ ready: false, checks: { core: false, postgres: true } });
    expect((await away.send("GET", "/healthz")).status).toBe(200);
  });
});
