// Over 300 lines of one feature's commands over one setup: each case is short.
import { beforeEach, describe, expect, it } from "vitest";
import { checkInvariants } from "../command/check-invariants.ts";
import { testConfigPayload, testRule } from "../command/testing-commands.ts";
import type { Config } from "../config/config.ts";
import { CHANGE_REQUEST_TTL_MS, CHANGE_REQUESTS_KEPT_MAX, CHANGE_REQUESTS_OPEN_MAX } from "../limits.ts";
import { publishIdOf } from "../publish/publish-plan.ts";
import { sha256Hex } from "../sha256.ts";
import { canonicalJson } from "../canonical-json.ts";
import type { ChangeRequestHead } from "./change-request.ts";
import type { ChangeOperation } from "../command/command.ts";
import type { ApprovalPolicy, FreezeWindow } from "./change-rules.ts";
import { TestingChanges } from "./testing-changes.ts";

const ONE = new Uint8Array([1]);
const TWO = new Uint8Array([2]);
const POLICY: ApprovalPolicy = {
  namespaces: "demo/*/prod",
  approvals_required: 2,
  applies_to: ["releases", "publish", "delete", "versions"],
};
let t: TestingChanges;
let config: Config;

beforeEach(() => {
  t = new TestingChanges();
  const created = t.done(
    "create_config",
    testConfigPayload("a", sha256Hex(ONE), { releases: [testRule(1)] }),
  );
  t.done("create_version", {
    config_id: created.config.id,
    content: { attachment: 0, sha256: sha256Hex(ONE) },
    format: null,
    schema: null,
    description: "",
  });
  config = t.config(created.config.id);
});

const rules = (approvals: ApprovalPolicy[], freezes: FreezeWindow[] = []): void => {
  t.done("set_change_rules", { approvals, freezes }, { by: "root" });
};
const put = (version = 2): ChangeOperation => ({
  kind: "put_releases",
  payload: { config_id: config.id, releases: [testRule(version)] },
});
const publish = (bytes: Uint8Array): ChangeOperation => ({
  kind: "start_publish",
  payload: {
    config_id: config.id,
    content: { attachment: 0, sha256: sha256Hex(bytes) },
    version_id: null,
    description: "two",
    strategy: "all",
    stages: [],
  },
});
function ask(operation: ChangeOperation = put(), bytes = TWO): ChangeRequestHead {
  const { revision } = t.config(config.id);
  const asked = { config_id: config.id, config_revision: revision, operation, description: "" };
  return t.done("request_change", asked, {}, [bytes]).request;
}
const approve = ({ id, digest }: ChangeRequestHead, by: string): string =>
  t.code("approve_change", { change_request_id: id, digest, comment: "fine" }, { by });
const execute = (
  { id, digest }: ChangeRequestHead,
  more: { by?: string; break_glass?: string } = {},
): string => t.code("execute_change", { change_request_id: id, digest }, more);
const served = (): number[] => t.config(config.id).releases.map((rule) => rule.version_id);

