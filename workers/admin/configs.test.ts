// Over 400 lines: the routes of a config are walked over one setup.
import { beforeEach, describe, expect, it } from "vitest";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
let admin: TestingAdmin;
beforeEach(() => {
  admin = testingAdmin();
});

interface Written {
  id: string;
  etag: string;
  index: string;
  latest_version_id: number;
  releases: unknown[];
}
async function create(changes: Record<string, unknown> = {}): Promise<Written> {
  const answer = await admin.send("POST", CONFIGS, newConfig(changes));
  expect(answer.status).toBe(201);
  return await answer.json<Written>();
}
async function get(path: string): Promise<Record<string, unknown>> {
  const answer = await admin.send("GET", path);
  expect(answer.status).toBe(200);
  return await answer.json<Record<string, unknown>>();
}

describe("C1 creating", () => {
  it("serves nothing without a release, the default rule with release: true, or the rules given", async () => {
    expect((await create({ name: "a" })).releases).toEqual([]);
    expect((await create({ name: "b", release: true })).releases).toEqual([
      { labels: {}, version_id: 1, priority: 0 },
    ]);
    const rules = [
      { labels: { canary: "true" }, version_id: 1, priority: 5, edge: { regions: ["cn-chengdu"] } },
    ];
    expect((await create({ name: "c", releases: rules })).releases).toEqual(rules);
  });
  it("answers a signed index that verifies, an ETag and a location", async () => {
    const answer = await admin.send("POST", CONFIGS, newConfig());
    const body = await answer.json<Written>();
    expect(answer.headers.get("etag")).toBe(body.etag);
    const location = answer.headers.get("location") ?? "";
    expect((await get(location))["id"]).toBe(body.id);
    const signer = createIndexSigner("index-key-of-the-tests");
    expect(await signer.verify(body.index)).toMatchObject({ cluster_id: "c1", epoch: 1 });
  });
  it.each([
    ["binary", { content: undefined, content_base64: "AP/+" }, "application/octet-stream", [0, 255, 254]],
    ["text", { content: "\uFEFFé" }, "text/plain; charset=utf-8", [0xef, 0xbb, 0xbf, 0xc3, 0xa9]],
    ["yaml", { content: "a: 1 # x\r\n" }, "application/yaml", [...Buffer.from("a: 1 # x\r\n")]],
    [
      "properties",
      { content: undefined, content_base64: "YT3p" },
      "text/plain; charset=utf-8",
      [0x61, 0x3d, 0xe9],
    ],
    ["toml", { content: "" }, "application/toml", []],
    ["ini", { content: "[a]\r\nb = 1" }, "text/plain; charset=utf-8", [...Buffer.from("[a]\r\nb = 1")]],
    ["xml", { content: "<a>\r\n</a>" }, "application/xml", [...Buffer.from("<a>\r\n</a>")]],
  ])("keeps the bytes of %s", async (format, content, type, bytes) => {
    const { id } = await create({ format, ...content });
    const answer = await admin.send("GET", `${CONFIGS}/${id}/versions/1/content`);
    expect(answer.headers.get("content-type")).toBe(type);
    expect([...new Uint8Array(await answer.arrayBuffer())]).toEqual(bytes);
  });
  it("keeps the schema, given as an object or as text, for versions to come", async () => {
    const schema = { type: "object" };
    const { id } = await create({ name: "a", schema });
    expect((await get(`${CONFIGS}/${id}`))["schema"]).toEqual(schema);
    const { id: other } = await create({ name: "b", schema: JSON.stringify(schema) });
    expect((await get(`${CONFIGS}/${other}`))["schema"]).toEqual(schema);
  });
});

