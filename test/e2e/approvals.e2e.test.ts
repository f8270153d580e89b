import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../cli/run-cli.ts";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, type Answer, fetchConfig } from "../testing/stack-client.ts";

const NAME = "demo/approved/prod/app.json";
const OLD = '{"n":1}';
const NEW = '{"n":2}';
const PASSWORD = "correct horse battery";

let stack: Stack;
let id: string;
const tokens = new Map<string, string>();

/** A user who may do everything in the tenant's configs, and is not the admin. */
async function newUser(name: string, role: string): Promise<void> {
  const user = { tenant: "demo", username: name, password: PASSWORD, role_ids: [role] };
  await adminOk(stack, "POST", "/users", user);
  const login = await adminOk(stack, "POST", "/auth/login", { username: name, password: PASSWORD });
  tokens.set(name, String(login.json["access_token"]));
}
const as = (name: string, method: string, path: string, body?: unknown, headers = {}): Promise<Answer> =>
  admin(stack, method, path, body, { authorization: `Bearer ${tokens.get(name) ?? ""}`, ...headers });
const codeOf = ({ status, json }: Answer): string => (status < 300 ? "ok" : String(json["code"]));

beforeAll(async () => {
  stack = await startStack();
  const role = await adminOk(stack, "POST", "/roles", { tenant: "demo", name: "changers" });
  const roleId = String(role.json["id"]);
  for (const action of ["read", "write", "list", "publish", "approve"]) {
    const permission = { action, resource_pattern: "demo/**" };
    await adminOk(stack, "POST", `/roles/${roleId}/permissions`, permission);
  }
  for (const name of ["ada", "bob", "cyd"]) await newUser(name, roleId);
  const place = { tenant: "demo", app: "approved", env: "prod", name: "app.json", format: "json" };
  const created = await adminOk(stack, "POST", "/mgt/configs", { ...place, content: OLD, release: true });
  id = String(created.json["id"]);
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
});

async function rules(approvals: unknown[], freezes: unknown[]): Promise<void> {
  await adminOk(stack, "PUT", "/mgt/change-rules?tenant=demo", { approvals, freezes });
}
const PLAN = {
  version_id: 1,
  strategy: { type: "canary", canary_labels: { canary: "true" } },
  make_default_after_mins: 0.1,
};
async function startPlan(config: string): Promise<string> {
  const started = await adminOk(stack, "POST", `/mgt/configs/${config}/publish`, PLAN);
  return String(started.json["publish_id"]);
}
const statusOf = async (plan: string): Promise<unknown> =>
  (await adminOk(stack, "GET", `/mgt/publishes/${plan}`)).json["status"];
async function auditOf(text: string): Promise<Record<string, unknown>> {
  return until(async () => {
    const { json } = await adminOk(stack, "GET", "/audit-logs?tenant=demo&limit=200");
    const rows = json["items"] as Record<string, unknown>[];
    return rows.find((row) => String(row["summary"]).includes(text)) ?? false;
  }, `the audit says ${text}`);
}

test("C14 a change of a protected namespace reaches clients when two others have approved it, and not before", async () => {
  await rules([{ namespaces: "demo/approved/prod", approvals_required: 2 }], []);
  const publish = { content: NEW, description: "two", strategy: { type: "all" } };
  expect(codeOf(await as("ada", "POST", `/mgt/configs/${id}/publish`, publish))).toBe("approval_required");
  const asked = await as("ada", "POST", "/mgt/change-requests", {
    config_id: id,
    operation: { type: "publish", publish },
    description: "more",
  });
  const path = `/mgt/change-requests/${String(asked.json["id"])}`;
  const { digest } = asked.json;
  expect((await as("bob", "GET", `${path}/content`)).text).toBe(NEW);
  expect(codeOf(await as("ada", "POST", `${path}/approve`, { digest }))).toBe("forbidden");
  for (const name of ["bob", "cyd"]) {
    expect(codeOf(await as("ada", "POST", `${path}/execute`, { digest }))).toBe("approval_required");
    expect(codeOf(await as(name, "POST", `${path}/approve`, { digest, comment: "fine" }))).toBe("ok");
  }
  const both = await Promise.all(
    ["ada", "bob"].map((name) => as(name, "POST", `${path}/execute`, { digest })),
  );
  expect(both.map(codeOf).toSorted()).toEqual(["invalid_transition", "ok"]);
  const done = both.find(({ status }) => status === 200);
  const minIndex = String(done?.json["index"]);
  expect(await fetchConfig(stack, NAME, { minIndex })).toMatchObject({ status: 200, text: NEW });
  const row = await auditOf(
    `change request ${String(asked.json["id"])} of ada, digest ${String(digest)}, approved by bob, cyd`,
  );
  expect(row).toMatchObject({ action: "publish", resource: NAME });
});

