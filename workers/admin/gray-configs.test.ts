import { beforeEach, describe, expect, it } from "vitest";
import { ContentSealer } from "../../adapters/kms/content-sealer.ts";
import { openContent } from "../../adapters/kms/testing/open-content.ts";
import { MemoryKeyService } from "../../adapters/memory/memory-key-service.ts";
import { readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const SOURCES = "/api/v1/gray/data-sources";
const REGIONS = ["us-east-1", "ap-southeast-2", "cn-chengdu", "cn-shanghai"];
const SECRET = "hunter2-secret";
const keys = new MemoryKeyService(["alias/default", "alias/gray"]);
const sealer = new ContentSealer({ keys, defaultKeyId: "alias/default" });

type Json = Record<string, unknown>;
let admin: TestingAdmin;
let applications: Record<string, string>;
beforeEach(() => {
  applications = {};
  admin = testingAdmin({ sealer, regions: REGIONS, applicationKeys: async () => applications });
});

async function ok(method: string, path: string, body?: unknown, headers?: Record<string, string>) {
  const answer = await admin.send(method, path, body, headers);
  const json = await answer.json<Json>();
  expect([method, path, answer.ok, json]).toEqual([method, path, true, json]);
  return { json, status: answer.status, headers: answer.headers };
}
const refused = async (method: string, path: string, body?: unknown, headers?: Record<string, string>) => {
  const answer = await admin.send(method, path, body, headers);
  const { code, errors } = await readProblem(answer);
  return [answer.status, code, errors[0]?.path ?? ""];
};
const source = (more: Json = {}): Json => ({
  source: "pop",
  loghub_project: "p",
  loghub_stream: "s",
  ...more,
});
const make = async (body: Json = source(), path = SOURCES): Promise<string> =>
  `${path}/${String((await ok("POST", path, body)).json["id"])}`;
const fieldsOf = async (path: string): Promise<unknown[]> => {
  const { json } = await ok("GET", path);
  return [json["version_id"], json["status"], json["effective_gray_groups"]];
};
const idOf = (path: string): string => path.split("/").at(-1) ?? "";
const versionsOf = async (path: string): Promise<unknown[]> =>
  ((await ok("GET", `${path}/versions`)).json["items"] as Json[]).map((item) => [
    item["status"],
    item["effective_gray_groups"],
  ]);
/** What the edge would be given. */
const contentOf = async (path: string, version: number): Promise<string> =>
  (await admin.send("GET", `/api/v1/mgt/configs/${idOf(path)}/versions/${version}/content`)).text();
const servedIn = async (path: string, region: string): Promise<unknown> =>
  (await ok("GET", `/api/v1/mgt/configs/${idOf(path)}/resolve?edge.region=${region}`)).json["version_id"];

const api = { gateway_code: "ecs", api_version: "2014-05-26", api_name: "Run" };
describe.each([
  [
    "data-sources",
    "data-source",
    "pop",
    source({ data_fetch_interval_millis: 5000, consume_region: ["cn-chengdu"] }),
  ],
  [
    "api-records",
    "api-record",
    "ecs.2014-05-26.Run",
    { ...api, filter_config: { include: ["a"] }, basic_config: '{"a":1}' },
  ],
  ["api-metas", "api-meta", "ecs.2014-05-26.Run", { ...api, product: "Ecs", response_body_log: 1 }],
] as const)("P1 /gray/%s", (resource, configType, name, body) => {
  const path = `/api/v1/gray/${resource}`;

  it("makes a draft with every column, shows and lists it; nobody gets it", async () => {
    const created = await ok("POST", path, body);
    const { id, etag, index, ...shown } = created.json;
    expect(created.status).toBe(201);
    expect(created.headers.get("location")).toBe(`${path}/${String(id)}`);
    expect(shown).toMatchObject({
      ...body,
      config_type: configType,
      tenant: "demo",
      name,
      version_id: `${String(id)}-v1`,
      status: "draft",
      effective_gray_groups: [],
      gateway_type: null,
      gmt_create: expect.any(String) as string,
    });
    expect(index).toMatch(/^c1\./);
    const got = await ok("GET", `${path}/${String(id)}`);
    expect(got.json).toEqual({ id, etag, ...shown });
    expect(got.headers.get("etag")).toBe(etag);
    expect((await ok("GET", path)).json).toEqual({ items: [got.json], next_cursor: null });
    const { etag: _etag, ...version } = got.json;
    expect((await ok("GET", `${path}/${String(id)}/versions`)).json["items"]).toEqual([version]);
    const content = JSON.parse(await contentOf(`${path}/${String(id)}`, 1)) as Json;
    expect(content).toMatchObject(body);
    expect(await servedIn(String(id), "us-east-1")).toBe(null);
    expect(await refused("POST", path, body)).toEqual([409, "already_exists", ""]);
  });

  it("edits the draft under the same version_id; columns left out stay, null empties one", async () => {
    const at = await make(body, path);
    const first = (await ok("GET", at)).json;
    const edited = await ok("PUT", at, { gateway_type: "POP" }, { "if-match": String(first["etag"]) });
    expect(edited.json).toMatchObject({ ...body, gateway_type: "POP", status: "draft" });
    expect(edited.json["version_id"]).toBe(first["version_id"]);
    expect(edited.json["gmt_create"]).toBe(first["gmt_create"]);
    await ok("PUT", at, { gateway_type: null });
    expect((await ok("GET", at)).json).toMatchObject({ ...body, gateway_type: null });
    expect(await versionsOf(at)).toEqual([["draft", []]]);
    const stale = { "if-match": String(first["etag"]) };
    expect(await refused("PUT", at, { gateway_type: "x" }, stale)).toEqual([412, "precondition_failed", ""]);
    const key = Object.keys(body)[0] ?? "";
    expect(await refused("PUT", at, { [key]: "other" })).toEqual([400, "validation_failed", `/${key}`]);
  });

  it("is not found below another kind's path, nor is any other config", async () => {
    const at = await make(body, path);
    const others = ["data-sources", "api-records", "api-metas"].filter((other) => other !== resource);
    for (const other of others) {
      const elsewhere = `/api/v1/gray/${other}/${idOf(at)}`;
      expect(await refused("GET", elsewhere)).toEqual([404, "not_found", ""]);
      expect(await refused("PUT", elsewhere, {})).toEqual([404, "not_found", ""]);
      for (const verb of ["publish", "advance", "abort"])
        expect(await refused("POST", `${elsewhere}/${verb}`)).toEqual([404, "not_found", ""]);
    }
  });
});

describe("P2 publishing", () => {
  const stages = async (at: string) =>
    Promise.all(["us-east-1", "ap-southeast-2", "cn-chengdu"].map((region) => servedIn(at, region)));

  it("goes by the seed's stages when it names none: two versions side by side, then the old one is deprecated", async () => {
    const at = await make();
    const begun = await ok("POST", `${at}/publish`);
    expect(begun.status).toBe(202);
    expect(begun.json).toMatchObject({
      source: "pop",
      status: "stage1",
      stage: "stage1",
      due_at: null,
      effective_gray_groups: ["ap-southeast-2"],
      warnings: [],
    });
    expect(await stages(at)).toEqual([null, 1, null]);
    expect((await ok("POST", `${at}/advance`)).json).toMatchObject({ status: "stage2" });
    expect((await ok("POST", `${at}/advance`)).json).toMatchObject({
      status: "full",
      stage: null,
      effective_gray_groups: REGIONS,
    });
    // V1_Full --> V2_Draft: the published version is never changed.
    const draft = (await ok("PUT", at, { gateway_type: "POP" })).json;
    expect([draft["version_id"], draft["status"]]).toEqual([`${idOf(at)}-v2`, "draft"]);
    await ok("PUT", at, { dm: "x" });
    expect(await versionsOf(at)).toEqual([
      ["draft", []],
      ["full", REGIONS],
    ]);
    await ok("POST", `${at}/publish`);
    expect(await stages(at)).toEqual([1, 2, 1]);
    expect(await versionsOf(at)).toEqual([
      ["stage1", ["ap-southeast-2"]],
      ["full", ["us-east-1", "cn-chengdu", "cn-shanghai"]],
    ]);
    await ok("POST", `${at}/advance`);
    expect(await stages(at)).toEqual([1, 2, 2]);
    expect(await versionsOf(at)).toEqual([
      ["stage2", ["ap-southeast-2", "cn-chengdu", "cn-shanghai"]],
      ["full", ["us-east-1"]],
    ]);
    await ok("POST", `${at}/advance`);
    expect(await versionsOf(at)).toEqual([
      ["full", REGIONS],
      ["deprecated", []],
    ]);
    expect(JSON.parse(await contentOf(at, 1))).toMatchObject({ gateway_type: null, dm: null });
    expect(JSON.parse(await contentOf(at, 2))).toMatchObject({ gateway_type: "POP", dm: "x" });
  });

  it("P5 abort, then an edit makes the next draft; pause and resume are those of any publish plan", async () => {
    const at = await make();
    await ok("POST", `${at}/publish`, { strategy: { type: "all" } });
    await ok("PUT", at, { dm: "two" });
    const begun = await ok("POST", `${at}/publish`, {
      stages: [{ regions: ["cn-chengdu"], bake_minutes: 9 }],
    });
    expect(begun.json["due_at"]).toEqual(expect.any(String));
    const plan = `/api/v1/mgt/publishes/${String(begun.json["publish_id"])}`;
    await ok("POST", `${plan}/pause`);
    expect(await fieldsOf(at)).toEqual([`${idOf(at)}-v2`, "paused", ["cn-chengdu"]]);
    expect(await refused("POST", `${at}/advance`)).toEqual([409, "invalid_transition", ""]);
    const aborted = (await ok("POST", `${at}/abort`)).json;
    expect(aborted).toMatchObject({ status: "aborted", effective_gray_groups: [], dm: "two" });
    expect(await fieldsOf(at)).toEqual([`${idOf(at)}-v2`, "aborted", []]);
    expect(await servedIn(at, "cn-chengdu")).toBe(1);
    expect(await refused("POST", `${at}/abort`)).toEqual([409, "invalid_transition", ""]);
    expect((await ok("PUT", at, { dm: "three" })).json).toMatchObject({ version_id: `${idOf(at)}-v3` });
    expect((await versionsOf(at)).map((version) => (version as unknown[])[0])).toEqual([
      "draft",
      "aborted",
      "full",
    ]);
    // The aborted one after all, named by its version_id: an old version comes back by stages too.
    const again = await ok("POST", `${at}/publish`, { version_id: `${idOf(at)}-v2` });
    expect(again.json).toMatchObject({ status: "stage1", dm: "two" });
  });

  const TWINS = ["a", "b"].map((region) => ({ name: "x", regions: [region] }));
  it("refuses in words what cannot be published", async () => {
    const at = await make();
    for (const verb of ["advance", "abort"])
      expect(await refused("POST", `${at}/${verb}`)).toEqual([409, "invalid_transition", ""]);
    for (const [body, path] of [
      [{ version_id: `${idOf(at)}-v9` }, "/version_id"],
      [{ version_id: "1" }, "/version_id"],
      [{ stages: [] }, "/stages"],
      [{ stages: [{ regions: ["a"] }], strategy: { type: "all" } }, "/strategy"],
      [{ stages: [{ name: "x" }] }, "/strategy/stages/0"],
      [{ stages: TWINS }, "/stages/1/name"],
      // Without a name the second is called stage2.
      [{ stages: [{ ...TWINS[0], name: "stage2" }, { regions: ["b"] }] }, "/stages/1/name"],
      [{ strategy: { type: "staged", stages: TWINS } }, "/strategy/stages/1/name"],
      [{ strategy: { type: "all" }, make_default_after_mins: 1 }, "/make_default_after_mins"],
      [
        { stages: [{ regions: ["a"], bake_minutes: 1 }], make_default_after_mins: 1 },
        "/make_default_after_mins",
      ],
      [{ surprise: 1 }, "/surprise"],
    ] as const)
      expect(await refused("POST", `${at}/publish`, body)).toEqual([400, "validation_failed", path]);
    await ok("POST", `${at}/publish`);
    expect(await refused("POST", `${at}/publish`)).toEqual([409, "publish_running", ""]);
    const superseding = await ok("POST", `${at}/publish?abort_plan=true`, { strategy: { type: "all" } });
    expect(superseding.json).toMatchObject({ status: "full" });
    expect(await refused("POST", `${at}/publish`)).toEqual([409, "invalid_transition", ""]);
  });

  it("C12 every write is repeated under its idempotency key, and held to If-Match", async () => {
    const key = (name: string) => ({ "x-idempotency-key": name });
    const same = async (method: string, path: string, body: unknown, name: string): Promise<Json> => {
      const first = await ok(method, path, body, key(name));
      const second = await ok(method, path, body, key(name));
      expect(second.json).toEqual(first.json);
      expect(second.headers.get("idempotency-replayed")).toBe("true");
      return first.json;
    };
    const made = await same("POST", SOURCES, source({ loghub_accesskey_secret: SECRET }), "a");
    const at = `${SOURCES}/${String(made["id"])}`;
    await same("PUT", at, { dm: "x" }, "b");
    const { etag } = (await ok("GET", at)).json;
    expect(await refused("POST", `${at}/publish`, {}, { "if-match": '"1"' })).toEqual([
      412,
      "precondition_failed",
      "",
    ]);
    await ok("POST", `${at}/publish`, {}, { "if-match": String(etag), ...key("c") });
    // Repeated with the ETag that it was sent with, which is another one by now.
    const again = await ok("POST", `${at}/publish`, {}, { "if-match": String(etag), ...key("c") });
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await refused("POST", `${at}/advance`, undefined, { "if-match": String(etag) })).toEqual([
      412,
      "precondition_failed",
      "",
    ]);
    await same("POST", `${at}/advance`, undefined, "d");
    await same("POST", `${at}/advance`, undefined, "e");
    // From here on a publish would be refused, but not one that is only said again.
    const repeated = await ok("POST", `${at}/publish`, {}, key("c"));
    expect(repeated.json).toMatchObject({ status: "stage1" });
    await same("PUT", at, { dm: "two" }, "f");
    await same("POST", `${at}/publish`, { strategy: { type: "all" } }, "g");
    await ok("PUT", at, { dm: "three" });
    await ok("POST", `${at}/publish`);
    await same("POST", `${at}/abort`, undefined, "h");
    expect(await refused("PUT", at, { dm: "y" }, key("b"))).toEqual([409, "idempotency_conflict", ""]);
  });

  it("two edits at once lose nothing of each other", async () => {
    const at = await make();
    await Promise.all([ok("PUT", at, { dm: "one" }), ok("PUT", at, { gateway_type: "two" })]);
    expect((await ok("GET", at)).json).toMatchObject({ dm: "one", gateway_type: "two", loghub_project: "p" });
  });

  it("lists in pages, by name, one tenant's alone", async () => {
    for (const name of ["b", "a", "c"]) await make(source({ source: name }));
    await make(source({ source: "d", tenant: "other" }));
    const first = (await ok("GET", `${SOURCES}?limit=2`)).json;
    const items = (page: Json): unknown[] => (page["items"] as Json[]).map((item) => item["source"]);
    expect(items(first)).toEqual(["a", "b"]);
    const cursor = encodeURIComponent(String(first["next_cursor"]));
    expect(items((await ok("GET", `${SOURCES}?limit=2&cursor=${cursor}`)).json)).toEqual(["c"]);
    expect(items((await ok("GET", `${SOURCES}?tenant=other`)).json)).toEqual(["d"]);
    expect(items((await ok("GET", `${SOURCES}?name_prefix=b`)).json)).toEqual(["b"]);
  });
});