describe("C2 C3 versions", () => {
  it("numbers them, hashes them, says who and when, newest first", async () => {
    const { id } = await create({ description: "first\n\twith more to say" });
    const second = await admin.send("POST", `${CONFIGS}/${id}/versions`, {
      content: '{"retries": 2}',
      description: "again",
    });
    expect(second.status).toBe(201);
    const page = (await get(`${CONFIGS}/${id}/versions?limit=1`)) as {
      items: Record<string, unknown>[];
      next_cursor: string;
    };
    expect(page.items).toEqual([
      expect.objectContaining({ version_id: 2, creator: "admin", description: "again" }),
    ]);
    const rest = (await get(`${CONFIGS}/${id}/versions?limit=1&cursor=${page.next_cursor}`)) as typeof page;
    expect(rest.items[0]).toMatchObject({ version_id: 1, description: "first\n\twith more to say" });
    expect(rest.next_cursor).toBeNull();
    expect(rest.items[0]?.["content_hash"]).toBe(page.items[0]?.["content_hash"]);
    expect(page.items[0]?.["content_hash"]).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(page.items[0]?.["created_at"]).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/);
  });
  it("lets a version's own schema and format count before the config's", async () => {
    const { id } = await create({ schema: { type: "object" } });
    const own = { content: "[1]", schema: { type: "array" } };
    expect((await admin.send("POST", `${CONFIGS}/${id}/versions`, own)).status).toBe(201);
    expect(await get(`${CONFIGS}/${id}/versions/2`)).toMatchObject({ schema: { type: "array" } });
    const toml = { content: "a = 1", format: "toml" };
    expect((await admin.send("POST", `${CONFIGS}/${id}/versions`, toml)).status).toBe(201);
    const answer = await admin.send("GET", `${CONFIGS}/${id}/versions/3/content`);
    expect(answer.headers.get("content-type")).toBe("application/toml");
  });
});

describe("C4 C6 C8 releases", () => {
  it("replaces the list, warns, resolves with reasons and rolls back", async () => {
    const { id } = await create({ release: true });
    await admin.send("POST", `${CONFIGS}/${id}/versions`, { content: "{}" });
    const rules = [
      { labels: { Canary: "true" }, version_id: 2, priority: 10, edge: { regions: ["mars"] } },
      { version_id: 1 },
    ];
    const put = await admin.send("PUT", `${CONFIGS}/${id}/releases`, rules);
    expect(await put.json()).toMatchObject({
      releases: [{ labels: { canary: "true" } }, { labels: {}, priority: 0 }],
      warnings: [expect.stringContaining("mars")],
    });
    await admin.send("PUT", `${CONFIGS}/${id}/releases`, [
      { labels: { canary: "true" }, version_id: 2, priority: 1 },
      { version_id: 1 },
    ]);
    const canary = await get(`${CONFIGS}/${id}/resolve?label.Canary=true&edge.region=cn-chengdu`);
    expect(canary).toMatchObject({ version_id: 2, rule: { position: 0, priority: 1 } });
    const plain = await get(`${CONFIGS}/${id}/resolve`);
    expect(plain).toMatchObject({
      version_id: 1,
      rule: { position: 1 },
      trace: [
        { matched: false, why_not: expect.stringContaining("canary") },
        { matched: true, why_not: null },
      ],
    });
    const back = await admin.send("POST", `${CONFIGS}/${id}/rollback`, { version_id: 2 });
    expect(back.status).toBe(200);
    expect(await get(`${CONFIGS}/${id}/resolve`)).toMatchObject({ version_id: 2 });
    expect((await admin.send("PUT", `${CONFIGS}/${id}/releases`, [])).status).toBe(200);
    expect(await get(`${CONFIGS}/${id}/resolve`)).toMatchObject({ version_id: null, rule: null, trace: [] });
  });
});