describe("C14 approvals", () => {
  it("a protected namespace refuses every direct change of what clients get", () => {
    const other = t.done("create_config", testConfigPayload("b", sha256Hex(ONE))).config.id;
    const planned = t.done("start_publish", {
      config_id: other,
      content: null,
      version_id: 1,
      description: "",
      strategy: "staged",
      stages: [{ name: "s", regions: null, labels: { a: "b" }, bake_minutes: 1 }],
    }).publish.id;
    rules([POLICY]);
    const config_id = config.id;
    const direct = [
      t.code("put_releases", { config_id, releases: [] }),
      t.code("put_releases", { config_id, releases: [], abort_plan: true }),
      t.code("rollback", { config_id, version_id: 1 }),
      t.code("delete_config", { config_id }),
      t.code("create_version", {
        config_id,
        content: { attachment: 0, sha256: sha256Hex(ONE) },
        format: null,
        schema: null,
        description: "",
      }),
      t.code("create_config", testConfigPayload("c", sha256Hex(ONE), { releases: [testRule(1)] })),
      t.code("advance_publish", { publish_id: planned, expected_stage: 1, cause: "by_hand" }),
    ];
    expect(new Set(direct)).toEqual(new Set(["approval_required"]));
    expect(t.code("create_config", testConfigPayload("d", sha256Hex(ONE)))).toBe("ok");
    expect(t.code("abort_publish", { publish_id: planned })).toBe("ok");
    expect(served()).toEqual([1]);
  });

  it("is executed once with enough approvals, and says in the audit who stood for what", () => {
    rules([POLICY]);
    const request = ask();
    expect(execute(request)).toBe("approval_required");
    expect([approve(request, "ada"), approve(request, "bob"), approve(request, "bob")]).toEqual([
      "forbidden",
      "ok",
      "already_exists",
    ]);
    expect(execute(request)).toBe("approval_required");
    expect(approve(request, "cyd")).toBe("ok");
    expect([served(), execute(request, { by: "dan" }), served()]).toEqual([[1], "ok", [2]]);
    expect(execute(request)).toBe("invalid_transition");
    expect(t.feed.at(-1)).toMatchObject({
      kind: "execute_change",
      events: [{ type: "config_changed", releases: [testRule(2)] }],
      audit: {
        actor: { name: "dan" },
        action: "publish",
        resource: "demo/shop/prod/a",
        summary: expect.stringMatching(
          `${request.id} of ada, digest ${request.digest}, approved by bob, cyd`,
        ) as string,
      },
    });
    expect(t.feed.at(-2)?.audit).toMatchObject({ action: "approve", actor: { name: "cyd" } });
  });

  it("any edit voids all approvals, also one that changes nothing", () => {
    rules([POLICY]);
    const request = ask();
    for (const by of ["bob", "cyd"]) approve(request, by);
    const { revision } = t.config(config.id);
    const same = { config_id: config.id, config_revision: revision, operation: put(), description: "" };
    const to = { change_request_id: request.id, ...same };
    expect(t.code("edit_change", to, { by: "bob" })).toBe("conflict");
    const edited = t.done("edit_change", to).request;
    expect([edited.digest, edited.approvals]).toEqual([request.digest, []]);
    expect(execute(edited)).toBe("approval_required");
    const other = t.done("edit_change", { ...to, operation: put(1) }).request;
    expect(other.digest).not.toBe(request.digest);
    expect([approve(request, "bob"), execute(request)]).toEqual([
      "precondition_failed",
      "precondition_failed",
    ]);
    expect([approve(other, "bob"), approve(other, "cyd"), execute(other), served()]).toEqual([
      "ok",
      "ok",
      "ok",
      [1],
    ]);
  });

  it("a config that has changed since is not changed, until the request is edited for it", () => {
    const request = ask();
    t.done("rollback", { config_id: config.id, version_id: 1 });
    expect([execute(request), served()]).toEqual(["precondition_failed", [1]]);
    const stale = {
      config_id: config.id,
      config_revision: config.revision,
      operation: put(),
      description: "",
    };
    expect(t.code("request_change", stale)).toBe("precondition_failed");
  });

  it("holds the content of what is asked for, and lets go of it at the end, however it ends", () => {
    rules([POLICY]);
    const blob = `b/demo/${sha256Hex(TWO)}`;
    const withdrawn = ask(publish(TWO));
    expect(t.state.hasKey(blob)).toBe(true);
    t.done("withdraw_change", { change_request_id: withdrawn.id, comment: "" });
    expect(t.state.hasKey(blob)).toBe(false);
    const [first, second] = [ask(publish(TWO)), ask(publish(TWO))];
    for (const by of ["bob", "cyd"]) approve(first, by);
    expect([execute(first), served()]).toEqual(["ok", [3]]);
    expect(t.state.bytes(blob)).toEqual(TWO);
    t.done("reject_change", { change_request_id: second.id, comment: "" }, { by: "bob" });
    expect(t.state.bytes(blob)).toEqual(TWO);
    const version = t.state.json(`v/${config.id}/0000000000000003`);
    expect(version).toMatchObject({ creator: "ada", content_bytes: 1, sha256: sha256Hex(TWO) });
  });

  it("an approved plan goes on by itself, and the tenth approval of another plan does not help", () => {
    rules([POLICY]);
    const staged: ChangeOperation = {
      kind: "start_publish",
      payload: {
        config_id: config.id,
        content: null,
        version_id: 2,
        description: "",
        strategy: "staged",
        stages: [{ name: "s", regions: null, labels: { a: "b" }, bake_minutes: 1 }],
      },
    };
    const request = ask(staged);
    for (const by of ["bob", "cyd"]) approve(request, by);
    expect(execute(request)).toBe("ok");
    const publish_id = publishIdOf(config.id, t.index);
    t.nowMs += 60_000;
    const advance = { publish_id, expected_stage: 1, cause: "bake_over" as const };
    expect(t.code("advance_publish", advance, { actor: { type: "system", id: "l", name: "l" } })).toBe("ok");
    expect(served()).toEqual([2]);
  });

  it("expires, is kept for a while, and open ones are bounded", () => {
    t.checks = false;
    const first = ask();
    for (let i = 1; i < CHANGE_REQUESTS_OPEN_MAX; i++) ask();
    const asked = {
      config_id: config.id,
      config_revision: config.revision,
      operation: put(),
      description: "",
    };
    expect(t.code("request_change", asked)).toBe("quota_exceeded");
    t.nowMs += CHANGE_REQUEST_TTL_MS;
    expect([approve(first, "bob"), execute(first)]).toEqual(["invalid_transition", "invalid_transition"]);
    for (let i = 0; i < CHANGE_REQUESTS_KEPT_MAX; i++) {
      const { id } = ask();
      t.done("withdraw_change", { change_request_id: id, comment: "" });
    }
    expect(t.state.hasKey(`change-request/${first.id}`)).toBe(false);
    const kept = [...t.state.scan("change-request/", { limit: 10_000 })];
    expect(kept).toHaveLength(CHANGE_REQUESTS_KEPT_MAX);
    expect(checkInvariants(t.state)).toEqual([]);
  });

  it("refuses what cannot be asked for", () => {
    const asked = {
      config_id: config.id,
      config_revision: config.revision,
      operation: put(),
      description: "",
    };
    const elsewhere: ChangeOperation = { kind: "delete_config", payload: { config_id: "cfg-c1-99" } };
    expect(t.code("request_change", { ...asked, operation: elsewhere })).toBe("validation_failed");
    expect(t.code("request_change", { ...asked, config_id: "cfg-c1-99" })).toBe("not_found");
    expect(t.code("request_change", { ...asked, operation: publish(TWO) }, {}, [])).toBe("validation_failed");
    const many = Array.from({ length: 9000 }, (_, i) => testRule(1, { label: `${"x".repeat(100)}${i}` }));
    const large: ChangeOperation = {
      kind: "put_releases",
      payload: { config_id: config.id, releases: many },
    };
    expect(t.code("request_change", { ...asked, operation: large })).toBe("payload_too_large");
    const system = { actor: { type: "system" as const, id: "x", name: "x" } };
    const request = ask();
    const approval = { change_request_id: request.id, digest: request.digest, comment: "" };
    expect(t.code("approve_change", approval, system)).toBe("forbidden");
    expect(t.code("approve_change", { ...approval, comment: "x".repeat(600) }, { by: "bob" })).toBe(
      "validation_failed",
    );
    expect(t.code("reject_change", { change_request_id: request.id, comment: "" })).toBe("forbidden");
    expect(t.code("withdraw_change", { change_request_id: request.id, comment: "" }, { by: "bob" })).toBe(
      "conflict",
    );
    expect(t.code("approve_change", { ...approval, change_request_id: "chr-c1-99" })).toBe("not_found");
  });

  it("what is approved is refused like the change itself, and stays open", () => {
    const request = ask(put(9));
    expect([execute(request), served()]).toEqual(["validation_failed", [1]]);
    expect(t.state.json(`change-request/${request.id}`)).toMatchObject({ state: "open" });
  });
});

