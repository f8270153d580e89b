import { beforeEach, describe, expect, it } from "vitest";
import { bundleRule, testBundle, type TestEntry } from "../bundle/testing-bundles.ts";
import { planBundle } from "../bundle/plan-bundle.ts";
import { abilitiesNeeded } from "../command/command-kinds.ts";
import { parseCommand } from "../command/command-schema.ts";
import type { BatchItem, ChangeOperation, OperationOfSeveral } from "../command/command.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand, testConfigPayload, testRule } from "../command/testing-commands.ts";
import { sha256Hex } from "../sha256.ts";
import type { ChangeRequest, ChangeRequestHead } from "./change-request.ts";
import type { ApprovalPolicy, FreezeWindow } from "./change-rules.ts";
import { TestingChanges } from "./testing-changes.ts";

const ONE = new Uint8Array([1]);
const TWO = new Uint8Array([2]);
const POLICY: ApprovalPolicy = {
  namespaces: "demo/*/prod",
  approvals_required: 1,
  applies_to: ["releases", "publish", "delete", "versions"],
};
const FREEZE: FreezeWindow = {
  type: "absolute",
  name: "sale",
  namespaces: "demo/pay/**",
  from_ms: 2_000_000,
  until_ms: 3_000_000,
};
let t: TestingChanges;
/** Two configs of two apps that serve version 1. */
let a: string;
let b: string;

beforeEach(() => {
  t = new TestingChanges();
  [a, b] = ["shop", "pay"].map((app) => {
    const place = { namespace: { tenant: "demo", app, env: "prod" }, releases: [testRule(1)] };
    return t.done("create_config", testConfigPayload("c", sha256Hex(ONE), place)).config.id;
  }) as [string, string];
  t.done("set_change_rules", { approvals: [POLICY], freezes: [FREEZE] }, { by: "root" });
});

const item = (id: string, more: Partial<BatchItem> = {}): BatchItem => ({
  config_id: id,
  expected_revision: t.config(id).revision,
  content: { attachment: 0, sha256: sha256Hex(TWO) },
  schema: null,
  description: "two",
  releases: null,
  default_version_id: "new",
  ...more,
});
const batch = (items: BatchItem[] = [item(a), item(b)]): OperationOfSeveral => ({
  kind: "batch_releases",
  payload: { items, abort_plan: false },
});
function bundle(entries: TestEntry[], prune = false): { operation: OperationOfSeveral; bytes: Uint8Array[] } {
  const { command, attachments } = testBundle("web", entries, { prune, adopt: true });
  const planned = planBundle(t.state, "demo", command.payload);
  const if_plan = planned.ok ? planned.plan.digest : null;
  return {
    operation: { kind: "apply_bundle", payload: { ...command.payload, if_plan } },
    bytes: attachments,
  };
}
const asked = (operation: ChangeOperation) => ({
  config_id: null,
  config_revision: null,
  operation,
  description: "",
});
const ask = (operation = batch(), bytes: readonly Uint8Array[] = [TWO]): ChangeRequestHead =>
  t.done("request_change", asked(operation), {}, bytes).request;
const approve = ({ id, digest }: ChangeRequestHead, by = "bob"): string =>
  t.code("approve_change", { change_request_id: id, digest, comment: "" }, { by });
const execute = ({ id, digest }: ChangeRequestHead, more: { break_glass?: string } = {}): string =>
  t.code("execute_change", { change_request_id: id, digest }, more);
const served = (): number[] => [a, b].flatMap((id) => t.config(id).releases.map((rule) => rule.version_id));
const refsOf = (bytes: Uint8Array): unknown => t.state.json(stateKey.blobRefs("demo", sha256Hex(bytes)));
const stored = ({ id }: ChangeRequestHead): ChangeRequest =>
  t.state.json(stateKey.changeRequest(id)) as ChangeRequest;

