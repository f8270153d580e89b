import { afterAll, beforeAll, expect, test } from "vitest";
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
