// Over 300 lines: one way of a change request through its routes, over one setup.
import { ContentSealer } from "../../adapters/kms/content-sealer.ts";
import { MemoryKeyService } from "../../adapters/memory/memory-key-service.ts";
import { beforeEach, describe, expect, it } from "vitest";
import { GRANTS, newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
const REQUESTS = "/api/v1/mgt/change-requests";
const RULES = "/api/v1/mgt/change-rules?tenant=demo";
const POLICY = { namespaces: "demo/*/prod", approvals_required: 2 };
const FREEZE = {
  type: "absolute",
  name: "sale",
  namespaces: "demo/**",
  from: "2020-01-01T00:00:00Z",
  until: "2100-01-01T00:00:00Z",
};
let admin: TestingAdmin;
let id: string;

for (const name of ["ada", "bob", "cyd"]) GRANTS[name] = [{ action: "*", pattern: "demo/**" }];

type Json = Record<string, unknown>;
/** Status and body, or status and code of a refusal. */
async function call(
  who: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const answer = await admin.send(method, path, body, { authorization: `Bearer ${who}`, ...headers });
  const json = await answer.json<Json>();
  return {
    status: answer.status,
    json,
    code: answer.ok ? "ok" : String(json["code"]),
    headers: answer.headers,
  };
}
const rules = (approvals: unknown[], freezes: unknown[] = []) =>
  call("admin", "PUT", RULES, { approvals, freezes });
async function ask(operation: unknown, who = "ada"): Promise<Json> {
  const { status, json } = await call(who, "POST", REQUESTS, { config_id: id, operation });
  expect(status).toBe(201);
  return json;
}
const move = async (
  who: string,
  what: string,
  request: Json,
  body: Json = {},
  headers = {},
): Promise<string> =>
  (await call(who, "POST", `${REQUESTS}/${String(request["id"])}/${what}`, body, headers)).code;
const approve = (who: string, request: Json) => move(who, "approve", request, { digest: request["digest"] });
const execute = (who: string, request: Json, headers = {}) =>
  move(who, "execute", request, { digest: request["digest"] }, headers);
const served = async (): Promise<unknown> =>
  (await call("admin", "GET", `${CONFIGS}/${id}/resolve`)).json["version_id"];
const RELEASE_2 = { type: "releases", releases: [{ version_id: 2 }] };

beforeEach(async () => {
  admin = testingAdmin();
  const created = await call("admin", "POST", CONFIGS, newConfig({ release: true }));
  id = String(created.json["id"]);
  await call("admin", "POST", `${CONFIGS}/${id}/versions`, { content: '{"retries": 3}' });
});

describe("C14 the rules of changes", () => {
  it("are read back as they were put, by who administers the tenant", async () => {
    const weekly = {
      type: "weekly",
      name: "weekend",
      namespaces: "demo/shop/prod",
      day: "fri",
      time: "16:05",
      duration_minutes: 60,
    };
    const none = await call("admin", "GET", RULES);
    expect(none.json).toEqual({ tenant: "demo", approvals: [], freezes: [], updated_at: null, etag: '"0"' });
    const put = await rules([POLICY], [FREEZE, weekly]);
    expect(put.status).toBe(200);
    const { json } = await call("admin", "GET", RULES);
    expect(json).toMatchObject({
      approvals: [{ ...POLICY, applies_to: ["releases", "publish", "delete"] }],
      freezes: [{ ...FREEZE, from: "2020-01-01T00:00:00.000Z", until: "2100-01-01T00:00:00.000Z" }, weekly],
    });
    const stale = await call("admin", "PUT", RULES, { approvals: [], freezes: [] }, { "if-match": '"0"' });
    expect(stale.code).toBe("precondition_failed");
    expect((await call("ada", "PUT", RULES, { approvals: [], freezes: [] })).code).toBe("forbidden");
    expect((await call("stranger", "GET", RULES)).code).toBe("forbidden");
  });

  it.each([
    [{ approvals: [{ ...POLICY, namespaces: "other/a/b" }], freezes: [] }, "/approvals/0/namespaces"],
    [{ approvals: [{ ...POLICY, approvals_required: 0 }], freezes: [] }, "/approvals/0/approvals_required"],
    [{ approvals: [], freezes: [{ ...FREEZE, until: FREEZE.from }] }, "/freezes/0/until"],
    [{ approvals: [], freezes: [{ ...FREEZE, type: "daily" }] }, "/freezes/0/type"],
    [{ approvals: [], freezes: [{ ...FREEZE, from: "1960-01-01T00:00:00Z" }] }, "/freezes/0/from"],
    [{ approvals: [], freezes: [{ ...FREEZE, from: "2026-03-29T01:00:00+02:00" }] }, "/freezes/0/from"],
    [{ approvals: [] }, "/freezes"],
  ])("refuse %j", async (body, path) => {
    const answer = await admin.send("PUT", RULES, body);
    expect(await readProblem(answer)).toMatchObject({ status: 400, errors: [{ path }] });
  });
});

describe("C14 a change request", () => {
  it.each([
    [{ type: "version", version: { content: "{" } }, "/operation/version/content"],
    [{ type: "version", version: { content: "{}", schema: { type: 1 } } }, "/operation/version/schema/type"],
    [{ type: "publish", publish: { content: "[", strategy: { type: "all" } } }, "/operation/publish/content"],
    [
      { type: "releases", releases: [{ version_id: 1, when: [{ label: "x", op: "regex", values: ["("] }] }] },
      "/operation/releases/0/when/0/values/0",
    ],
  ])("says of %j where it is wrong", async (operation, path) => {
    const answer = await admin.send("POST", REQUESTS, { config_id: id, operation });
    expect(await readProblem(answer)).toMatchObject({ code: "validation_failed", errors: [{ path }] });
  });

  it("stands between a protected namespace and every direct change", async () => {
    await rules([POLICY]);
    const config = `${CONFIGS}/${id}`;
    for (const [method, path, body] of [
      ["PUT", `${config}/releases`, [{ version_id: 2 }]],
      ["POST", `${config}/rollback`, { version_id: 2 }],
      ["POST", `${config}/publish`, { version_id: 2, strategy: { type: "all" } }],
      ["POST", CONFIGS, newConfig({ name: "other.json", release: true })],
      ["DELETE", config, undefined],
    ] as const) {
      expect([(await call("admin", method, path, body)).status, path]).toEqual([409, path]);
      expect((await call("admin", method, path, body)).code).toBe("approval_required");
    }
    expect(await served()).toBe(1);
  });

  it("is asked for, seen, approved by two others and executed once", async () => {
    await rules([POLICY]);
    const asked = await call("ada", "POST", REQUESTS, {
      config_id: id,
      operation: RELEASE_2,
      description: "go",
    });
    const path = String(asked.headers.get("location"));
    const request = asked.json;
    const seen = await call("bob", "GET", path);
    expect(seen.json).toMatchObject({
      id: request["id"],
      status: "open",
      type: "releases",
      description: "go",
      author: { id: "user-ada", name: "ada" },
      approvals: [],
      approvals_required: 2,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      operation: { type: "releases", releases: [{ version_id: 2, labels: {}, priority: 0 }] },
    });
    expect(seen.headers.get("etag")).toBe(request["etag"]);
    expect([
      await approve("ada", request),
      await approve("bob", request),
      await approve("bob", request),
    ]).toEqual(["forbidden", "ok", "already_exists"]);
    expect([await execute("ada", request), await approve("cyd", request)]).toEqual([
      "approval_required",
      "ok",
    ]);
    expect(await served()).toBe(1);
    // Two at once: one of them does it.
    const both = await Promise.all([execute("ada", request), execute("cyd", request)]);
    expect(both.toSorted()).toEqual(["invalid_transition", "ok"]);
    expect(await served()).toBe(2);
    const list = await call("bob", "GET", `${REQUESTS}?tenant=demo&status=executed&config_id=${id}`);
    expect(list.json["items"]).toEqual([
      expect.objectContaining({
        id: request["id"],
        approvals: expect.any(Array) as unknown,
        status: "executed",
      }),
    ]);
    const other = await call("bob", "GET", `${REQUESTS}?tenant=demo&app=other`);
    expect(other.json).toEqual({ items: [], next_cursor: null });
  });

  it("answers a repeated execution with the first result, by its idempotency key", async () => {
    const request = await ask(RELEASE_2);
    const key = { "x-idempotency-key": "once" };
    expect([await execute("ada", request, key), await execute("ada", request, key)]).toEqual(["ok", "ok"]);
    expect(await execute("ada", request)).toBe("invalid_transition");
  });

  it("keeps a content for its approvers to read, and makes its version by the author", async () => {
    await rules([{ ...POLICY, approvals_required: 1 }]);
    const publish = { content: '{"retries": 9}', description: "nine", strategy: { type: "all" } };
    const request = await ask({ type: "publish", publish });
    const content = await admin.send("GET", `${REQUESTS}/${String(request["id"])}/content`);
    expect([content.status, await content.text()]).toEqual([200, '{"retries": 9}']);
    expect([await approve("bob", request), await execute("cyd", request), await served()]).toEqual([
      "ok",
      "ok",
      3,
    ]);
    const version = await call("admin", "GET", `${CONFIGS}/${id}/versions/3`);
    expect(version.json).toMatchObject({ creator: "ada", description: "nine" });
    const done = await call("admin", "GET", `${REQUESTS}/${String(request["id"])}`);
    expect(done.json).toMatchObject({ version_id: 3, publish_id: expect.stringMatching(/^pub-/) as string });
    const bad = { type: "version", version: { content: "{" } };
    expect((await call("ada", "POST", REQUESTS, { config_id: id, operation: bad })).code).toBe(
      "validation_failed",
    );
  });

  it("is void for a config that has changed, and for an older digest, until it is edited", async () => {
    const request = await ask(RELEASE_2);
    const path = `${REQUESTS}/${String(request["id"])}`;
    await approve("bob", request);
    await call("admin", "POST", `${CONFIGS}/${id}/rollback`, { version_id: 1 });
    expect(await execute("ada", request)).toBe("precondition_failed");
    expect((await call("bob", "PUT", path, { operation: RELEASE_2 })).code).toBe("conflict");
    const edited = (await call("ada", "PUT", path, { operation: RELEASE_2 }, { "if-match": "*" })).json;
    expect(edited).toMatchObject({ approvals: [], status: "open" });
    expect([await approve("bob", request), await execute("ada", edited), await served()]).toEqual([
      "precondition_failed",
      "ok",
      2,
    ]);
  });

  it("is rejected or withdrawn without a body, too, that a client calls JSON all the same", async () => {
    const [first, second] = [await ask(RELEASE_2), await ask(RELEASE_2)];
    const bare = (who: string, what: string, request: Json) =>
      call(who, "POST", `${REQUESTS}/${String(request["id"])}/${what}`, "", {
        "content-type": "application/json",
      });
    const ended = [await bare("bob", "reject", first), await bare("ada", "withdraw", second)];
    expect(ended.map(({ code, json }) => [code, json["status"]])).toEqual([
      ["ok", "rejected"],
      ["ok", "withdrawn"],
    ]);
    expect(await move("bob", "reject", await ask(RELEASE_2), { comment: 1 })).toBe("validation_failed");
  });

  it("is rejected by others and withdrawn by its author", async () => {
    const [first, second] = [await ask(RELEASE_2), await ask(RELEASE_2)];
    expect([await move("ada", "reject", first), await move("bob", "withdraw", second)]).toEqual([
      "forbidden",
      "conflict",
    ]);
    expect([
      await move("bob", "reject", first, { comment: "no" }),
      await move("ada", "withdraw", second),
    ]).toEqual(["ok", "ok"]);
    expect([await execute("ada", first), await approve("bob", second)]).toEqual([
      "invalid_transition",
      "invalid_transition",
    ]);
    const { json } = await call("ada", "GET", `${REQUESTS}/${String(first["id"])}`);
    expect(json).toMatchObject({ status: "rejected", ended: { by: { name: "bob" }, comment: "no" } });
  });

  it("asks every caller for the permission of the step", async () => {
    const request = await ask(RELEASE_2);
    const path = `${REQUESTS}/${String(request["id"])}`;
    expect(await approve("writer", request)).toBe("forbidden");
    expect(await execute("writer", request)).toBe("forbidden");
    expect((await call("reader", "POST", REQUESTS, { config_id: id, operation: RELEASE_2 })).code).toBe(
      "forbidden",
    );
    expect((await call("stranger", "GET", path)).code).toBe("not_found");
    expect((await call("stranger", "GET", `${REQUESTS}?tenant=demo`)).code).toBe("forbidden");
    const deletion = await ask({ type: "delete" });
    expect([await execute("publisher", deletion), await execute("ada", deletion)]).toEqual([
      "forbidden",
      "ok",
    ]);
    expect((await call("admin", "GET", `${CONFIGS}/${id}`)).code).toBe("not_found");
  });
});

describe("C14 A4 a request that is edited while it is executed", () => {
  it("is not executed as what its executor may not do, though they know its digest beforehand", async () => {
    GRANTS["editor"] = (["read", "write", "publish"] as const).map((action) => ({
      action,
      pattern: "demo/**",
    }));
    const request = await ask(RELEASE_2, "editor");
    const path = `${REQUESTS}/${String(request["id"])}`;
    // What the digest of a deletion will be: of another request like it.
    const deletion = await ask({ type: "delete" }, "editor");
    const { core } = admin;
    const read = core.getChangeRequest.bind(core);
    let edits = 0;
    core.getChangeRequest = async (...asked) => {
      const answer = await read(...asked);
      if (edits++ === 0) await call("editor", "PUT", path, { operation: { type: "delete" } });
      return answer;
    };
    const body = { digest: deletion["digest"] };
    expect(await move("editor", "execute", request, body)).toBe("precondition_failed");
    expect((await call("admin", "GET", path)).json).toMatchObject({ status: "open", ...body });
    expect((await call("admin", "GET", `${CONFIGS}/${id}`)).status).toBe(200);
    expect(await move("editor", "execute", request, body)).toBe("forbidden");
  });
});

describe("C14 a freeze", () => {
  it("refuses what changes what clients get, and says until when; a reason passes it", async () => {
    const started = await call("admin", "POST", `${CONFIGS}/${id}/publish`, {
      version_id: 2,
      strategy: { type: "canary", canary_labels: { a: "b" } },
    });
    await rules([], [FREEZE]);
    const plan = `/api/v1/mgt/publishes/${String(started.json["publish_id"])}`;
    const refused = await call("admin", "POST", `${plan}/advance`);
    expect([refused.status, refused.code]).toEqual([409, "change_frozen"]);
    expect(refused.json["detail"]).toContain("2100-01-01");
    const glass = { "x-conflux-break-glass": "the shop is down" };
    expect((await call("publisher", "POST", `${plan}/advance`, undefined, glass)).code).toBe("forbidden");
    const blank = await call("ada", "POST", `${plan}/advance`, undefined, { "x-conflux-break-glass": "" });
    expect(blank.json["errors"]).toMatchObject([{ path: "/headers/x-conflux-break-glass" }]);
    expect((await call("ada", "POST", `${plan}/advance`, undefined, glass)).code).toBe("ok");
    expect((await call("ada", "PUT", `${CONFIGS}/${id}/releases`, [{ version_id: 1 }])).code).toBe(
      "change_frozen",
    );
    const request = await ask(RELEASE_2);
    expect([await execute("ada", request), await execute("ada", request, glass)]).toEqual([
      "change_frozen",
      "ok",
    ]);
    const { entries } = await admin.core.feed({ after: 0, limit: 100, wait_ms: 0, view: "full" });
    const loud = entries.filter((entry) => entry.audit.summary.startsWith("BREAK GLASS"));
    expect(loud.map((entry) => [entry.kind, entry.audit.actor.name])).toEqual([
      ["advance_publish", "ada"],
      ["execute_change", "ada"],
    ]);
  });
});

describe("C14 K5 a change request of an encrypted config", () => {
  it("keeps the envelope alone, from the request on, and makes its version of it", async () => {
    const keys = new MemoryKeyService(["alias/default"]);
    admin = testingAdmin({
      sealer: new ContentSealer({ keys, defaultKeyId: "alias/default" }),
      applicationKeys: async () => ({}),
    });
    const created = await call("admin", "POST", CONFIGS, newConfig({ encrypt: true, release: true }));
    id = String(created.json["id"]);
    await rules([{ ...POLICY, approvals_required: 1 }]);
    const publish = { content: '{"password": "planted"}', strategy: { type: "all" } };
    const request = await ask({ type: "publish", publish });
    const content = await admin.send("GET", `${REQUESTS}/${String(request["id"])}/content`);
    expect(await content.json()).toMatchObject({ alg: "A256GCM" });
    expect([await approve("bob", request), await execute("ada", request), await served()]).toEqual([
      "ok",
      "ok",
      2,
    ]);
    const rows = admin.core.state
      .rows()
      .map(({ value }) => (typeof value === "string" ? value : new TextDecoder().decode(value)));
    expect(rows.filter((row) => row.includes("planted"))).toEqual([]);
  });
});