describe("P7 the access key's secret", () => {
  const sealedIn = async (at: string, version: number): Promise<Json | undefined> =>
    (JSON.parse(await contentOf(at, version)) as Json)["sealed_accesskey_secret"] as Json | undefined;
  const opened = async (at: string, version: number): Promise<string> =>
    openContent(keys, JSON.stringify(await sealedIn(at, version)));

  it("is sealed under the application's key, kept over edits without it, replaced and taken away", async () => {
    applications = { gray: "alias/gray" };
    const at = await make(source({ loghub_accesskey_secret: SECRET }));
    expect((await sealedIn(at, 1))?.["context"]).toEqual({
      tenant: "demo",
      app: "gray",
      env: "data-source",
      name: "pop",
    });
    expect(String((await sealedIn(at, 1))?.["key_id"])).toContain("gray");
    expect(await opened(at, 1)).toBe(SECRET);
    for (const body of [{ dm: "x" }, { loghub_accesskey_secret: null }]) {
      const edited = (await ok("PUT", at, body)).json;
      expect([edited["loghub_accesskey_secret"], edited["loghub_accesskey_secret_set"]]).toEqual([
        null,
        true,
      ]);
      expect(await opened(at, 1)).toBe(SECRET);
    }
    await ok("POST", `${at}/publish`, { strategy: { type: "all" } });
    await ok("PUT", at, { dm: "next" });
    expect(await opened(at, 2)).toBe(SECRET);
    await ok("PUT", at, { loghub_accesskey_secret: "other" });
    expect([await opened(at, 1), await opened(at, 2)]).toEqual([SECRET, "other"]);
    expect((await ok("PUT", at, { loghub_accesskey_secret: "" })).json).toMatchObject({
      loghub_accesskey_secret_set: false,
    });
    expect(await sealedIn(at, 2)).toBe(undefined);
  });

  it("K5 stands in no answer, refusal, feed, audit, state or log line", async () => {
    const said: string[] = [];
    const keep = async (method: string, path: string, body?: unknown, headers?: Record<string, string>) => {
      const answer = await admin.send(method, path, body, headers);
      said.push(await answer.clone().text(), JSON.stringify([...answer.headers]));
      return answer;
    };
    const secret = { loghub_accesskey_secret: SECRET };
    const key = { "x-idempotency-key": "k" };
    const created = await keep("POST", SOURCES, source(secret), key);
    const at = `${SOURCES}/${(await created.json<{ id: string }>()).id}`;
    await keep("POST", SOURCES, source(secret), key);
    await keep("POST", SOURCES, source(secret));
    await keep("POST", SOURCES, source({ ...secret, loghub_endpoint: "not one" }));
    await keep("POST", SOURCES, source({ loghub_accesskey_secret: `${SECRET} ${SECRET}` }));
    await keep("POST", SOURCES, `{"source": "x", "loghub_accesskey_secret": ${SECRET}`);
    await keep("PUT", at, secret);
    await keep("PUT", at, secret, { "if-match": '"1"' });
    for (const path of [SOURCES, at, `${at}/versions`]) await keep("GET", path);
    for (const verb of ["publish", "advance", "abort"]) await keep("POST", `${at}/${verb}`);
    const mgt = `/api/v1/mgt/configs/${idOf(at)}`;
    for (const path of [mgt, `${mgt}/versions`, `${mgt}/versions/1/content`, `${mgt}/diff?from=1&to=1`])
      await keep("GET", path);
    await keep("GET", "/api/v1/mgt/export?tenant=demo&app=gray&env=data-source");
    const feed = await admin.core.feed({ after: 0, limit: 99, wait_ms: 0, view: "full" });
    expect(feed.entries.length).toBeGreaterThan(3);
    const state = [...admin.core.state.scan("", { limit: 10_000 })].map(({ key: row, value }) => [
      row,
      value instanceof Uint8Array ? Buffer.from(value).toString() : value,
    ]);
    said.push(JSON.stringify(feed), JSON.stringify(state), JSON.stringify([admin.logs, admin.refusals]));
    const all = said.join("\n");
    expect(all).toContain("A256GCM");
    for (const form of [SECRET, Buffer.from(SECRET).toString("base64"), encodeURIComponent(SECRET)])
      expect(all).not.toContain(form);
  });

  it("without a key service nothing is written, and a source without a secret needs none", async () => {
    admin = testingAdmin({ regions: REGIONS });
    expect(await refused("POST", SOURCES, source({ loghub_accesskey_secret: SECRET }))).toEqual([
      409,
      "conflict",
      "",
    ]);
    expect((await ok("GET", SOURCES)).json["items"]).toEqual([]);
    const at = await make();
    expect(await refused("PUT", at, { loghub_accesskey_secret: SECRET })).toEqual([409, "conflict", ""]);
    expect((await ok("GET", at)).json["loghub_accesskey_secret_set"]).toBe(false);
  });

  it("is none of the other kinds' columns", async () => {
    const body = { ...api, loghub_accesskey_secret: SECRET };
    for (const path of ["/api/v1/gray/api-records", "/api/v1/gray/api-metas"])
      expect(await refused("POST", path, body)).toEqual([
        400,
        "validation_failed",
        "/loghub_accesskey_secret",
      ]);
  });
});