test("C14 a freeze holds a plan that has baked until it is over; a reason passes it, loudly", async () => {
  const frozen = {
    type: "absolute",
    name: "sale",
    namespaces: "demo/approved/*",
    from: "2020-01-01T00:00:00Z",
    until: "2100-01-01T00:00:00Z",
  };
  await rules([], []);
  const place = { tenant: "demo", app: "free", env: "prod", name: "app.json", format: "json" };
  const free = await adminOk(stack, "POST", "/mgt/configs", { ...place, content: OLD, release: true });
  const held = await startPlan(id);
  await rules([], [frozen]);
  // Begun later, so that it is due later: when it is full, the other one has been due for a while.
  const other = await startPlan(String(free.json["id"]));
  await until(async () => (await statusOf(other)) === "full", "the plan that is free is full", 60_000);
  expect(await statusOf(held)).toBe("stage1");
  expect(codeOf(await as("ada", "POST", `/mgt/configs/${id}/rollback`, { version_id: 1 }))).toBe(
    "change_frozen",
  );
  const glass = { "x-conflux-break-glass": "the shop is down" };
  const passed = await as(
    "ada",
    "POST",
    `/mgt/configs/${id}/rollback?abort_plan=true`,
    { version_id: 2 },
    glass,
  );
  expect(codeOf(passed)).toBe("ok");
  const minIndex = String(passed.json["index"]);
  expect(await fetchConfig(stack, NAME, { minIndex })).toMatchObject({ status: 200, text: NEW });
  const row = await auditOf("BREAK GLASS");
  expect(row).toMatchObject({ resource: NAME, actor: { name: "ada" } });
  const again = await as("ada", "POST", `/mgt/configs/${id}/publish`, PLAN, glass);
  await rules([], []);
  const resumed = String(again.json["publish_id"]);
  await until(async () => (await statusOf(resumed)) === "full", "the plan goes on after the freeze", 60_000);
});

test("C7 C13 C14 a batch of two namespaces: who may approve one of them alone may not, and clients get both or neither", async () => {
  await rules([], []);
  const role = await adminOk(stack, "POST", "/roles", { tenant: "demo", name: "till approvers" });
  const roleId = String(role.json["id"]);
  for (const [action, resource_pattern] of [
    ["read", "demo/**"],
    ["approve", "demo/till/**"],
    ["publish", "demo/till/**"],
  ])
    await adminOk(stack, "POST", `/roles/${roleId}/permissions`, { action, resource_pattern });
  await newUser("dan", roleId);
  const place = { tenant: "demo", env: "prod", name: "batch.json", format: "json" };
  const ids: string[] = [];
  for (const app of ["approved", "till"]) {
    const made = await adminOk(stack, "POST", "/mgt/configs", { ...place, app, content: OLD, release: true });
    ids.push(String(made.json["id"]));
  }
  await rules([{ namespaces: "demo/*/prod", approvals_required: 1 }], []);
  const batch = { items: ids.map((config_id) => ({ config_id, content: NEW, default_version_id: "new" })) };
  expect(codeOf(await as("ada", "POST", "/mgt/releases:batch", batch))).toBe("approval_required");
  const asked = await as("ada", "POST", "/mgt/change-requests", { operation: { type: "batch", batch } });
  const path = `/mgt/change-requests/${String(asked.json["id"])}`;
  const { digest } = asked.json;
  expect(codeOf(await as("dan", "GET", path))).toBe("ok");
  expect(codeOf(await as("dan", "POST", `${path}/approve`, { digest }))).toBe("forbidden");
  expect(codeOf(await as("ada", "POST", `${path}/approve`, { digest }))).toBe("forbidden");
  expect(codeOf(await as("bob", "POST", `${path}/approve`, { digest }))).toBe("ok");
  expect(codeOf(await as("dan", "POST", `${path}/execute`, { digest }))).toBe("forbidden");
  const window = { from: "2020-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z" };
  const frozen = { type: "absolute", name: "till", namespaces: "demo/till/*", ...window };
  await rules([{ namespaces: "demo/*/prod", approvals_required: 1 }], [frozen]);
  const held = await as("ada", "POST", `${path}/execute`, { digest });
  expect(codeOf(held)).toBe("change_frozen");
  const names = ["approved", "till"].map((app) => `demo/${app}/prod/batch.json`);
  for (const name of names) expect(await fetchConfig(stack, name)).toMatchObject({ status: 200, text: OLD });
  await rules([{ namespaces: "demo/*/prod", approvals_required: 1 }], []);
  const key = { "x-idempotency-key": "batch once" };
  const done = await as("ada", "POST", `${path}/execute`, { digest }, key);
  const again = await as("ada", "POST", `${path}/execute`, { digest }, key);
  expect([codeOf(done), again.json["index"]]).toEqual(["ok", done.json["index"]]);
  const minIndex = String(done.json["index"]);
  for (const name of names)
    expect(await fetchConfig(stack, name, { minIndex })).toMatchObject({ status: 200, text: NEW });
  const row = await auditOf(`change request ${String(asked.json["id"])} of ada`);
  expect(row).toMatchObject({ action: "publish", resource: "demo/*/prod/batch.json" });
});

