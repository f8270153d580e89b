import { beforeEach, describe, expect, it } from "vitest";
import { ConfluxError, type ErrorCode, STATUS_BY_CODE } from "../../contracts/problem/error-codes.ts";
import { newConfig, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
const SECRET = "hunter2-secret";
let admin: TestingAdmin;
let config: string;
beforeEach(async () => {
  admin = testingAdmin();
  const created = await admin.send("POST", CONFIGS, newConfig({ release: true }), {
    "x-idempotency-key": "k",
  });
  config = `${CONFIGS}/${(await created.json<{ id: string }>()).id}`;
  expect(admin.refusals).toEqual([]);
});

interface Case {
  name: string;
  method?: string;
  path?: () => string;
  body?: unknown;
  headers?: Record<string, string>;
  row: Record<string, unknown> | null;
}
const as = (who: string) => ({ authorization: `Bearer ${who}` });
const denied = (code: ErrorCode) => ({
  outcome: "denied",
  summary: expect.stringContaining(`: ${STATUS_BY_CODE[code]} ${code}`) as unknown,
});
const failed = (code: ErrorCode) => ({ ...denied(code), outcome: "failure" });
const APP = "demo/shop/prod/app.json";

const CASES: Case[] = [
  {
    name: "401 of a write, whatever it names",
    body: newConfig(),
    headers: { authorization: "", "cf-connecting-ip": "198.51.100.7" },
    row: {
      ...denied("unauthenticated"),
      tenant: null,
      actor: { type: "user", id: "", name: "" },
      ip: "198.51.100.7",
      action: "write",
      resource: CONFIGS,
    },
  },
  {
    name: "401 of a read",
    method: "GET",
    path: () => config,
    headers: as("nobody"),
    row: { ...denied("unauthenticated"), action: "read" },
  },
  {
    name: "403 of a write",
    body: newConfig({ name: "n" }),
    headers: as("reader"),
    row: {
      ...denied("forbidden"),
      tenant: "demo",
      actor: { type: "user", id: "user-reader", name: "reader" },
      ip: "192.0.2.1",
      action: "write",
      resource: "demo/shop/prod/n",
    },
  },
  {
    name: "403 of a read",
    method: "GET",
    path: () => `${CONFIGS}?tenant=demo`,
    headers: as("reader"),
    row: { ...denied("forbidden"), tenant: "demo", action: "list" },
  },
  {
    name: "403 of an operation on the core",
    path: () => "/api/v1/mgt/cluster/snapshot",
    body: {},
    row: { ...denied("forbidden"), tenant: "_system", action: "execute", resource: "_system/cluster" },
    headers: as("tenant"),
  },
  {
    name: "a 404 that hides a read",
    method: "GET",
    path: () => config,
    headers: as("stranger"),
    row: {
      ...denied("not_found"),
      tenant: "demo",
      action: "read",
      resource: APP,
      actor: { type: "user", id: "user-stranger", name: "stranger" },
    },
  },
  {
    name: "a 404 that hides a write",
    method: "DELETE",
    path: () => config,
    headers: as("stranger"),
    row: { ...denied("not_found"), tenant: "demo", action: "delete", resource: APP },
  },
  { name: "a read of what is not there", method: "GET", path: () => `${CONFIGS}/none`, row: null },
  {
    name: "a write of what is not there",
    path: () => `${CONFIGS}/none/versions`,
    body: { content: "{}" },
    row: failed("not_found"),
  },
  { name: "a read with a bad query", method: "GET", path: () => `${CONFIGS}?tenant=demo&limit=0`, row: null },
  { name: "no route", method: "GET", path: () => "/api/v1/nothing", row: null },
  { name: "a method that is not answered", method: "PATCH", path: () => config, row: null },
  {
    name: "400 of a write by its schema: names of fields, nothing of what they hold",
    body: { ...newConfig({ content: SECRET, name: "a..b" }), format: SECRET, password: SECRET },
    row: {
      ...failed("validation_failed"),
      tenant: "demo",
      summary: expect.stringMatching(/at .*\/format.*\/password/) as unknown,
    },
  },
  {
    name: "400 of a write by its content",
    body: newConfig({ name: "n", content: `{"${SECRET}` }),
    row: {
      ...failed("validation_failed"),
      tenant: "demo",
      resource: "demo/shop/prod/n",
      summary: `POST ${CONFIGS}: 400 validation_failed at /content`,
    },
  },
  {
    name: "400 of a bundle by the schema of a content, whose names may be secrets",
    path: () => "/api/v1/mgt/apply",
    body: {
      bundle: { id: "b", tenant: "demo", app: "shop", env: "prod" },
      configs: [
        {
          name: "n",
          format: "json",
          content: `{"${SECRET}": 1}`,
          schema: { additionalProperties: { type: "string" } },
        },
      ],
    },
    row: {
      ...failed("validation_failed"),
      tenant: "demo",
      summary: "POST /api/v1/mgt/apply: 400 validation_failed at /configs/0/content",
    },
  },
  {
    name: "400 of a body that is no JSON",
    body: `{"password": "${SECRET}`,
    row: { ...failed("malformed_request"), tenant: null },
  },
  {
    name: "409 of a taken name",
    body: newConfig(),
    row: { ...failed("already_exists"), tenant: "demo", resource: APP },
  },
  {
    name: "409 of a key that was used",
    body: newConfig({ name: "n" }),
    headers: { "x-idempotency-key": "k" },
    row: { ...failed("idempotency_conflict"), tenant: "demo" },
  },
  {
    name: "412 of a stale write",
    method: "PUT",
    path: () => `${config}/releases`,
    body: [{ version_id: 1 }],
    headers: { "if-match": '"999"' },
    row: { ...failed("precondition_failed"), tenant: "demo", resource: APP, action: "publish" },
  },
  {
    name: "415 of a write",
    body: "a=1",
    headers: { "content-type": "text/plain" },
    row: failed("unsupported_media_type"),
  },
];

describe("A5 every refusal is told to the audit, once, without what was in it", () => {
  it.each(CASES.map((c) => [c.name, c] as const))("%s", async (_, c) => {
    const answer = await admin.send(c.method ?? "POST", c.path?.() ?? CONFIGS, c.body, c.headers);
    expect(answer.ok).toBe(false);
    const traceId = answer.headers.get("x-trace-id");
    expect(admin.refusals).toMatchObject(c.row === null ? [] : [{ ...c.row, traceId }]);
    expect(JSON.stringify(admin.refusals)).not.toContain(SECRET);
  });

  it("429 is denied, of reads too, and of signing in as a login", async () => {
    const limited = new ConfluxError("rate_limited", "slower", { retryAfterS: 1 });
    admin = testingAdmin();
    admin.app.post("/api/v1/auth/login", () => {
      throw limited;
    });
    admin.core.getConfig = () => Promise.reject(limited);
    await admin.send("GET", config);
    await admin.send(
      "POST",
      "/api/v1/auth/login",
      { username: "u", password: SECRET },
      { authorization: "" },
    );
    expect(admin.refusals).toMatchObject([
      { ...denied("rate_limited"), action: "read" },
      { ...denied("rate_limited"), action: "login", resource: "users", tenant: null },
    ]);
  });

  it("what failed on our side is no refusal", async () => {
    for (const code of ["unavailable", "outcome_unknown", "not_proposed"] as const) {
      admin.core.propose = () => Promise.reject(new ConfluxError(code, "away"));
      expect((await admin.send("POST", CONFIGS, newConfig({ name: "x" }))).status).toBe(503);
    }
    admin.core.propose = () => Promise.reject(new TypeError("oops"));
    expect((await admin.send("POST", CONFIGS, newConfig({ name: "x" }))).status).toBe(500);
    expect(admin.refusals).toEqual([]);
  });
});