describe("C7 C14 a batch as a change request", () => {
  it("is refused at once, approved as a whole by others than its author, and made at one index", () => {
    expect(t.code("batch_releases", batch().payload as never, {}, [TWO])).toBe("approval_required");
    const request = ask();
    expect(request).toMatchObject({ config_id: null, config_revision: null, name: "c" });
    expect(request.namespace).toEqual({ tenant: "demo", app: "*", env: "prod" });
    expect(stored(request).targets).toMatchObject([
      { app: "shop", config_id: a, action: "update", changes: ["content", "releases"] },
      { app: "pay", config_id: b },
    ]);
    expect([execute(request), approve(request, "ada"), served()]).toEqual([
      "approval_required",
      "forbidden",
      [1, 1],
    ]);
    expect([approve(request), execute(request), served()]).toEqual(["ok", "ok", [2, 2]]);
    const last = t.feed.at(-1);
    expect(last).toMatchObject({
      kind: "execute_change",
      events: [{ config_id: a }, { config_id: b }],
      audit: { action: "publish", resource: "demo/*/prod/c" },
    });
    expect(last?.audit.summary).toContain(`(change request ${request.id} of ada, digest ${request.digest}`);
    expect(t.state.json(stateKey.version(a, 2))).toMatchObject({ creator: "ada" });
    expect(execute(request)).toBe("invalid_transition");
  });

  it("holds its contents once while it is open, and lets go of them however it ends", () => {
    const request = ask();
    expect([refsOf(TWO), t.state.bytes(stateKey.blob("demo", sha256Hex(TWO)))]).toEqual([1, TWO]);
    const { revision } = t.config(a);
    const other = {
      ...asked(
        batch([
          item(a, { content: null, default_version_id: 1 }),
          item(b, { content: null, default_version_id: 1 }),
        ]),
      ),
    };
    t.done("edit_change", { ...other, change_request_id: request.id }, {}, []);
    expect([refsOf(TWO), t.config(a).revision]).toEqual([undefined, revision]);
    const again = ask();
    t.done("withdraw_change", { change_request_id: again.id, comment: "" });
    expect(refsOf(TWO)).toBeUndefined();
    const made = ask();
    approve(made);
    // Two versions of the same content.
    expect([execute(made), refsOf(TWO)]).toEqual(["ok", 2]);
  });

  it("any edit voids its approvals; it stays of several", () => {
    const request = ask();
    approve(request);
    const to = { change_request_id: request.id };
    const edited = t.done("edit_change", { ...to, ...asked(batch()) }, {}, [TWO]).request;
    expect(edited.approvals).toEqual([]);
    expect(execute(edited)).toBe("approval_required");
    const one = { kind: "rollback" as const, payload: { config_id: a, version_id: 1 } };
    const single = { config_id: a, config_revision: t.config(a).revision, operation: one, description: "" };
    expect(t.code("edit_change", { ...to, ...single })).toBe("validation_failed");
    const alone = t.done("edit_change", { ...to, ...asked(batch([item(a)])) }, {}, [TWO]).request;
    expect([alone.namespace.app, stored(alone).targets?.length]).toEqual(["shop", 1]);
  });

  it("one config that has changed since stands against all of it, and nothing is done", () => {
    const request = ask();
    approve(request);
    t.done("set_retention", { config_id: b, retention: { count: 5 } });
    const outcome = t.apply("execute_change", { change_request_id: request.id, digest: request.digest });
    expect(outcome).toMatchObject({
      ok: false,
      code: "precondition_failed",
      errors: [{ path: "/items/1" }],
    });
    expect([served(), stored(request).state, t.config(a).latest_version_id]).toEqual([[1, 1], "open", 1]);
  });

  it("a freeze of one of its namespaces that begins after the approval holds all of it", () => {
    const request = ask();
    approve(request);
    t.nowMs = FREEZE.type === "absolute" ? FREEZE.from_ms : 0;
    expect([execute(request), served()]).toEqual(["change_frozen", [1, 1]]);
    expect([execute(request, { break_glass: "down" }), served()]).toEqual(["ok", [2, 2]]);
    expect(t.feed.at(-1)?.audit.summary).toMatch(/^BREAK GLASS through the freeze "sale"/);
  });

  it("the strictest policy of all its namespaces holds, also one that is set later", () => {
    const request = ask();
    approve(request);
    const strict = { ...POLICY, namespaces: "demo/pay/prod", approvals_required: 2 };
    t.done("set_change_rules", { approvals: [POLICY, strict], freezes: [] }, { by: "root" });
    expect(execute(request)).toBe("approval_required");
    expect([approve(request, "cyd"), execute(request)]).toEqual(["ok", "ok"]);
  });

  it("is not asked for without revisions, of stale ones, of a config twice, or with a config beside it", () => {
    const code = (operation: ChangeOperation, more: object = {}): string =>
      t.code("request_change", { ...asked(operation), ...more }, {}, [TWO]);
    expect(code(batch([item(a, { expected_revision: null })]))).toBe("validation_failed");
    expect(code(batch([item(a, { expected_revision: 999 })]))).toBe("precondition_failed");
    expect(code(batch([item(a), item(a)]))).toBe("validation_failed");
    expect(code(batch([{ ...item(a), config_id: "cfg-none" }]))).toBe("not_found");
    expect(code(batch(), { config_id: a, config_revision: 1 })).toBe("validation_failed");
    expect(t.code("request_change", asked(batch()), {}, [])).toBe("validation_failed");
  });

  it("is proposed once every voter knows it, with all that its operation needs", () => {
    const needs = abilitiesNeeded(testCommand("request_change", asked(batch())));
    expect(needs).toEqual(expect.arrayContaining(["request_change", "change_of_several", "batch_releases"]));
    const sealed = {
      attachment: 0,
      sha256: sha256Hex(TWO),
      sealed: { key_id: "k", content_sha256: sha256Hex(ONE) },
    };
    const secret = testCommand("request_change", asked(batch([item(a, { content: sealed })])));
    expect(abilitiesNeeded(secret)).toContain("sealed_content");
    const one = { kind: "rollback" as const, payload: { config_id: a, version_id: 1 } };
    const single = { config_id: a, config_revision: 1, operation: one, description: "" };
    expect(abilitiesNeeded(testCommand("request_change", single))).not.toContain("change_of_several");
    const broken = { kind: "batch_releases", payload: { items: [{}], abort_plan: false } };
    const command = testCommand("request_change", asked(broken as unknown as ChangeOperation));
    const parsed = parseCommand(command);
    expect(parsed.ok ? [] : parsed.errors).toContainEqual({
      path: "/payload/operation/payload/items/0/config_id",
      message: expect.any(String) as string,
    });
  });
});