describe("C5 C8 operators and percentages", () => {
  it("stores what is asked of labels, in a new config and in a list, and says why a rule decides or does not", async () => {
    const when = [
      { label: "App", op: "semver", values: [">=2.0.0"] },
      { label: "age", op: "gt", values: [17] },
    ];
    const { id, releases } = await create({
      releases: [{ version_id: 1, when, percentage: { by: "user", percent: 25 } }],
    });
    const stored = [
      { label: "app", op: "semver", values: [">=2.0.0"] },
      { label: "age", op: "gt", values: ["17"] },
    ];
    expect(releases).toEqual([
      { labels: {}, version_id: 1, priority: 0, when: stored, percentage: { by: "user", percent: 25 } },
    ]);
    await admin.send("POST", `${CONFIGS}/${id}/versions`, { content: "{}" });
    const put = await admin.send("PUT", `${CONFIGS}/${id}/releases`, [
      { version_id: 2, when, percentage: { by: "user", percent: 99.99, salt: "s" } },
      { version_id: 2, when: [{ label: "app", op: "regex", values: ["^beta"] }], priority: 1 },
      { version_id: 2, percentage: { by: "user", percent: 0 } },
      { version_id: 1, when: [] },
    ]);
    const written = await put.json<{ releases: unknown[]; warnings: string[] }>();
    expect(written.warnings).toEqual(["the rule at 2 can never match: its percentage is 0"]);
    expect(written.releases.at(-1)).toEqual({ labels: {}, version_id: 1, priority: 0 });
    expect((await get(`${CONFIGS}/${id}/releases`))["releases"]).toEqual(written.releases);

    const client = "label.app=2.1.0-beta&label.age=18&label.user=ada";
    expect(await get(`${CONFIGS}/${id}/resolve?${client}`)).toMatchObject({
      version_id: 2,
      rule: { position: 0, when: stored },
      trace: [
        { matched: true, why_not: null, bucket: expect.any(Number) },
        { why_not: 'label app is "2.1.0-beta", the rule wants a match of "^beta"', bucket: null },
        {
          why_not: expect.stringMatching(
            /^label user is in bucket \d+, the rule wants buckets below 0 \(0 %\)$/,
          ),
        },
        { why_not: "the rule at position 0 comes first" },
      ],
    });
    expect(await get(`${CONFIGS}/${id}/resolve?label.app=beta-2&label.age=9`)).toMatchObject({
      version_id: 2,
      rule: { position: 1 },
      trace: [
        { why_not: 'label app is "beta-2", the rule wants a version in ">=2.0.0"', bucket: null },
        {},
        {},
        {},
      ],
    });
    const back = await admin.send("POST", `${CONFIGS}/${id}/rollback`, { version_id: 2 });
    expect(
      (await back.json<{ releases: { version_id: number }[] }>()).releases.map((r) => r.version_id),
    ).toEqual([2, 2, 2, 2]);
  });

  it("C5 a release to one host, or to some addresses, is a rule like any other", async () => {
    const { id } = await create();
    await admin.send("POST", `${CONFIGS}/${id}/versions`, { content: "{}" });
    const rules = [
      { version_id: 2, labels: { hostname: "web-1" } },
      { version_id: 2, when: [{ label: "ip", op: "cidr", values: ["10.1.0.0/16"] }] },
      { version_id: 1 },
    ];
    await admin.send("PUT", `${CONFIGS}/${id}/releases`, rules);
    const clients = ["hostname=web-1", "hostname=web-2", "ip=10.1.2.3", "ip=10.2.2.3"];
    const served = await Promise.all(
      clients.map(async (label) => (await get(`${CONFIGS}/${id}/resolve?label.${label}`))["version_id"]),
    );
    expect(served).toEqual([2, 1, 2, 1]);
  });

  it("C4 C6 a rollback, and a new config, warn of a rule that another one shadows", async () => {
    const releases = [{ version_id: 1, priority: 9 }, { version_id: 1 }];
    const created = await admin.send("POST", CONFIGS, newConfig({ name: "shadowed", releases }));
    const { id, warnings } = await created.json<{ id: string; warnings: string[] }>();
    const said = ["the rule at 1 can never match: the rule at 0 is tried first and covers it"];
    expect(warnings).toEqual(said);
    await admin.send("POST", `${CONFIGS}/${id}/versions`, { content: "{}" });
    const back = await admin.send("POST", `${CONFIGS}/${id}/rollback`, { version_id: 2 });
    expect((await back.json<{ warnings: string[] }>()).warnings).toEqual(said);
    const items = [{ config_id: id, default_version_id: 1 }];
    const batch = await admin.send("POST", "/api/v1/mgt/releases:batch", { items });
    expect((await batch.json<{ items: unknown[] }>()).items).toMatchObject([{ warnings: said }]);
  });

  it("rollback makes a default rule when every rule asks something of a label", async () => {
    const { id } = await create({ releases: [{ version_id: 1, when: [{ label: "a", op: "exists" }] }] });
    const back = await admin.send("POST", `${CONFIGS}/${id}/rollback`, { version_id: 1 });
    expect((await back.json<{ releases: unknown[] }>()).releases).toEqual([
      { labels: {}, version_id: 1, priority: 0, when: [{ label: "a", op: "exists", values: [] }] },
      { labels: {}, version_id: 1, priority: 0 },
    ]);
  });
});