describe("C14 freezes", () => {
  const freeze: FreezeWindow = {
    type: "absolute",
    name: "sale",
    namespaces: "demo/shop/prod",
    from_ms: 2_000_000,
    until_ms: 3_000_000,
  };
  const stages = [{ name: "s", regions: null, labels: { a: "b" }, bake_minutes: 1 }];
  const start = { content: null, version_id: 2, description: "", strategy: "staged" as const, stages };

  it("keep what clients get, tell until when, and let go by themselves", () => {
    rules([], [freeze]);
    t.nowMs = 2_000_000;
    const config_id = config.id;
    expect(t.apply("put_releases", { config_id, releases: [] })).toMatchObject({
      code: "change_frozen",
      detail: expect.stringContaining("1970-01-01T00:50:00.000Z") as string,
    });
    expect([
      t.code("rollback", { config_id, version_id: 2 }),
      t.code("delete_config", { config_id }),
      t.code("start_publish", { config_id, ...start }),
      t.code("create_config", testConfigPayload("c", sha256Hex(ONE), { releases: [testRule(1)] })),
      execute(ask()),
    ]).toEqual(["change_frozen", "change_frozen", "change_frozen", "change_frozen", "change_frozen"]);
    expect(t.code("create_config", testConfigPayload("c", sha256Hex(ONE)))).toBe("ok");
    t.nowMs = 3_000_000;
    expect(t.code("rollback", { config_id, version_id: 2 })).toBe("ok");
  });

  it("a plan does not advance, but may be aborted", () => {
    const { publish: plan } = t.done("start_publish", { config_id: config.id, ...start });
    rules([], [freeze]);
    t.nowMs = 2_500_000;
    const advance = { publish_id: plan.id, expected_stage: 1, cause: "bake_over" as const };
    expect(t.code("advance_publish", advance)).toBe("change_frozen");
    expect(t.code("put_releases", { config_id: config.id, releases: [], abort_plan: true })).toBe(
      "change_frozen",
    );
    expect([t.code("abort_publish", { publish_id: plan.id }), served()]).toEqual(["ok", [1]]);
  });

  it("are passed with a reason, which stands first in the audit", () => {
    rules([{ ...POLICY, approvals_required: 1 }], [freeze]);
    t.nowMs = 2_500_000;
    const request = ask();
    approve(request, "bob");
    expect(execute(request)).toBe("change_frozen");
    expect(execute(request, { break_glass: " " })).toBe("validation_failed");
    expect(execute(request, { break_glass: "shop is down" })).toBe("ok");
    expect(t.feed.at(-1)?.audit.summary).toMatch(
      /^BREAK GLASS through the freeze "sale" \(shop is down\): replaced/,
    );
    // A reason opens a freeze, not what needs approval.
    expect(t.code("rollback", { config_id: config.id, version_id: 1 }, { break_glass: "x" })).toBe(
      "approval_required",
    );
  });
});

