import { beforeEach, describe, expect, it } from "vitest";
import { ContentSealer } from "../../adapters/kms/content-sealer.ts";
import type { KeyService } from "../../adapters/kms/key-service.ts";
import { openContent } from "../../adapters/kms/testing/open-content.ts";
import { MemoryKeyService } from "../../adapters/memory/memory-key-service.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { withoutQuotes } from "./encryption-keys.ts";
import { newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";
const REWRAP = "/api/v1/mgt/encryption/rewrap";
const ENVELOPE = "application/vnd.conflux.envelope+json";
const keys = new MemoryKeyService(["alias/default", "alias/shop", "alias/new"]);
const sealer = new ContentSealer({ keys, defaultKeyId: "alias/default" });

let admin: TestingAdmin;
let applications: Record<string, string>;
beforeEach(() => {
  applications = {};
  admin = testingAdmin({ sealer, applicationKeys: async () => applications });
});

interface Written {
  id: string;
  etag: string;
  index: string;
  encrypted: boolean;
}
async function create(changes: Record<string, unknown> = {}): Promise<Written> {
  const answer = await admin.send("POST", CONFIGS, newConfig({ encrypt: true, ...changes }));
  expect(answer.status).toBe(201);
  return await answer.json<Written>();
}
const get = async (path: string) => (await admin.send("GET", path)).json<Record<string, unknown>>();
const keyOf = async (id: string, version = 1) =>
  (await get(`${CONFIGS}/${id}/versions/${version}`))["key_id"];

describe("K1 encrypt: true", () => {
  it("the content goes to the core to be sealed, and comes back as an envelope and never as anything else", async () => {
    const config = await create({ content: '{"password":"hunter2"}' });
    expect(config.encrypted).toBe(true);
    const content = await admin.send("GET", `${CONFIGS}/${config.id}/versions/1/content`);
    expect(content.headers.get("content-type")).toBe(ENVELOPE);
    const body = await content.text();
    expect(body).not.toContain("hunter2");
    expect(await openContent(keys, body)).toBe('{"password":"hunter2"}');
    const shown = await Promise.all(
      [`${CONFIGS}?tenant=demo`, `${CONFIGS}/${config.id}`, `${CONFIGS}/${config.id}/versions`].map(get),
    );
    expect(shown).toMatchObject([
      { items: [{ encrypted: true }] },
      { encrypted: true },
      { items: [{ encrypted: true }] },
    ]);
    expect(JSON.stringify(shown)).not.toContain("hunter2");
  });

  it("the application's own key is used, and the core's default one where it has none", async () => {
    const { id: first } = await create({ name: "a" });
    applications = { shop: "alias/shop" };
    const { id: second } = await create({ name: "b" });
    await admin.send("POST", `${CONFIGS}/${first}/versions`, { content: "{}" });
    await admin.send("POST", `${CONFIGS}/${first}/publish`, { content: "[]", strategy: { type: "all" } });
    expect(await keyOf(first, 1)).toBe("alias/default");
    expect([await keyOf(second), await keyOf(first, 2), await keyOf(first, 3)]).toEqual(
      Array.from({ length: 3 }, () => "alias/shop"),
    );
  });

  it("an application may be called like something that every object has", async () => {
    const { id } = await create({ app: "constructor" });
    applications = { constructor: "alias/shop" };
    await admin.send("POST", `${CONFIGS}/${id}/versions`, { content: "{}" });
    expect([await keyOf(id, 1), await keyOf(id, 2)]).toEqual(["alias/default", "alias/shop"]);
  });

  it("content_hash covers the ciphertext: the same content again has another, and is not the content's", async () => {
    const { id } = await create();
    await admin.send("POST", `${CONFIGS}/${id}/versions`, { content: '{"retries": 2}' });
    const hashes = await Promise.all(
      [1, 2].map(async (v) => (await get(`${CONFIGS}/${id}/versions/${v}`))["content_hash"]),
    );
    expect(hashes[0]).not.toBe(hashes[1]);
    const { id: open } = await create({ name: "open", encrypt: false });
    expect(hashes).not.toContain((await get(`${CONFIGS}/${open}/versions/1`))["content_hash"]);
  });

  it("K1 K5 a batch seals its content and quotes none; a dry run says who would get it, and a plan brings it", async () => {
    const { id } = await create();
    const batch = async (item: Record<string, unknown>) =>
      admin.send("POST", "/api/v1/mgt/releases:batch", { items: [{ config_id: id, ...item }] });
    const refused = await (await batch({ content: "{hunter2", default_version_id: "new" })).text();
    expect(refused).toContain("/items/0/content");
    expect(refused).not.toContain("hunter2");
    const made = await batch({ content: '{"password":"hunter2"}', default_version_id: "new" });
    expect([made.status, await made.json()]).toMatchObject([
      200,
      { items: [{ version: { encrypted: true } }] },
    ]);
    expect(await keyOf(id, 2)).toBe(await keyOf(id, 1));
    const stages = [
      { name: "a", regions: ["cn-chengdu"] },
      { name: "b", regions: ["us-east-1"] },
    ];
    const body = { content: '{"password":"hunter2"}', strategy: { type: "staged", stages } };
    const dry = await admin.send("POST", `${CONFIGS}/${id}/publish?dry_run=true`, body);
    expect([dry.status, await dry.json()]).toMatchObject([200, { version_id: 3, steps: { length: 4 } }]);
    const begun = await admin.send("POST", `${CONFIGS}/${id}/publish`, body);
    expect(begun.status).toBe(202);
    expect(await keyOf(id, 3)).toBe(await keyOf(id, 1));
  });

  it("a config that is not encrypted says so, and has no key", async () => {
    const { id } = await create({ encrypt: false });
    expect(await get(`${CONFIGS}/${id}/versions/1`)).toMatchObject({ encrypted: false, key_id: null });
  });
});

describe("K5 refusals", () => {
  it("content is checked before it is sealed: version and publish too, by the schema of the config", async () => {
    const schema = { type: "object", properties: { port: { type: "integer" } } };
    const { id } = await create({ content: '{"port":1}', schema });
    const bad = { content: '{"port":"hunter2"}' };
    for (const [path, body] of [
      [CONFIGS, newConfig({ name: "b", encrypt: true, schema, ...bad })],
      [`${CONFIGS}/${id}/versions`, bad],
      [`${CONFIGS}/${id}/publish`, { ...bad, strategy: { type: "all" } }],
    ] as const) {
      const answer = await admin.send("POST", path, body);
      expect(await readProblem(answer)).toMatchObject({
        code: "validation_failed",
        errors: [{ path: "/content/port" }],
      });
    }
    expect(JSON.stringify(admin.logs)).not.toContain("hunter2");
  });

  it("what a parser says of a content is left out, since it may quote it; the place is told", async () => {
    const { id } = await create({ format: "yaml", content: "a: 1", name: "a.yaml" });
    const bad = { content: "password: *hunter2" };
    const operation = { type: "version", version: bad };
    for (const [path, body] of [
      [CONFIGS, newConfig({ name: "b", encrypt: true, format: "yaml", ...bad })],
      [`${CONFIGS}/${id}/versions`, bad],
      [`${CONFIGS}/${id}/publish`, { ...bad, strategy: { type: "all" } }],
      ["/api/v1/mgt/releases:batch", { items: [{ config_id: id, ...bad, default_version_id: "new" }] }],
      ["/api/v1/mgt/change-requests", { config_id: id, operation }],
    ] as const) {
      const problem = await readProblem(await admin.send("POST", path, body));
      expect(problem).toMatchObject({ code: "validation_failed", errors: [{ line: 1, column: 11 }] });
      expect(JSON.stringify(problem)).not.toContain("hunter2");
    }
  });

  it("the audit of a refusal names neither what stands in a content nor its keys", async () => {
    const schema = { type: "object", additionalProperties: false };
    const body = newConfig({ encrypt: true, schema, content: '{"hunter2":"hunter3"}' });
    expect((await admin.send("POST", CONFIGS, body)).status).toBe(400);
    expect(admin.refusals.map(({ summary }) => summary)).toEqual([
      expect.stringMatching(/400 validation_failed at \/content$/),
    ]);
    expect(JSON.stringify(admin.refusals)).not.toContain("hunter");
  });

  it("what fails in the validation of a secret is told without a word of it", async () => {
    const broken = () => {
      throw new SyntaxError('Unexpected token in "hunter2"');
    };
    const error = (await withoutQuotes(true, broken).catch((caught: unknown) => caught)) as Error;
    expect([String(error.stack), error.cause]).toEqual([expect.not.stringContaining("hunter2"), undefined]);
    await expect(withoutQuotes(false, broken)).rejects.toThrow("hunter2");
    const refusal = new ConfluxError("validation_failed", "x");
    await expect(withoutQuotes(true, () => Promise.reject(refusal))).rejects.toBe(refusal);
  });

  it("a key that cannot be one is a conflict; keys that cannot be read are unavailable; nothing is made", async () => {
    applications = { shop: "not a key id" };
    const wrong = await admin.send("POST", CONFIGS, newConfig({ encrypt: true }));
    expect(await readProblem(wrong)).toMatchObject({ code: "conflict", status: 409 });
    const blind = testingAdmin({
      sealer,
      applicationKeys: () => Promise.reject(new ConfluxError("unavailable", "the database is away")),
    });
    const away = await blind.send("POST", CONFIGS, newConfig({ encrypt: true }));
    expect(away.status).toBe(503);
    expect((await blind.send("POST", CONFIGS, newConfig())).status).toBe(201);
  });

  it("a key service that is away is 503 with Retry-After", async () => {
    const away: KeyService = {
      generateDataKey: () => Promise.reject(new ConfluxError("unavailable", "away")),
      rewrapDataKey: () => Promise.reject(new ConfluxError("unavailable", "away")),
      decryptDataKey: () => Promise.reject(new ConfluxError("unavailable", "away")),
    };
    const other = testingAdmin({ sealer: new ContentSealer({ keys: away, defaultKeyId: "alias/a" }) });
    const answer = await other.send("POST", CONFIGS, newConfig({ encrypt: true }));
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await readProblem(answer)).toMatchObject({ code: "key_service_unavailable" });
  });

  it("C12 a repetition is replayed, after the config is gone too, and its content goes nowhere", async () => {
    const { id } = await create();
    const headers = { "x-idempotency-key": "k1" };
    const add = () => admin.send("POST", `${CONFIGS}/${id}/versions`, { content: '{"a":1}' }, headers);
    const first = await (await add()).json<Record<string, unknown>>();
    await admin.send("DELETE", `${CONFIGS}/${id}`);
    const again = await add();
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    expect(await again.json()).toMatchObject({
      version_id: first["version_id"],
      content_hash: first["content_hash"],
    });
    const other = await admin.send(
      "POST",
      `${CONFIGS}/${id}/versions`,
      { content: "{}" },
      { "x-idempotency-key": "k2" },
    );
    expect(other.status).toBe(404);
  });
});