test("C13 C14 K5 conflux apply: others approve the plan, a reason passes a freeze, and no answer has a secret", async () => {
  const cwd = mkdtempSync(join(tmpdir(), "conflux-approvals-"));
  const secret = "planted-in-a-bundle";
  const place = { tenant: "demo", app: "approved", env: "prod", format: "json" };
  await rules([], []);
  const made = { ...place, name: "secret.json", content: `{"p":"${secret}"}`, encrypt: true, release: true };
  const created = await adminOk(stack, "POST", "/mgt/configs", made);
  await rules([{ namespaces: "demo/*/prod", approvals_required: 1 }], []);
  const entry = { name: "web.json", format: "json", content: NEW, releases: [{ version: "bundle" }] };
  const { tenant, app, env } = place;
  const write = (content: string): void => {
    const bundle = { bundle: { id: "web", tenant, app, env }, configs: [{ ...entry, content }] };
    writeFileSync(join(cwd, "web.json"), JSON.stringify(bundle));
  };
  write(NEW);
  const texts: string[] = [];
  const conflux = async (...args: string[]): Promise<number> =>
    runCli(args, {
      env: { CONFLUX_ADMIN_URL: stack.dev.admin_url, CONFLUX_TOKEN: tokens.get("ada") ?? "" },
      cwd,
      isTerminal: false,
      out: (text) => texts.push(text),
      err: (text) => texts.push(text),
      fetch,
    });
  expect(await conflux("apply", "web.json")).toBe(1);
  expect(texts.join("\n")).toContain("--request-change asks others");
  expect(await conflux("apply", "web.json", "--request-change", "--description", "web", "--json")).toBe(0);
  const asked = JSON.parse(texts.at(-1) ?? "") as { id: string; digest: string };
  const path = `/mgt/change-requests/${asked.id}`;
  const { digest } = asked;
  expect(codeOf(await as("bob", "POST", `${path}/approve`, { digest }))).toBe("ok");
  const done = await as("ada", "POST", `${path}/execute`, { digest });
  expect(codeOf(done)).toBe("ok");
  const minIndex = String(done.json["index"]);
  const web = "demo/approved/prod/web.json";
  expect(await fetchConfig(stack, web, { minIndex })).toMatchObject({ text: NEW });
  const window = { from: "2020-01-01T00:00:00Z", until: "2100-01-01T00:00:00Z" };
  await rules([], [{ type: "absolute", name: "night", namespaces: "demo/approved/*", ...window }]);
  write(OLD);
  expect(await conflux("apply", "web.json")).toBe(1);
  expect(texts.at(-1)).toMatch(/change_frozen[^]*--break-glass REASON passes/);
  expect(await conflux("apply", "web.json", "--break-glass", "web is down", "--json")).toBe(0);
  const passed = JSON.parse(texts.at(-1) ?? "") as { index: string };
  expect(await fetchConfig(stack, web, { minIndex: passed.index })).toMatchObject({ text: OLD });
  const row = await auditOf('BREAK GLASS through the freeze "night" (web is down): ');
  expect(row).toMatchObject({ actor: { name: "ada" } });
  await rules([{ namespaces: "demo/*/prod", approvals_required: 1 }], []);
  const items = [{ config_id: created.json["id"], content: `{"p":"${secret}2"}`, default_version_id: "new" }];
  const batch = await as("ada", "POST", "/mgt/change-requests", {
    operation: { type: "batch", batch: { items } },
  });
  const of = `/mgt/change-requests/${String(batch.json["id"])}`;
  texts.push(batch.text, (await as("bob", "GET", of)).text, (await as("bob", "GET", `${of}/content`)).text);
  const to = { digest: batch.json["digest"] };
  for (const [who, step] of [
    ["bob", "approve"],
    ["ada", "execute"],
  ] as const)
    texts.push((await as(who, "POST", `${of}/${step}`, to)).text);
  const version = await adminOk(stack, "GET", `/mgt/configs/${String(created.json["id"])}/versions/2`);
  expect(version.json).toMatchObject({ encrypted: true, creator: "ada" });
  expect(texts.filter((text) => text.includes(secret))).toEqual([]);
  rmSync(cwd, { recursive: true });
});
