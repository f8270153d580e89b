// Over 300 lines: two kinds of operation through the same routes, over one setup.
import { beforeEach, describe, expect, it } from "vitest";
import { ContentSealer } from "../../adapters/kms/content-sealer.ts";
import { MemoryKeyService } from "../../adapters/memory/memory-key-service.ts";
import { GRANTS, newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
const REQUESTS = "/api/v1/mgt/change-requests";
const RULES = "/api/v1/mgt/change-rules?tenant=demo";
const POLICY = { namespaces: "demo/*/prod", approvals_required: 1 };
const PLANTED = "planted-secret";
type Json = Record<string, unknown>;
let admin: TestingAdmin;
/** Configs that serve version 1: of shop, encrypted of pay, and of another tenant. */
let shop: Json;
let pay: Json;

const everything = (pattern: string) => ({ action: "*" as const, pattern });
GRANTS["ada"] = [everything("demo/**")];
GRANTS["bob"] = [everything("demo/**")];
GRANTS["shopper"] = [everything("demo/shop/**")];
GRANTS["onlooker"] = [everything("demo/shop/**"), { action: "read", pattern: "demo/pay/**" }];

beforeEach(async () => {
  const keys = new MemoryKeyService(["alias/default", "alias/pay"]);
  admin = testingAdmin({
    sealer: new ContentSealer({ keys, defaultKeyId: "alias/default" }),
    applicationKeys: async () => ({ pay: "alias/pay", other: "alias/other" }),
  });
  const make = async (changes: Json): Promise<Json> =>
    (await admin.send("POST", CONFIGS, newConfig({ release: true, ...changes }))).json<Json>();
  shop = await make({ name: "a.json" });
  pay = await make({ app: "pay", name: "b.json", encrypt: true });
  await admin.send("PUT", RULES, { approvals: [POLICY], freezes: [] });
});

async function call(
  who: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
) {
  const answer = await admin.send(method, path, body, { authorization: `Bearer ${who}`, ...headers });
  const text = await answer.text();
  const json = JSON.parse(text) as Json;
  return {
    status: answer.status,
    json,
    text,
    code: answer.ok ? "ok" : String(json["code"]),
    headers: answer.headers,
  };
}
const BATCH = () => ({
  items: [
    { config_id: shop["id"], content: '{"retries": 3}', default_version_id: "new" },
    { config_id: pay["id"], content: `{"password": "${PLANTED}"}`, releases: [{ version_id: "new" }] },
  ],
});
const batch = () => ({ operation: { type: "batch", batch: BATCH() }, description: "both" });
const entry = (name: string, more: Json = {}): Json => ({
  app: "shop",
  name,
  format: "json",
  content: '{"retries": 9}',
  schema: null,
  releases: [{ version: "bundle" }],
  ...more,
});
const bundle = (...configs: Json[]) => ({ bundle: { id: "web", tenant: "demo", env: "prod" }, configs });
const apply = (body: unknown, flags: Json = {}) => ({
  operation: { type: "apply", apply: body, adopt: true, ...flags },
});
async function ask(body: unknown, who = "ada"): Promise<Json> {
  const { status, json, text } = await call(who, "POST", REQUESTS, body);
  expect([status, status === 201 ? "" : text]).toEqual([201, ""]);
  return json;
}
const move = async (who: string, what: string, request: Json, headers = {}): Promise<string> => {
  const { digest, id } = request;
  const body = what === "approve" || what === "execute" ? { digest } : {};
  return (await call(who, "POST", `${REQUESTS}/${String(id)}/${what}`, body, headers)).code;
};
const pathOf = (request: Json): string => `${REQUESTS}/${String(request["id"])}`;
const served = async (): Promise<unknown[]> =>
  Promise.all(
    [shop, pay].map(
      async ({ id }) => (await call("admin", "GET", `${CONFIGS}/${String(id)}/resolve`)).json["version_id"],
    ),
  );

describe("C7 C14 a batch as a change request", () => {
  it("does what the direct route is refused for, as a whole, once others have approved it", async () => {
    expect((await call("ada", "POST", "/api/v1/mgt/releases:batch", BATCH())).code).toBe("approval_required");
    const request = await ask(batch());
    expect(request).toMatchObject({
      config_id: null,
      config_etag: null,
      type: "batch",
      status: "open",
      name: "*",
    });
    expect(request["namespace"]).toEqual({ tenant: "demo", app: "*", env: "prod" });
    const seen = await call("bob", "GET", pathOf(request));
    expect(seen.json).toMatchObject({
      approvals_required: 1,
      configs: [
        {
          app: "shop",
          name: "a.json",
          config_id: shop["id"],
          etag: shop["etag"],
          changes: ["content", "releases"],
        },
        { app: "pay", name: "b.json", config_id: pay["id"], action: "update" },
      ],
      operation: {
        type: "batch",
        abort_plan: false,
        batch: {
          items: [
            { config_id: shop["id"], if_match: shop["etag"], default_version_id: "new" },
            { config_id: pay["id"], releases: [{ version_id: "new", labels: {}, priority: 0 }] },
          ],
        },
      },
    });
    expect([
      await move("ada", "approve", request),
      await move("ada", "execute", request),
      await move("bob", "approve", request),
      await served(),
    ]).toEqual(["forbidden", "approval_required", "ok", [1, 1]]);
    const key = { "x-idempotency-key": "once" };
    expect([await move("ada", "execute", request, key), await served()]).toEqual(["ok", [2, 2]]);
    expect(await move("ada", "execute", request, key)).toBe("ok");
    expect(await move("ada", "execute", request)).toBe("invalid_transition");
  });

  it("a repeated request under one key makes one", async () => {
    const key = { "x-idempotency-key": "k" };
    const first = await call("ada", "POST", REQUESTS, batch(), key);
    const again = await call("ada", "POST", REQUESTS, batch(), key);
    expect([again.json["id"], again.headers.get("idempotency-replayed")]).toEqual([first.json["id"], "true"]);
  });

  it("K1 K5 seals what is of an encrypted config under its application's key; no answer or row has it as it came", async () => {
    const request = await ask(batch());
    const seen = await call("bob", "GET", pathOf(request));
    const { operation } = seen.json as { operation: { batch: { items: Json[] } } };
    const [open, sealed] = operation.batch.items.map(
      (item) => `${pathOf(request)}/content?content_hash=${String(item["content_hash"])}`,
    );
    expect((await call("bob", "GET", open ?? "")).json).toEqual({ retries: 3 });
    const envelope = await call("bob", "GET", sealed ?? "");
    expect(envelope.json).toMatchObject({ alg: "A256GCM", context: { app: "pay", name: "b.json" } });
    expect(envelope.text).toContain("alias/pay");
    expect((await call("bob", "GET", `${pathOf(request)}/content`)).code).toBe("validation_failed");
    const edited = await call("ada", "PUT", pathOf(request), batch());
    expect(await move("bob", "approve", edited.json)).toBe("ok");
    const executed = await call("ada", "POST", `${pathOf(request)}/execute`, {
      digest: edited.json["digest"],
    });
    expect([executed.code, await served()]).toEqual(["ok", [2, 2]]);
    const listed = await call("bob", "GET", `${REQUESTS}?tenant=demo`);
    const texts = [
      JSON.stringify(request),
      seen.text,
      envelope.text,
      edited.text,
      executed.text,
      listed.text,
    ];
    const rows = admin.core.state
      .rows()
      .map(({ value }) => (typeof value === "string" ? value : new TextDecoder().decode(value)));
    expect([...texts, ...rows].filter((text) => text.includes(PLANTED))).toEqual([]);
  });

  it("any edit voids the approvals, and it stays of several configs", async () => {
    const request = await ask(batch());
    await move("bob", "approve", request);
    const edited = await call("ada", "PUT", pathOf(request), batch());
    expect(edited.json).toMatchObject({ approvals: [] });
    expect([await move("bob", "approve", request), await move("ada", "execute", edited.json)]).toEqual([
      "precondition_failed",
      "approval_required",
    ]);
    const single = { operation: { type: "rollback", version_id: 1 } };
    expect((await call("ada", "PUT", pathOf(request), single)).code).toBe("validation_failed");
  });

  it("a config that has changed since stands against all of it, and nothing is done", async () => {
    const request = await ask(batch());
    await move("bob", "approve", request);
    await call("admin", "PUT", `${CONFIGS}/${String(pay["id"])}/retention`, { count: 3 });
    const refused = await call("ada", "POST", `${pathOf(request)}/execute`, { digest: request["digest"] });
    expect(refused).toMatchObject({ status: 412, code: "precondition_failed" });
    expect([await served(), (await call("ada", "GET", pathOf(request))).json["status"]]).toEqual([
      [1, 1],
      "open",
    ]);
  });

  it("a freeze that begins after the approval, of one of its namespaces, holds it; a reason passes it", async () => {
    const request = await ask(batch());
    await move("bob", "approve", request);
    const window = { from: "2020-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z" };
    const freeze = { type: "absolute", name: "sale", namespaces: "demo/pay/*", ...window };
    await admin.send("PUT", RULES, { approvals: [POLICY], freezes: [freeze] });
    expect([await move("ada", "execute", request), await served()]).toEqual(["change_frozen", [1, 1]]);
    expect(await move("ada", "execute", request, { "x-conflux-break-glass": "down" })).toBe("ok");
  });

  it("A4 asks every caller for the permission on each config, and hides it from who may not read one", async () => {
    expect((await call("shopper", "POST", REQUESTS, batch())).code).toBe("not_found");
    const forbidden = await call("onlooker", "POST", REQUESTS, batch());
    expect([forbidden.code, forbidden.json["errors"]]).toMatchObject([
      "forbidden",
      [{ path: "/operation/batch/items/1" }],
    ]);
    const request = await ask(batch());
    expect((await call("shopper", "GET", pathOf(request))).code).toBe("not_found");
    expect((await call("onlooker", "GET", pathOf(request))).code).toBe("ok");
    for (const step of ["approve", "reject", "withdraw"])
      expect(await move("onlooker", step, request)).toBe("forbidden");
    await move("bob", "approve", request);
    expect(await move("onlooker", "execute", request)).toBe("forbidden");
    const list = async (query: string): Promise<unknown> =>
      (await call("bob", "GET", `${REQUESTS}?tenant=demo${query}`)).json["items"];
    expect([await list(""), await list("&env=prod"), await list("&app=shop")]).toMatchObject([
      { length: 1 },
      { length: 1 },
      { length: 0 },
    ]);
  });

  it.each<[string, () => unknown, string]>([
    ["a config beside it", () => ({ ...batch(), config_id: shop["id"] }), "/config_id"],
    ["no config", () => ({ operation: { type: "rollback", version_id: 1 } }), "/config_id"],
    ["no items", () => ({ operation: { type: "batch", batch: { items: [] } } }), "/operation/batch/items"],
    [
      "a config twice",
      () => ({ operation: { type: "batch", batch: { items: [BATCH().items[0], BATCH().items[0]] } } }),
      "/operation/batch/items/1/config_id",
    ],
    [
      "content that is none",
      () => ({ operation: { type: "batch", batch: { items: [{ ...BATCH().items[0], content: "{" }] } } }),
      "/operation/batch/items/0/content",
    ],
  ])("refuses %s", async (_name, body, path) => {
    const problem = await readProblem(await admin.send("POST", REQUESTS, body()));
    expect([problem.code, problem.errors[0]?.path]).toEqual(["validation_failed", path]);
  });
});

describe("C13 C14 a bundle as a change request", () => {
  it("is approved as a plan, and applied as that plan alone", async () => {
    const body = bundle(entry("a.json"), entry("new.json"));
    expect((await call("ada", "POST", "/api/v1/mgt/apply?adopt=true", body)).code).toBe("approval_required");
    const request = await ask(apply(body));
    const seen = await call("bob", "GET", pathOf(request));
    expect(seen.json).toMatchObject({
      type: "apply",
      name: "*",
      namespace: { app: "shop" },
      configs: [
        { name: "a.json", action: "update", etag: shop["etag"] },
        { name: "new.json", action: "create", config_id: null, etag: null },
      ],
      operation: {
        adopt: true,
        prune: false,
        if_plan: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
        apply: {
          bundle: { id: "web" },
          configs: [{ name: "a.json", releases: [{ version: "bundle" }] }, {}],
        },
      },
    });
    // Both have one content, which is held once.
    expect(
      (await call("bob", "GET", `${pathOf(request)}/content?content_hash=sha256:${"0".repeat(64)}`)).code,
    ).toBe("not_found");
    expect([await move("bob", "approve", request), await move("ada", "execute", request)]).toEqual([
      "ok",
      "ok",
    ]);
    const { items } = await admin.core.listConfigs({ tenant: "demo", app: "shop", limit: 9 });
    expect(items.map(({ name, latest_version_id: latest }) => [name, latest])).toEqual([
      ["a.json", 2],
      ["new.json", 1],
    ]);
    const nothing = await call("ada", "POST", REQUESTS, apply(body));
    expect(nothing.code).toBe("validation_failed");
  });

  it("asks who executes it for delete on what it prunes, and is void when the plan is another one", async () => {
    await admin.send("PUT", RULES, { approvals: [], freezes: [] });
    const both = bundle(entry("a.json"), entry("new.json"));
    expect((await call("ada", "POST", "/api/v1/mgt/apply?adopt=true", both)).code).toBe("ok");
    await admin.send("PUT", RULES, { approvals: [POLICY], freezes: [] });
    const request = await ask(apply(bundle(entry("a.json", { content: "{}" })), { prune: true }));
    expect((await call("bob", "GET", pathOf(request))).json["configs"]).toMatchObject([
      { name: "a.json", action: "update" },
      { name: "new.json", action: "delete" },
    ]);
    await move("bob", "approve", request);
    expect(await move("publisher", "execute", request)).toBe("forbidden");
    await call("admin", "PUT", `${CONFIGS}/${String(shop["id"])}/retention`, { count: 3 });
    expect(await move("ada", "execute", request)).toBe("precondition_failed");
    const path = pathOf(request);
    const forced = apply(bundle(entry("a.json", { content: "{}" })), { prune: true, force: true });
    const edited = (await call("ada", "PUT", path, forced)).json;
    expect([await move("bob", "approve", edited), await move("ada", "execute", edited)]).toEqual([
      "ok",
      "ok",
    ]);
    const { items } = await admin.core.listConfigs({ tenant: "demo", app: "shop", limit: 9 });
    expect(items.map(({ name }) => name)).toEqual(["a.json"]);
  });

  it("K5 takes no content of an encrypted config, and quotes none; tells what stands against it by its path", async () => {
    const secret = await call(
      "ada",
      "POST",
      REQUESTS,
      apply(bundle(entry("b.json", { app: "pay", content: `{"p":"${PLANTED}"}` }))),
    );
    expect([secret.code, secret.json["errors"]]).toMatchObject([
      "validation_failed",
      [{ path: "/operation/apply/configs/0/content" }],
    ]);
    expect(secret.text).not.toContain(PLANTED);
    const foreign = await call("ada", "POST", REQUESTS, apply(bundle(entry("a.json")), { adopt: false }));
    expect([foreign.code, foreign.json["errors"]]).toMatchObject([
      "conflict",
      [{ path: "/operation/apply/configs/0" }],
    ]);
    const broken = await call("ada", "POST", REQUESTS, apply(bundle(entry("a.json", { content: "{" }))));
    expect(broken.json["errors"]).toMatchObject([{ path: "/operation/apply/configs/0/content" }]);
    expect((await call("onlooker", "POST", REQUESTS, apply(bundle(entry("x", { app: "pay" }))))).code).toBe(
      "forbidden",
    );
  });
});