describe("K3 POST /mgt/encryption/rewrap", () => {
  it("moves a scope to the applications' present keys; version and hash stay, ETag and index change", async () => {
    const config = await create();
    const before = await get(`${CONFIGS}/${config.id}/versions/1`);
    applications = { shop: "alias/new" };
    const answer = await admin.send("POST", REWRAP, { tenant: "demo", app: "shop" });
    const body = await answer.json<Record<string, unknown>>();
    expect(body).toMatchObject({
      rewrapped: 1,
      resume_cursor: null,
      index: expect.stringMatching(/^c1\.1\.\d+\./),
    });
    const after = await get(`${CONFIGS}/${config.id}/versions/1`);
    expect(after).toEqual({ ...before, key_id: "alias/new", content_bytes: after["content_bytes"] });
    expect((await get(`${CONFIGS}/${config.id}`))["etag"]).not.toBe(config.etag);
  });

  it("A4 needs write on all that it names, and says what is wrong with a scope", async () => {
    const as = (name: string, body: object) =>
      admin.send("POST", REWRAP, body, { authorization: `Bearer ${name}` });
    expect((await as("writer", { tenant: "demo" })).status).toBe(200);
    expect((await as("reader", { tenant: "demo" })).status).toBe(403);
    expect((await as("stranger", { tenant: "demo" })).status).toBe(403);
    for (const [body, path] of [
      [{}, "/tenant"],
      [{ tenant: "demo", env: "prod" }, "/env"],
      [{ tenant: "demo", app: "shop", name: "a" }, "/name"],
      [{ tenant: "demo", cursor: "x" }, "/cursor"],
      [{ tenant: "demo", more: 1 }, "/more"],
    ] as const) {
      const problem = await readProblem(await as("admin", body));
      expect(problem).toMatchObject({ code: "validation_failed", errors: [{ path }] });
    }
  });
});