describe("C12 repetition and preconditions", () => {
  it("answers the first result again, word for word, and writes once", async () => {
    const headers = { "x-idempotency-key": "key" };
    const first = await admin.send("POST", CONFIGS, newConfig(), headers);
    const again = await admin.send("POST", CONFIGS, newConfig(), headers);
    expect(first.headers.get("idempotency-replayed")).toBeNull();
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect([again.status, await again.json()]).toEqual([201, await first.json()]);
  });
  it("keeps callers, paths and methods apart, and stores no key in the clear", async () => {
    const { id } = await create();
    const headers = { "x-idempotency-key": "my-secret-key" };
    const path = `${CONFIGS}/${id}/versions`;
    const one = await admin.send("POST", path, { content: "1" }, headers);
    const other = await admin.send(
      "POST",
      path,
      { content: "1" },
      { ...headers, authorization: "Bearer writer" },
    );
    expect([one.status, other.status]).toEqual([201, 201]);
    expect((await other.json<{ version_id: number }>()).version_id).toBe(3);
    const { id: second } = await create({ name: "b" });
    expect(
      (await admin.send("POST", `${CONFIGS}/${second}/versions`, { content: "2" }, headers)).status,
    ).toBe(201);
    const rows = JSON.stringify([...admin.core.state.scan("", { limit: 1000 })]);
    expect(rows).not.toContain("my-secret-key");
  });
  it("takes the present ETag, one of several, and *; a repetition passes its own precondition", async () => {
    const { id, etag } = await create();
    const path = `${CONFIGS}/${id}/releases`;
    const rules = [{ version_id: 1 }];
    const headers = { "if-match": etag, "x-idempotency-key": "k" };
    const put = await admin.send("PUT", path, rules, headers);
    expect(put.status).toBe(200);
    const again = await admin.send("PUT", path, rules, headers);
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([200, "true"]);
    const present = put.headers.get("etag") ?? "";
    expect((await admin.send("PUT", path, rules, { "if-match": `"0", ${present}` })).status).toBe(200);
    expect((await admin.send("PUT", path, rules, { "if-match": "*" })).status).toBe(200);
  });
});