describe("C14 the rules of changes", () => {
  const weekly: FreezeWindow = {
    type: "weekly",
    name: "w",
    namespaces: "demo/**",
    day: "sat",
    minute_of_day: 0,
    duration_minutes: 60,
  };
  it.each<[Partial<ApprovalPolicy>, Partial<Record<string, unknown>>]>([
    [{ namespaces: "other/shop/prod" }, {}],
    [{ namespaces: "demo/shop" }, {}],
    [{ namespaces: "demo/shop/prod/a" }, {}],
    [{ approvals_required: 0 }, {}],
    [{ approvals_required: 11 }, {}],
    [{ applies_to: [] }, {}],
    [{}, { namespaces: "demo" }],
    [{}, { name: "" }],
    [{}, { minute_of_day: 1440 }],
    [{}, { duration_minutes: 0 }],
    [{}, { duration_minutes: 8641 }],
    [{}, { type: "absolute", from_ms: 5, until_ms: 5 }],
  ])("refuse %j %j", (policy, window) => {
    const payload = {
      approvals: [{ ...POLICY, ...policy }],
      freezes: [{ ...weekly, ...window } as FreezeWindow],
    };
    expect(t.code("set_change_rules", payload)).toBe("validation_failed");
  });

  it("are replaced as a whole, at the revision that is named; the strictest policy holds", () => {
    rules([
      { ...POLICY, approvals_required: 1 },
      { ...POLICY, namespaces: "demo/**", approvals_required: 3 },
    ]);
    const request = ask();
    for (const by of ["bob", "cyd"]) approve(request, by);
    expect(execute(request)).toBe("approval_required");
    expect(t.code("set_change_rules", { approvals: [], freezes: [] }, { expected_revision: 1 })).toBe(
      "precondition_failed",
    );
    rules([{ ...POLICY, applies_to: ["delete"] }]);
    expect(execute(request)).toBe("ok");
    expect(t.code("delete_config", { config_id: config.id })).toBe("approval_required");
  });
});

it("C14 the digest is of what is asked for, not of how it is written", () => {
  expect(canonicalJson({ b: [1, { d: "ü", c: undefined }], a: null })).toBe(
    String.raw`{"a":null,"b":[1,{"d":"ü"}]}`,
  );
  expect(canonicalJson(JSON.parse('{"__proto__": 1, "A": true}'))).toBe('{"A":true,"__proto__":1}');
});