describe("C13 C14 a bundle as a change request", () => {
  const entry: TestEntry = { name: "c", content: "new", releases: [bundleRule("bundle")] };

  it("is approved as a plan of all its configs, and applied as that plan", () => {
    const { operation, bytes } = bundle([entry, { ...entry, name: "d" }]);
    const request = ask(operation, bytes);
    expect(stored(request).targets).toMatchObject([
      { name: "c", config_id: a, action: "update" },
      {
        name: "d",
        config_id: null,
        revision: null,
        action: "create",
        changes: ["content", "settings", "releases", "owner"],
      },
    ]);
    expect([execute(request), approve(request), execute(request)]).toEqual(["approval_required", "ok", "ok"]);
    expect(t.config(a)).toMatchObject({ latest_version_id: 2, bundle: { id: "web" } });
    expect(t.feed.at(-1)?.audit.summary).toMatch(/^applied bundle web: 1 created, 1 changed, 0 deleted/);
    const gone = bundle([entry], true);
    const deletion = ask(gone.operation, gone.bytes);
    expect(stored(deletion).targets).toMatchObject([
      { action: "unchanged" },
      { name: "d", action: "delete" },
    ]);
    expect([approve(deletion), execute(deletion)]).toEqual(["ok", "ok"]);
  });

  it("one config that has changed since stands against all of it, and nothing is done", () => {
    const { operation, bytes } = bundle([{ ...entry, name: "d" }, entry]);
    const request = ask(operation, bytes);
    approve(request);
    t.done("set_retention", { config_id: a, retention: { count: 5 } });
    expect([execute(request), t.config(a).latest_version_id]).toEqual(["precondition_failed", 1]);
    expect(t.state.json(stateKey.configByName("demo", "shop", "prod", "d"))).toBeUndefined();
    expect(stored(request).state).toBe("open");
  });

  it("one that changes nothing but who owns the configs needs nobody, and is told of", () => {
    const same: TestEntry = { name: "c", content: String.fromCharCode(1), format: t.config(a).format };
    const { operation, bytes } = bundle([{ ...same, description: t.config(a).description }]);
    const request = ask(operation, bytes);
    expect(stored(request).targets).toMatchObject([{ action: "update", changes: ["owner"] }]);
    expect(execute(request)).toBe("ok");
    expect(t.feed.at(-1)?.audit.summary).toContain(`(change request ${request.id} of ada`);
  });

  it("is not asked for without its plan, against what stands in its way, or when there is nothing to do", () => {
    const { operation, bytes } = bundle([entry]);
    const code = (payload: object): string =>
      t.code(
        "request_change",
        asked({ kind: "apply_bundle", payload: { ...operation.payload, ...payload } } as ChangeOperation),
        {},
        bytes,
      );
    expect(code({ if_plan: null })).toBe("precondition_failed");
    expect(code({ if_plan: "0".repeat(64) })).toBe("precondition_failed");
    const { command } = testBundle("web", [entry]);
    const planned = planBundle(t.state, "demo", command.payload);
    expect(code({ adopt: false, if_plan: planned.ok ? planned.plan.digest : null })).toBe("conflict");
    const nothing = bundle([]);
    expect(t.code("request_change", asked(nothing.operation), {}, [])).toBe("validation_failed");
  });
});