describe("lists and deletes", () => {
  it.each(["junk", "%00", "a/b", "a/b/c/d", "a/../c", "9".repeat(600)])(
    "C1 refuse a cursor that no page ends with: %s",
    async (cursor) => {
      const { id } = await create({ name: "a1" });
      for (const list of [
        `${CONFIGS}?tenant=demo`,
        `${CONFIGS}/${id}/versions?limit=1`,
        `${CONFIGS}/${id}/publishes?limit=1`,
        "/api/v1/mgt/change-requests?tenant=demo",
        "/api/v1/mgt/cluster/backups?limit=1",
      ]) {
        const { status, code, errors } = await readProblem(
          await admin.send("GET", `${list}&cursor=${cursor}`),
        );
        expect([list, status, code, errors?.[0]?.path]).toEqual([
          list,
          400,
          "validation_failed",
          "/query/cursor",
        ]);
      }
    },
  );

  it("pages through a tenant, by app, env and prefix", async () => {
    for (const name of ["a1", "a2", "b1"]) await create({ name });
    await create({ name: "a3", app: "other" });
    const names = async (query: string): Promise<unknown[]> => {
      const found: unknown[] = [];
      for (let cursor: string | null = ""; cursor !== null;) {
        const page: Record<string, unknown> = await get(
          `${CONFIGS}?limit=1&${query}${cursor && `&cursor=${cursor}`}`,
        );
        found.push(...(page["items"] as { name: string }[]).map((item) => item.name));
        cursor = page["next_cursor"] as string | null;
      }
      return found;
    };
    expect(await names("tenant=demo&app=shop")).toEqual(["a1", "a2", "b1"]);
    expect(await names("tenant=demo&app=shop&env=prod&name_prefix=a")).toEqual(["a1", "a2"]);
    expect(await names("tenant=demo")).toEqual(expect.arrayContaining(["a1", "a2", "a3", "b1"]));
    expect(await names("tenant=nobody")).toEqual([]);
    const reader = { authorization: "Bearer reader" };
    expect((await admin.send("GET", `${CONFIGS}?tenant=demo&app=shop`, undefined, reader)).status).toBe(200);
    expect((await admin.send("GET", `${CONFIGS}?tenant=demo&app=other`, undefined, reader)).status).toBe(403);
  });
  it("C10 deletes once, and frees the name", async () => {
    const { id, etag } = await create();
    const gone = await admin.send("DELETE", `${CONFIGS}/${id}`, undefined, {
      "if-match": etag,
      "content-type": "application/json",
    });
    expect(await gone.json()).toEqual({ id, index: expect.stringMatching(/^c1\.1\.\d+\./) });
    expect((await admin.send("GET", `${CONFIGS}/${id}`)).status).toBe(404);
    expect((await admin.send("DELETE", `${CONFIGS}/${id}`)).status).toBe(404);
    expect((await create()).id).not.toBe(id);
  });
  it("C12 a delete repeated under its key answers the first result, under another key 404", async () => {
    const { id } = await create();
    const key = { "x-idempotency-key": "delete once" };
    const first = await admin.send("DELETE", `${CONFIGS}/${id}`, undefined, key);
    const again = await admin.send("DELETE", `${CONFIGS}/${id}`, undefined, key);
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
    const other = await admin.send("DELETE", `${CONFIGS}/${id}`, undefined, {
      "x-idempotency-key": "another",
    });
    expect(other.status).toBe(404);
  });
  it("C12 R10 every write repeated after the config is gone answers its first result, to who may still do it", async () => {
    const { id } = await create({ release: true });
    const path = `${CONFIGS}/${id}`;
    const writes: [string, string, unknown][] = [
      ["POST", `${path}/versions`, { content: "{}", description: "two" }],
      ["PUT", `${path}/releases`, [{ version_id: 2 }]],
      ["POST", `${path}/rollback`, { version_id: 1 }],
    ];
    const sendAll = (headers: Record<string, string>): Promise<Response[]> =>
      Promise.all(writes.map(([method, at, body]) => admin.send(method, at, body, headers)));
    const firsts: Response[] = [];
    const key = { "x-idempotency-key": "k" };
    for (const [method, at, body] of writes) firsts.push(await admin.send(method, at, body, key));
    expect(firsts.map(({ status }) => status)).toEqual([201, 200, 200]);
    expect((await admin.send("DELETE", path)).status).toBe(200);
    const repeated = await sendAll(key);
    for (const [i, answer] of repeated.entries()) {
      expect([answer.status, answer.headers.get("idempotency-replayed")]).toEqual([
        firsts[i]?.status,
        "true",
      ]);
      expect(await answer.json()).toEqual(await firsts[i]?.json());
    }
    const statusOf = async (headers: Record<string, string>): Promise<number[]> =>
      (await sendAll(headers)).map(({ status }) => status);
    expect(await statusOf({})).toEqual([404, 404, 404]);
    expect(await statusOf({ "x-idempotency-key": "other" })).toEqual([404, 404, 404]);
    expect(await statusOf({ ...key, authorization: "Bearer stranger" })).toEqual([404, 404, 404]);
    expect(await statusOf({ ...key, authorization: "Bearer reader" })).toEqual([403, 403, 403]);
    const changed = await admin.send("POST", `${path}/versions`, { content: "[]" }, key);
    expect(changed.status).toBe(409);
  });
  it("shows the cluster to anyone who has signed in", async () => {
    expect(await get("/api/v1/mgt/cluster/status")).toEqual({
      cluster_id: "c1",
      epoch: 1,
      leader_id: 1,
      term: 1,
      nodes: [expect.objectContaining({ node_id: 1, role: "leader", healthy: true })],
    });
  });
});
