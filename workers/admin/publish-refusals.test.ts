import { beforeEach, describe, expect, it } from "vitest";
import { STATUS_BY_CODE, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import { readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";
import { CONFIGS, createConfigToPublish, plan, PUBLISHES, STAGE } from "./testing-publish.ts";

let admin: TestingAdmin;
let config: string;

beforeEach(async () => {
  admin = testingAdmin();
  config = await createConfigToPublish(admin);
});

interface Case {
  name: string;
  body?: Record<string, unknown>;
  path?: () => string;
  method?: string;
  as?: string;
  code: ErrorCode;
  at?: string;
  message?: RegExp;
}
const staged = (stage: unknown) => plan({ strategy: { type: "staged", stages: [stage] } });
const CASES: Case[] = [
  {
    name: "no strategy",
    body: plan({ strategy: undefined }),
    code: "validation_failed",
    at: "/strategy",
    message: /^missing: give an object with the type "all", "canary", "percentage" or "staged"$/,
  },
  {
    name: "a strategy that is a word",
    body: plan({ strategy: "all" }),
    code: "validation_failed",
    at: "/strategy",
    message: /^an object with the type/,
  },
  ...["bogus", undefined, 5].map((type) => ({
    name: `a strategy of the type ${type}`,
    body: plan({ strategy: { type } }),
    code: "validation_failed" as const,
    at: "/strategy/type",
    message: /^all, canary, percentage or staged$/,
  })),
  {
    name: "percentages without a stage",
    body: plan({ strategy: { type: "percentage", stages: [] } }),
    code: "validation_failed",
    at: "/strategy/stages",
  },
  {
    name: "a percentage without one",
    body: plan({ strategy: { type: "percentage", stages: [STAGE] } }),
    code: "validation_failed",
    at: "/strategy/stages/0/percentage",
  },
  {
    name: "a second stage of the same clients",
    body: plan({ strategy: { type: "staged", stages: [STAGE, { ...STAGE, name: "second" }] } }),
    code: "validation_failed",
    at: "/strategy/stages/1",
    message: /adds no client to those of the stage at 0/,
  },
  ...["staged", "percentage"].map((type) => ({
    name: `a third stage called like the first, ${type}`,
    body: plan({
      strategy: {
        type,
        stages: ["few", "Few", "few"].map((name, i) => ({
          name,
          percentage: { by: "user", percent: 5 + i },
        })),
      },
    }),
    code: "validation_failed" as const,
    at: "/strategy/stages/2/name",
    message: /^the stage at 0 is called few already$/,
  })),
  {
    name: "a second stage whose name is the first's, composed otherwise",
    body: plan({
      strategy: {
        type: "staged",
        stages: ["caf\u00e9", "cafe\u0301"].map((name, i) => ({ name, labels: { a: `${i}` } })),
      },
    }),
    code: "validation_failed",
    at: "/strategy/stages/1/name",
    message: /^the stage at 0 is called caf/,
  },
  {
    name: "a second stage whose name is the first's but for a joiner",
    body: plan({
      strategy: {
        type: "staged",
        // The first is taken: an emoji of three characters that two joiners make one.
        stages: ["\u{1f468}\u200d\u{1f469}\u200d\u{1f467}", "\u{1f468}\u{1f469}\u{1f467}"].map((name, i) => ({
          name,
          labels: { a: `${i}` },
        })),
      },
    }),
    code: "validation_failed",
    at: "/strategy/stages/1/name",
    message: /^the stage at 0 is called /,
  },
  ...["x ", " x", "\u00a0x", "\u200b", "\u200dx", "x\u200c", "x\u2028y", "\ufeffx", " "].map((name) => ({
    name: `a stage whose name has what nobody sees, ${JSON.stringify(name)}`,
    body: plan({ strategy: { type: "staged", stages: [{ name, labels: { a: "x" } }] } }),
    code: "validation_failed" as const,
    at: "/strategy/stages/0/name",
    message: /white space|nobody sees/,
  })),
  {
    name: "more stages than there may be",
    body: plan({
      strategy: {
        type: "staged",
        stages: Array.from({ length: 21 }, (_, i) => ({ name: `s${i}`, labels: { a: `${i}` } })),
      },
    }),
    code: "validation_failed",
    at: "/strategy/stages",
  },
  {
    name: "clients without a dry run",
    body: plan({ clients: [{}] }),
    code: "validation_failed",
    at: "/clients",
  },
  {
    name: "a dry run that is neither yes nor no",
    path: () => `${config}/publish?dry_run=1`,
    code: "validation_failed",
    at: "/query/dry_run",
  },
  {
    name: "no stage",
    body: plan({ strategy: { type: "staged" } }),
    code: "validation_failed",
    at: "/strategy/stages",
  },
  {
    name: "a percentage of a stage",
    body: staged({ ...STAGE, percentage: 5 }),
    code: "validation_failed",
    at: "/strategy/stages/0/percentage",
    message: /expected object/,
  },
  {
    name: "a gate that is none",
    body: staged({ ...STAGE, gates: [{}] }),
    code: "validation_failed",
    at: "/strategy/stages/0/gates/0/type",
    message: /"webhook", "approval", "delivery_reports"/,
  },
  {
    name: "a stage of everyone",
    body: staged({ name: "x" }),
    code: "validation_failed",
    at: "/strategy/stages/0",
  },
  {
    name: "a region that is no name",
    body: staged({ name: "x", regions: ["cn-chengdu", "a/b"] }),
    code: "validation_failed",
    at: "/strategy/stages/0/regions",
    message: /^"a\/b" is no name of a region: 1-128 characters of/,
  },
  {
    name: "a label that is no name",
    body: plan({ strategy: { type: "canary", canary_labels: { "a b": "x" } } }),
    code: "validation_failed",
    at: "/strategy/canary_labels/a b",
    message: /^a label name is 1-64 of the characters A-Z a-z 0-9 ! # /,
  },
  {
    name: "a stage's name with a NUL",
    body: staged({ ...STAGE, name: "a\u0000b" }),
    code: "validation_failed",
    at: "/strategy/stages/0/name",
    message: /control characters/,
  },
  {
    name: "a stage's name of two lines",
    body: staged({ ...STAGE, name: "a\nb" }),
    code: "validation_failed",
    at: "/strategy/stages/0/name",
    message: /control characters/,
  },
  {
    name: "a description with a NUL",
    body: plan({ description: "a\u0000b" }),
    code: "validation_failed",
    at: "/description",
    message: /control characters/,
  },
  {
    name: "a canary without labels",
    body: plan({ strategy: { type: "canary", canary_labels: {} } }),
    code: "validation_failed",
    at: "/strategy/canary_labels",
  },
  {
    name: "a bake time of nothing",
    body: staged({ ...STAGE, bake_minutes: 0 }),
    code: "validation_failed",
    at: "/strategy/stages/0/bake_minutes",
    message: /0\.01/,
  },
  {
    name: "two bake times",
    body: plan({ make_default_after_mins: 5 }),
    code: "validation_failed",
    at: "/make_default_after_mins",
  },
  {
    name: "a bake time of all",
    body: plan({ strategy: { type: "all" }, make_default_after_mins: 5 }),
    code: "validation_failed",
    at: "/make_default_after_mins",
  },
  { name: "content and a version", body: plan({ version_id: 1 }), code: "validation_failed", at: "/content" },
  { name: "neither", body: plan({ content: undefined }), code: "validation_failed", at: "/content" },
  {
    name: "a version to come",
    body: plan({ content: undefined, version_id: 2 }),
    code: "validation_failed",
    at: "/version_id",
  },
  {
    name: "content against the schema",
    body: plan({ content: '{"retries": "x"}' }),
    code: "validation_failed",
    at: "/content/retries",
  },
  {
    name: "content that does not parse",
    body: plan({ content: "{" }),
    code: "validation_failed",
    at: "/content",
  },
  { name: "a start by a reader", as: "reader", code: "forbidden" },
  { name: "a start by who may only write", as: "writer", code: "forbidden" },
  { name: "content by who may only publish", as: "publisher", code: "forbidden" },
  { name: "a start by a stranger", as: "stranger", code: "not_found" },
  { name: "a start for no config", path: () => `${CONFIGS}/cfg-c1-99/publish`, code: "not_found" },
  {
    name: "an advance of no plan",
    path: () => `${PUBLISHES}/pub-c1-99/advance`,
    body: {},
    code: "not_found",
  },
  { name: "a pause of no plan", path: () => `${PUBLISHES}/pub-c1-99/pause`, body: {}, code: "not_found" },
  {
    name: "an endless pause",
    path: () => `${PUBLISHES}/pub-c1-99/pause`,
    body: { max_minutes: 43_201 },
    code: "validation_failed",
    at: "/max_minutes",
  },
  {
    name: "a pause that ends otherwise",
    path: () => `${PUBLISHES}/pub-c1-99/pause`,
    body: { on_timeout: "advance" },
    code: "validation_failed",
    at: "/on_timeout",
  },
  { name: "a resume of no plan", path: () => `${PUBLISHES}/pub-c1-99/resume`, body: {}, code: "not_found" },
  ...["zzz", "%00", "1", "0".repeat(17), "000000000000000x"].map((cursor) => ({
    name: `a list from the cursor ${cursor}`,
    method: "GET",
    path: () => `${config}/publishes?cursor=${cursor}`,
    code: "validation_failed" as const,
    at: "/query/cursor",
  })),
  {
    name: "a wish that is neither yes nor no",
    method: "PUT",
    path: () => `${config}/releases?abort_plan=maybe`,
    code: "validation_failed",
    at: "/query/abort_plan",
  },
];

describe("C7 P6 what is refused changes nothing", () => {
  it.each(CASES.map((c) => [c.name, c] as const))("%s", async (_name, c) => {
    const path = c.path?.() ?? `${config}/publish`;
    const headers = { authorization: `Bearer ${c.as ?? "admin"}` };
    const body = c.method === "PUT" ? [] : c.method === "GET" ? undefined : (c.body ?? plan());
    const before = await admin.core.status();
    const answer = await admin.send(c.method ?? "POST", path, body, headers);
    const problem = await readProblem(answer);
    expect({ code: problem.code, at: problem.errors[0]?.path }).toEqual({ code: c.code, at: c.at });
    expect(answer.status).toBe(STATUS_BY_CODE[c.code]);
    if (c.message) expect(problem.errors[0]?.message).toMatch(c.message);
    const after = await (await admin.send("GET", config)).json();
    expect(after).toMatchObject({ latest_version_id: 1 });
    const feed = await admin.core.feed({ after: 0, limit: 9, wait_ms: 0, view: "full" });
    expect(feed.entries).toHaveLength(1);
    expect(before.index).toBe(1);
  });
});
