import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { BundleApplied } from "../../contracts/bundle/bundle-schemas.ts";
import { GRANTS, newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const EXPORT = "/api/v1/mgt/export";
const APPLY = "/api/v1/mgt/apply";
const HEAD = { id: "team", tenant: "demo", app: "shop", env: "prod" };
const entry = (name: string, more: Record<string, unknown> = {}) => ({
  name,
  format: "json",
  content: '{"retries": 2}\n',
  releases: [{ version: "bundle" }],
  ...more,
});
const bundle = (...configs: Record<string, unknown>[]) => ({ bundle: HEAD, configs });

async function apply(
  { send }: TestingAdmin,
  body: unknown,
  query = "",
  headers: Record<string, string> = {},
): Promise<BundleApplied> {
  const response = await send("POST", APPLY + query, body, headers);
  expect([response.status, response.ok ? "" : await response.text()]).toEqual([200, ""]);
  return (await response.json()) as BundleApplied;
}
const actions = ({ items }: BundleApplied) => items.map(({ name, action }) => [name, action]);

describe("C13 POST /mgt/apply", () => {
  it("plans without writing, then does what was planned, and nothing the second time", async () => {
    const admin = testingAdmin();
    const body = bundle(
      entry("a"),
      entry("b", { content_base64: "AAE=", content: undefined, format: "binary" }),
    );
    const planned = await apply(admin, body, "?dry_run=true");
    expect(planned).toMatchObject({ dry_run: true, index: null, has_changes: true, bundle_id: "team" });
    expect(actions(planned)).toEqual([
      ["a", "create"],
      ["b", "create"],
    ]);
    expect((await admin.core.listConfigs({ tenant: "demo", limit: 9 })).items).toEqual([]);
    const applied = await apply(admin, body, `?if_plan=${planned.plan}`);
    expect(applied).toMatchObject({ dry_run: false, plan: planned.plan });
    expect(applied.index).toMatch(/^c1\.1\.\d+\./);
    const again = await apply(admin, body);
    expect(again.has_changes).toBe(false);
    const { items } = await admin.core.listConfigs({ tenant: "demo", limit: 9 });
    expect(items.map(({ name, latest_version_id: latest }) => [name, latest])).toEqual([
      ["a", 1],
      ["b", 1],
    ]);
    const stale = await admin.send("POST", `${APPLY}?if_plan=${planned.plan}`, body);
    expect([stale.status, (await readProblem(stale)).code]).toEqual([412, "precondition_failed"]);
  });

  it("repeats its first answer under one idempotency key", async () => {
    const admin = testingAdmin();
    const key = { "x-idempotency-key": "k" };
    const first = await apply(admin, bundle(entry("a")), "", key);
    expect(await apply(admin, bundle(entry("a")), "", key)).toEqual(first);
    const other = await admin.send("POST", APPLY, bundle(entry("b")), key);
    expect((await readProblem(other)).code).toBe("idempotency_conflict");
  });

  it("C12 takes the same bundle with other flags for another request, and never repeats an answer for it", async () => {
    const admin = testingAdmin();
    const key = { "x-idempotency-key": "k" };
    await apply(admin, bundle(entry("a"), entry("b")));
    const first = await apply(admin, bundle(entry("a")), "?force=true&adopt=true", key);
    expect(actions(first)).toContainEqual(["b", "orphan"]);
    const pruning = await admin.send("POST", `${APPLY}?prune=true`, bundle(entry("a")), key);
    expect((await readProblem(pruning)).code).toBe("idempotency_conflict");
    expect(await apply(admin, bundle(entry("a")), "?adopt=true&force=true", key)).toEqual(first);
  });

  it("C12 repeats it also when what it named is gone since, and writes nothing", async () => {
    const admin = testingAdmin();
    const made = await admin.send("POST", "/api/v1/mgt/configs", newConfig({ name: "b" }));
    const { id } = (await made.json()) as { id: string };
    await admin.send("POST", `/api/v1/mgt/configs/${id}/versions`, { content: '{"retries": 3}' });
    const key = { "x-idempotency-key": "k" };
    const body = bundle(entry("a"), entry("b", { releases: [{ version: 2 }] }));
    const first = await apply(admin, body, "?adopt=true", key);
    expect((await admin.send("DELETE", `/api/v1/mgt/configs/${id}`)).status).toBe(200);
    const { index } = await admin.core.status();
    expect(await apply(admin, body, "?adopt=true", key)).toEqual(first);
    const { entries } = await admin.core.feed({ after: index, limit: 9, wait_ms: 0, view: "full" });
    expect(entries).toEqual([]);
    // Without the key it is a new request, and what it names is not there.
    const anew = await readProblem(await admin.send("POST", `${APPLY}?adopt=true`, body));
    expect([anew.code, anew.errors[0]?.path]).toEqual(["validation_failed", "/configs/1/releases/0/version"]);
    const other = await admin.send("POST", APPLY, bundle(entry("b", { releases: [{ version: 7 }] })), key);
    expect((await readProblem(other)).code).toBe("idempotency_conflict");
  });

  it("R13 owns what it owned when a backup is restored, and knows what was changed by hand since", async () => {
    const admin = testingAdmin();
    const body = bundle(entry("a"), entry("b"));
    await apply(admin, body);
    const author = { actor: { type: "user" as const, id: "u", name: "ada" }, ip: "192.0.2.1" };
    const head = { ...author, trace_id: "a".repeat(32) };
    const { backup_id } = await admin.core.startBackup({ request_id: null, wait_ms: 0, head });
    await apply(admin, bundle(), "?prune=true");
    const restoring = { ...author, restore_id: "r", epoch_min: 0, force: false, wait_ms: 0 };
    await admin.core.startRestore({ ...restoring, backup_id: backup_id ?? "" });
    expect((await apply(admin, body)).items).toMatchObject([
      { action: "unchanged" },
      { action: "unchanged" },
    ]);
    const { items } = await admin.core.listConfigs({ tenant: "demo", limit: 9 });
    await admin.send("PUT", `/api/v1/mgt/configs/${items[0]?.id ?? ""}/releases`, []);
    const drifted = await apply(admin, body, "?dry_run=true");
    expect(drifted.items).toMatchObject([{ name: "a", drift: ["releases"] }, { action: "unchanged" }]);
  });

  it("says all that is wrong at once, by its path, and writes nothing of it", async () => {
    const admin = testingAdmin();
    const schema = { type: "object", required: ["a"] };
    const body = bundle(
      entry("ok"),
      entry("a", { content: "{" }),
      entry("b", { schema }),
      entry("c", { releases: [{ version: "bundle", when: [{ label: "x", op: "regex", values: ["("] }] }] }),
      entry("d", { versions: [{ name: "old", content: "[" }], releases: [{ version: "old" }] }),
    );
    const response = await admin.send("POST", APPLY, body);
    const problem = await readProblem(response);
    expect([response.status, problem.code]).toEqual([400, "validation_failed"]);
    expect(problem.errors.map(({ path }) => path)).toEqual([
      "/configs/1/content",
      expect.stringMatching(/^\/configs\/2\/content/) as string,
      "/configs/3/releases/0/when/0/values/0",
      "/configs/4/versions/0/content",
    ]);
    expect((await admin.core.listConfigs({ tenant: "demo", limit: 9 })).items).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, string]>([
    [
      "a config without an env",
      { bundle: { id: "t", tenant: "demo", app: "shop" }, configs: [entry("a")] },
      "/configs/0/env",
    ],
    ["a content twice", bundle(entry("a", { content_base64: "AA==" })), "/configs/0/content"],
    ["no content", bundle(entry("a", { content: undefined })), "/configs/0/content"],
    ["an unknown field", bundle(entry("a", { contents: 1 })), "/configs/0/contents"],
    [
      "a version number of nobody",
      bundle(entry("a", { releases: [{ version: 7 }] })),
      "/configs/0/releases/0/version",
    ],
    [
      "a content that is nowhere",
      bundle(entry("a", { content: undefined, content_hash: `sha256:${"0".repeat(64)}` })),
      "/configs/0/content_hash",
    ],
  ])("refuses %s", async (_name, body, path) => {
    const { send } = testingAdmin();
    const problem = await readProblem(await send("POST", APPLY, body));
    expect([problem.code, problem.errors[0]?.path]).toEqual(["validation_failed", path]);
  });

  it("asks for write, publish and delete on each config that it changes, and for read on all", async () => {
    const admin = testingAdmin();
    const as = (token: string) => ({ authorization: `Bearer ${token}` });
    const codeOf = async (token: string, body: unknown, query = "") =>
      (await readProblem(await admin.send("POST", APPLY + query, body, as(token)))).code;
    const quiet = bundle(entry("a", { releases: undefined }));
    expect(await codeOf("stranger", quiet, "?dry_run=true")).toBe("forbidden");
    expect(await codeOf("stranger", bundle(), "?dry_run=true")).toBe("forbidden");
    expect(await codeOf("reader", quiet, "?dry_run=true")).toBe("forbidden");
    await apply(admin, quiet, "", as("writer"));
    expect(await codeOf("writer", bundle(entry("a")))).toBe("forbidden");
    await apply(admin, quiet, "?dry_run=true", as("reader"));
    expect(await codeOf("writer", bundle(), "?prune=true")).toBe("forbidden");
    expect(admin.refusals.at(-1)).toMatchObject({ action: "delete", resource: "demo/shop/prod/a" });
    await apply(admin, bundle(), "?prune=true", as("tenant"));
    const nobody = await admin.send("POST", APPLY, quiet, { authorization: "" });
    expect(nobody.status).toBe(401);
  });

  it("plans anew when a config changes under it, and gives up after some times", async () => {
    const admin = testingAdmin();
    const real = admin.core.planBundle.bind(admin.core);
    let moves = 2;
    admin.core.planBundle = async (command) => {
      const planned = await real(command);
      if (moves-- > 0) await admin.send("POST", "/api/v1/mgt/configs", newConfig({ name: `hand${moves}` }));
      return planned;
    };
    const body = bundle(entry("a"), entry("hand0"), entry("hand1"));
    const response = await admin.send("POST", `${APPLY}?adopt=true&force=true`, body);
    expect(response.status).toBe(200);
    const answer = (await response.json()) as BundleApplied;
    expect(actions(answer)).toEqual([
      ["a", "create"],
      ["hand0", "update"],
      ["hand1", "update"],
    ]);
    moves = 3;
    admin.core.planBundle = async (command) => {
      const planned = await real(command);
      const name = `more${(moves -= 1)}`;
      await admin.send("POST", "/api/v1/mgt/configs", newConfig({ name }));
      return planned;
    };
    const more = bundle(...[0, 1, 2].map((i) => entry(`more${i}`)));
    const given = await admin.send("POST", `${APPLY}?adopt=true&force=true`, more);
    expect([given.status, moves]).toEqual([412, 0]);
  });

  it("refuses contents over the tenant's size, and configs over its number", async () => {
    const quotas = { maxConfigs: 1, maxConfigSizeBytes: 20, maxApiRequestsPerMinute: 100 };
    const { send } = testingAdmin({ quotasOf: async () => quotas });
    const large = await send("POST", APPLY, bundle(entry("a", { content: `"${"x".repeat(30)}"` })));
    const problem = await readProblem(large);
    expect([large.status, problem.errors[0]?.path]).toEqual([413, "/configs/0/content"]);
    const many = await send("POST", APPLY, bundle(entry("a"), entry("b")));
    expect((await readProblem(many)).code).toBe("quota_exceeded");
  });
});

describe("C14 POST /mgt/apply in a freeze", () => {
  const glass = { "x-conflux-break-glass": "the shop is down" };
  const freeze = {
    type: "absolute",
    name: "sale",
    namespaces: "demo/**",
    from: "2020-01-01T00:00:00Z",
    until: "2100-01-01T00:00:00Z",
  };

  it("C14 passes with a reason, which the audit has first, for who may approve all that is written", async () => {
    const admin = testingAdmin();
    const put = { approvals: [], freezes: [freeze] };
    expect((await admin.send("PUT", "/api/v1/mgt/change-rules?tenant=demo", put)).status).toBe(200);
    const body = bundle(entry("a", { releases: [{ version: "bundle" }] }));
    const frozen = await readProblem(await admin.send("POST", APPLY, body));
    expect(frozen.code).toBe("change_frozen");
    const dry = await apply(admin, body, "?dry_run=true");
    expect(dry.blocked).toEqual([{ code: "change_frozen", reason: frozen.detail }]);
    expect((await apply(admin, body, "?dry_run=true", glass)).blocked).toEqual([]);
    // What no client gets is not held.
    expect((await apply(admin, bundle(entry("a", { releases: [] })), "?dry_run=true")).blocked).toEqual([]);
    const may = (action: "read" | "write" | "publish") => ({ action, pattern: "demo/**" });
    GRANTS["releaser"] = [may("read"), may("write"), may("publish")];
    const releaser = { authorization: "Bearer releaser" };
    const denied = await admin.send("POST", APPLY, body, { ...releaser, ...glass });
    expect((await readProblem(denied)).code).toBe("forbidden");
    expect(await apply(admin, body, "", glass)).toMatchObject({ items: [{ action: "create" }] });
    const { entries } = await admin.core.feed({ after: 0, limit: 99, wait_ms: 0, view: "full" });
    expect(entries.at(-1)?.audit.summary).toMatch(
      /^BREAK GLASS through the freeze "sale" \(the shop is down\): applied bundle team/,
    );
  });
});

describe("C14 POST /mgt/apply where changes need approval", () => {
  it("C14 tells of it in a dry run, beside a freeze, and of nothing once it is applied", async () => {
    const admin = testingAdmin();
    const policy = { namespaces: "demo/*/prod", applies_to: ["releases"], approvals_required: 2 };
    const freeze = { type: "absolute", name: "sale", namespaces: "demo/**" };
    const times = { from: "2020-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z" };
    const put = (freezes: unknown[], approvals: unknown[]) =>
      admin.send("PUT", "/api/v1/mgt/change-rules?tenant=demo", { approvals, freezes });
    expect((await put([{ ...freeze, ...times }], [policy])).status).toBe(200);
    const dry = await apply(admin, bundle(entry("a")), "?dry_run=true");
    const needed = await readProblem(await admin.send("POST", APPLY, bundle(entry("a"))));
    expect(dry.blocked).toEqual([
      { code: "approval_required", reason: needed.detail },
      { code: "change_frozen", reason: expect.stringContaining("(sale)") as string },
    ]);
    expect((await put([], [])).status).toBe(200);
    expect((await apply(admin, bundle(entry("a")))).blocked).toEqual([]);
  });
});

describe("C13 GET /mgt/export", () => {
  it("gives a bundle that applies to what is there without a change, in JSON and in YAML, the same each time", async () => {
    const admin = testingAdmin();
    const schema = { type: "object" };
    const created = await admin.send(
      "POST",
      "/api/v1/mgt/configs",
      newConfig({ name: "b", schema, release: true }),
    );
    const { id } = (await created.json()) as { id: string };
    await admin.send("POST", `/api/v1/mgt/configs/${id}/versions`, {
      content: '{"retries": 3}',
      description: "",
    });
    await admin.send(
      "POST",
      "/api/v1/mgt/configs",
      newConfig({ name: "a", format: "text", content: "line 1\nline 2\n" }),
    );
    const response = await admin.send("GET", `${EXPORT}?tenant=demo&app=shop&env=prod&bundle=git`);
    const text = await response.text();
    expect(response.headers.get("content-type")).toContain("application/json");
    expect(JSON.parse(text)).toEqual({
      bundle: { id: "git", tenant: "demo", app: "shop", env: "prod" },
      configs: [
        { name: "a", format: "text", content: "line 1\nline 2\n", releases: [] },
        {
          name: "b",
          format: "json",
          schema,
          content: '{"retries": 3}',
          versions: [{ name: "v1", content: '{"retries": 2}' }],
          releases: [{ version: "v1" }],
        },
      ],
    });
    expect(await (await admin.send("GET", `${EXPORT}?tenant=demo&app=shop&env=prod&bundle=git`)).text()).toBe(
      text,
    );
    const yaml = await admin.send("GET", `${EXPORT}?tenant=demo&app=shop&env=prod&bundle=git`, undefined, {
      accept: "application/yaml",
    });
    const yamlText = await yaml.text();
    expect(yamlText).toContain("content: |\n      line 1\n      line 2\n");
    expect(parse(yamlText)).toEqual(JSON.parse(text));
    const conflict = await admin.send("POST", `${APPLY}?dry_run=true`, JSON.parse(text));
    const { items } = (await conflict.json()) as BundleApplied;
    expect(items.map(({ blocked }) => blocked?.code)).toEqual(["conflict", "conflict"]);
    const adopted = await apply(admin, JSON.parse(text), "?adopt=true");
    expect(adopted.items.map(({ changes }) => changes)).toEqual([["owner"], ["owner"]]);
    expect((await apply(admin, JSON.parse(text), "")).has_changes).toBe(false);
  });

  it("gives every text in YAML as it is, one of blanks and line ends, too", async () => {
    const admin = testingAdmin();
    const texts = ["  \n", " \n \n", "\n", " \t \n", " \n a\n", "a \r\n", "\u2028\n", "...\n---\n"];
    for (const [i, content] of texts.entries())
      await admin.send("POST", "/api/v1/mgt/configs", newConfig({ name: `t${i}`, format: "text", content }));
    const accept = { accept: "application/yaml" };
    const yaml = await (await admin.send("GET", `${EXPORT}?tenant=demo`, undefined, accept)).text();
    const { configs } = parse(yaml) as { configs: { content: string }[] };
    expect(configs.map(({ content }) => content)).toEqual(texts);
  });

  it("names app and env where the scope does not, and is for who may read all of it", async () => {
    const admin = testingAdmin();
    await admin.send("POST", "/api/v1/mgt/configs", newConfig());
    const all = (await (await admin.send("GET", `${EXPORT}?tenant=demo`)).json()) as { configs: object[] };
    expect(all).toMatchObject({
      bundle: { id: "demo", tenant: "demo" },
      configs: [{ app: "shop", env: "prod" }],
    });
    const forbidden = await admin.send("GET", `${EXPORT}?tenant=demo`, undefined, {
      authorization: "Bearer stranger",
    });
    expect(forbidden.status).toBe(403);
    expect((await admin.send("GET", EXPORT)).status).toBe(400);
  });
});
