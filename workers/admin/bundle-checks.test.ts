import { describe, expect, it } from "vitest";
import { ContentSealer } from "../../adapters/kms/content-sealer.ts";
import { MemoryKeyService } from "../../adapters/memory/memory-key-service.ts";
import { testBundle } from "../../domain/bundle/testing-bundles.ts";
import { sha256OfText } from "../../domain/sha256-of-text.ts";
import { newConfig, readProblem, testingAdmin } from "./testing-admin.ts";

const APPLY = "/api/v1/mgt/apply";
const CHANGES = "/api/v1/mgt/change-requests";
const CONFIGS = "/api/v1/mgt/configs";
const EXPORT = "/api/v1/mgt/export?tenant=demo";
const CONTENT = '{"retries": 2}';
const CONTENT_HASH = `sha256:${sha256OfText(CONTENT)}`;

const bundle = (...configs: Record<string, unknown>[]) => ({
  bundle: { id: "team", tenant: "demo", app: "shop", env: "prod" },
  configs,
});

describe("C3 C13 the schemas of a bundle", () => {
  it.each<[string, Record<string, unknown>, string]>([
    ["is no JSON", { schema: "no JSON" }, "/schema"],
    ["is of an unknown draft", { schema: { $schema: "urn:x" } }, "/schema/$schema"],
    ["has a misshapen keyword", { schema: { properties: { a: { type: 1 } } } }, "/schema/properties/a/type"],
    ["has a pattern without a bound", { schema: { pattern: "(?<!x)(a+)+$" } }, "/schema/pattern"],
    ["cannot apply to the format", { schema: {}, format: "text" }, "/schema"],
  ])("one that %s is refused, wherever the content comes from", async (_name, changes, path) => {
    const { send } = testingAdmin();
    const { id } = await (await send("POST", CONFIGS, newConfig())).json<{ id: string }>();
    const entry = { name: "app.json", format: "json", content_hash: CONTENT_HASH, ...changes };
    const written = { ...entry, content_hash: undefined, content: CONTENT };
    for (const [config, paths] of [
      [entry, [`/configs/0${path}`]],
      [written, [`/configs/0${path}`]],
    ] as const) {
      const problem = await readProblem(await send("POST", `${APPLY}?adopt=true`, bundle(config)));
      expect([problem.code, problem.errors.map((error) => error.path)]).toEqual(["validation_failed", paths]);
    }
    const operation = { type: "apply", apply: bundle(entry), adopt: true };
    const asked = await readProblem(await send("POST", CHANGES, { operation }));
    expect([asked.code, asked.errors[0]?.path]).toEqual([
      "validation_failed",
      expect.stringContaining(`/configs/0${path}`),
    ]);
    expect(await (await send("GET", `${CONFIGS}/${id}`)).json()).toMatchObject({ schema: null });
    expect((await send("GET", EXPORT)).status).toBe(200);
  });

  it("one at fault is told along with a content at fault, and one that can be used is taken", async () => {
    const { send } = testingAdmin();
    const entry = { name: "app.json", format: "json", content: "{", schema: "no JSON" };
    const problem = await readProblem(await send("POST", APPLY, bundle(entry)));
    expect(problem.errors.map(({ path }) => path)).toEqual(["/configs/0/schema", "/configs/0/content"]);
    await send("POST", CONFIGS, newConfig());
    const whole = { ...entry, content: undefined, content_hash: CONTENT_HASH, schema: '{"type": "object"}' };
    expect((await send("POST", `${APPLY}?adopt=true`, bundle(whole))).status).toBe(200);
    expect(await (await send("GET", EXPORT)).json()).toMatchObject({
      configs: [{ schema: '{"type": "object"}' }],
    });
  });

  it("one that was stored unchecked is read and exported as the text that it is", async () => {
    const { send, core } = testingAdmin();
    const { command, attachments } = testBundle("old", [
      { name: "a", format: "json", content: CONTENT, schema: "no JSON" },
    ]);
    await core.propose({ command, attachments });
    const { items } = await core.listConfigs({ tenant: "demo", limit: 9 });
    const config = await send("GET", `${CONFIGS}/${items[0]?.id ?? ""}`);
    expect([config.status, await config.json()]).toMatchObject([200, { schema: "no JSON" }]);
    const exported = await send("GET", EXPORT);
    expect([exported.status, await exported.json()]).toMatchObject([
      200,
      { configs: [{ schema: "no JSON" }] },
    ]);
  });
});

describe("K5 a content that a bundle sends for an encrypted config", () => {
  const SECRET = "password: *hunter2";

  it("is quoted neither in the answer, nor in the log, nor in the audit; its place is told", async () => {
    const keys = new MemoryKeyService(["alias/default"]);
    const admin = testingAdmin({ sealer: new ContentSealer({ keys, defaultKeyId: "alias/default" }) });
    const made = newConfig({ name: "a.yaml", format: "yaml", content: "a: 1", encrypt: true });
    expect((await admin.send("POST", CONFIGS, made)).status).toBe(201);
    const entry = { name: "a.yaml", format: "yaml", content: SECRET };
    const versions = [{ name: "old", content: SECRET }];
    const wrong = bundle({ ...entry, versions, releases: [{ version: "old" }] });
    const operation = { type: "apply", apply: wrong };
    for (const [path, body] of [
      [APPLY, wrong],
      [`${APPLY}?dry_run=true`, wrong],
      [CHANGES, { operation }],
    ] as const) {
      const problem = await readProblem(await admin.send("POST", path, body));
      expect(problem).toMatchObject({
        code: "validation_failed",
        errors: [
          { path: expect.stringMatching(/\/configs\/0\/content$/), line: 1, column: 11 },
          { path: expect.stringMatching(/\/configs\/0\/versions\/0\/content$/), line: 1, column: 11 },
        ],
      });
      expect(JSON.stringify(problem)).not.toContain("hunter2");
    }
    expect(JSON.stringify([admin.logs, admin.refusals])).not.toContain("hunter2");
  });
});
