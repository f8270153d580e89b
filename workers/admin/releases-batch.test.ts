import { beforeEach, describe, expect, it } from "vitest";
import { BATCH_ITEMS_MAX } from "../../domain/limits.ts";
import { newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
const BATCH = "/api/v1/mgt/releases:batch";
type Json = Record<string, unknown>;
let admin: TestingAdmin;
/** Configs that serve version 1: two of demo, one of another tenant. */
let a: Json;
let b: Json;
let foreign: Json;

beforeEach(async () => {
  admin = testingAdmin();
  const make = async (changes: Json): Promise<Json> =>
    (await admin.send("POST", CONFIGS, newConfig({ release: true, ...changes }))).json<Json>();
  const schema = { type: "object", properties: { retries: { type: "integer" } } };
  a = await make({ name: "a.json", schema });
  b = await make({ name: "b.json" });
  foreign = await make({ name: "a.json", tenant: "other" });
});
const item = (config: Json, changes: Json = {}): Json => ({
  config_id: config["id"],
  content: '{"retries": 3}',
  default_version_id: "new",
  ...changes,
});
const send = (items: unknown, headers: Record<string, string> = {}, query = ""): Promise<Response> =>
  admin.send("POST", BATCH + query, { items }, headers);
const get = async (config: Json): Promise<Json> =>
  (await admin.send("GET", `${CONFIGS}/${String(config["id"])}`)).json<Json>();

describe("C7 releases:batch", () => {
  it("changes several configs at one index, and is repeated under its key", async () => {
    const items = [
      item(a, { if_match: a["etag"], description: "three" }),
      item(b, {
        default_version_id: undefined,
        releases: [{ labels: { tier: "gold" }, version_id: "new" }, { version_id: 1 }],
      }),
    ];
    const headers = { "x-idempotency-key": "k" };
    const answer = await send(items, headers);
    const json = await answer.json<{ items: Json[]; index: string }>();
    expect([answer.status, json.items]).toMatchObject([
      200,
      [
        { name: "a.json", latest_version_id: 2, version: { version_id: 2, description: "three" } },
        { name: "b.json", releases: [{ version_id: 2 }, { version_id: 1 }], warnings: [] },
      ],
    ]);
    expect(json.index).toMatch(/^c1\.1\.4\./);
    expect((await get(a))["etag"]).toBe((await get(b))["etag"]);
    const again = await send(items, headers);
    expect([await again.json(), again.headers.get("idempotency-replayed")]).toEqual([json, "true"]);
    expect((await readProblem(await send(items))).errors).toMatchObject([{ path: "/items/0" }]);
  });

  it("P6 names each config whose plan runs, and ends the plans when it is told to", async () => {
    const strategy = { type: "staged", stages: [{ name: "s", regions: ["cn-chengdu"] }] };
    for (const config of [a, b]) {
      await admin.send("POST", `${CONFIGS}/${String(config["id"])}/publish`, { version_id: 1, strategy });
    }
    const problem = await readProblem(await send([item(a), item(b)]));
    expect([problem.status, problem.code, problem.errors.map(({ path }) => path)]).toEqual([
      409,
      "publish_running",
      ["/items/0", "/items/1"],
    ]);
    expect((await send([item(a), item(b)], {}, "?abort_plan=true")).status).toBe(200);
    const { items } = await (
      await admin.send("GET", `${CONFIGS}/${String(a["id"])}/publishes`)
    ).json<{ items: Json[] }>();
    expect(items[0]).toMatchObject({ status: "aborted" });
  });

  it.each<[string, () => unknown, string, string | undefined, string]>([
    ["no items", () => [], "validation_failed", "/items", "admin"],
    [
      "more items than a batch may have",
      () => Array.from({ length: BATCH_ITEMS_MAX + 1 }, () => item(a)),
      "validation_failed",
      "/items",
      "admin",
    ],
    [
      "a config that comes twice",
      () => [item(a), item(b), item(a, { content: undefined, default_version_id: 1 })],
      "validation_failed",
      "/items/2/config_id",
      "admin",
    ],
    [
      "an ETag that is none",
      () => [item(a, { if_match: "4" })],
      "validation_failed",
      "/items/0/if_match",
      "admin",
    ],
    [
      "a stale ETag",
      () => [item(a), item(b, { if_match: '"1"' })],
      "precondition_failed",
      "/items/1",
      "admin",
    ],
    [
      "content against its schema",
      () => [item(b), item(a, { content: '{"retries": "x"}' })],
      "validation_failed",
      "/items/1/content/retries",
      "admin",
    ],
    [
      "an expression that is none",
      () => [
        item(a),
        item(b, {
          default_version_id: undefined,
          releases: [{ version_id: 1, when: [{ label: "x", op: "regex", values: ["("] }] }],
        }),
      ],
      "validation_failed",
      "/items/1/releases/0/when/0/values/0",
      "admin",
    ],
    [
      "a schema without content",
      () => [item(a, { content: undefined, default_version_id: 1, schema: {} })],
      "validation_failed",
      "/items/0/schema",
      "admin",
    ],
    [
      "two contents",
      () => [item(a, { content_base64: "e30=" })],
      "validation_failed",
      "/items/0/content",
      "admin",
    ],
    [
      "rules and a default",
      () => [item(a, { releases: [] })],
      "validation_failed",
      "/items/0/releases",
      "admin",
    ],
    [
      "configs of two tenants",
      () => [item(a), item(foreign)],
      "validation_failed",
      "/items/1/config_id",
      "admin",
    ],
    ["no such config", () => [item(a), item({ id: "cfg-c1-99" })], "not_found", "/items/1", "admin"],
    ["a config of a stranger", () => [item(a), item(foreign)], "not_found", "/items/1", "tenant"],
    ["a reader", () => [item(a)], "forbidden", "/items/0", "reader"],
    ["content by who may only publish", () => [item(a)], "forbidden", "/items/0", "publisher"],
    ["a publish by who may only write", () => [item(a)], "forbidden", "/items/0", "writer"],
  ])("refuses %s, and writes nothing", async (_name, items, code, path, as) => {
    const before = await admin.core.status();
    const problem = await readProblem(await send(items(), { authorization: `Bearer ${as}` }));
    expect([problem.code, problem.errors[0]?.path]).toEqual([code, path]);
    const feed = await admin.core.feed({ after: before.index, limit: 9, wait_ms: 0, view: "full" });
    expect(feed.entries).toEqual([]);
    expect([(await get(a))["latest_version_id"], (await get(b))["latest_version_id"]]).toEqual([1, 1]);
  });

  it("A4 who may publish moves default rules without content", async () => {
    const items = [a, b].map((config) => item(config, { content: undefined, default_version_id: 1 }));
    expect((await send(items, { authorization: "Bearer publisher" })).status).toBe(200);
  });
});

describe("C7 C14 a batch and the rules of changes", () => {
  /** In another namespace than the others. */
  let free: Json;
  beforeEach(async () => {
    const made = await admin.send("POST", CONFIGS, newConfig({ env: "test", name: "f.json", release: true }));
    free = await made.json<Json>();
  });
  async function setRules(approvals: unknown[], freezes: unknown[]): Promise<void> {
    const put = await admin.send("PUT", "/api/v1/mgt/change-rules?tenant=demo", { approvals, freezes });
    expect(put.status).toBe(200);
  }
  /** The code of a batch that must be refused and write nothing. */
  async function refusal(items: unknown, headers: Record<string, string> = {}): Promise<string> {
    const { index } = await admin.core.status();
    const { code } = await readProblem(await send(items, headers));
    const { entries } = await admin.core.feed({ after: index, limit: 9, wait_ms: 0, view: "full" });
    expect([code, entries]).toEqual([code, []]);
    expect([(await get(a))["latest_version_id"], (await get(free))["latest_version_id"]]).toEqual([1, 1]);
    return code;
  }
  const rollback = (config: Json): Json => item(config, { content: undefined, default_version_id: 1 });
  const policy = (...applies_to: string[]): Json => ({
    namespaces: "demo/*/prod",
    approvals_required: 1,
    ...(applies_to.length === 0 ? {} : { applies_to }),
  });

  it("one config of a namespace that asks for approvals holds up all of them, as a single write would be", async () => {
    await setRules([policy()], []);
    expect(await refusal([item(free), item(a)])).toBe("approval_required");
    expect(await refusal([rollback(free), rollback(a)])).toBe("approval_required");
    expect(await refusal([item(a)], { "x-conflux-break-glass": "no way" })).toBe("approval_required");
    expect((await send([item(free)])).status).toBe(200);
  });

  it("a policy about contents alone holds up the items that bring one", async () => {
    await setRules([policy("versions")], []);
    expect(await refusal([rollback(a), item(b)])).toBe("approval_required");
    expect((await send([rollback(a), rollback(b)])).status).toBe(200);
  });

  it("is repeated under its key also when the rules have changed since", async () => {
    const headers = { "x-idempotency-key": "k" };
    const first = await send([item(a), item(b)], headers);
    await setRules([policy()], []);
    const again = await send([item(a), item(b)], headers);
    expect([again.status, await again.json()]).toEqual([200, await first.json()]);
  });

  it("a freeze of one config's namespace holds up all, until someone who may approve each says why it must pass", async () => {
    const freeze = {
      type: "absolute",
      name: "sale",
      namespaces: "demo/shop/prod",
      from: "2020-01-01T00:00:00Z",
      until: "2100-01-01T00:00:00Z",
    };
    await setRules([], [freeze]);
    expect(await refusal([item(free), item(a)])).toBe("change_frozen");
    expect(await refusal([rollback(a)])).toBe("change_frozen");
    const glass = { "x-conflux-break-glass": "the shop is down" };
    expect(
      await refusal([rollback(free), rollback(a)], { ...glass, authorization: "Bearer publisher" }),
    ).toBe("forbidden");
    expect((await send([item(free), item(a)], glass)).status).toBe(200);
    const { entries } = await admin.core.feed({ after: 0, limit: 99, wait_ms: 0, view: "full" });
    expect(entries.at(-1)?.audit.summary).toMatch(
      /^BREAK GLASS through the freeze "sale" \(the shop is down\): /,
    );
  });
});
