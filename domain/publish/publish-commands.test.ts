import { beforeEach, describe, expect, it } from "vitest";
import { type Applied, applyCommand } from "../command/apply-command.ts";
import { checkInvariants } from "../command/check-invariants.ts";
import type { Command, CommandPayloads } from "../command/command.ts";
import { MemoryState } from "../command/memory-state.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand, testConfigPayload, testRule } from "../command/testing-commands.ts";
import type { Config } from "../config/config.ts";
import { PUBLISHES_KEPT_MAX, RULES_MAX } from "../limits.ts";
import { compileRules } from "../release-rule/compile-rules.ts";
import { prepareRules } from "../release-rule/prepare-rules.ts";
import { resolveRule } from "../release-rule/resolve.ts";
import type { PublishPlan, PublishStageInput } from "./publish-plan.ts";
import { listDuePublishes, listPublishes } from "./read-publishes.ts";

type Start = CommandPayloads["start_publish"];
const ID = "cfg-c1-1";
const STARTED_MS = 1000;
const stage = (changes: Partial<PublishStageInput> = {}): PublishStageInput => ({
  name: "first",
  regions: ["cn-chengdu"],
  labels: null,
  bake_minutes: 1,
  ...changes,
});
const start = (changes: Partial<Start> = {}): Command =>
  testCommand("start_publish", {
    config_id: ID,
    content: { attachment: 0, sha256: "b".repeat(64) },
    version_id: null,
    description: "new",
    strategy: "staged",
    stages: [stage()],
    ...changes,
  });
const advance = (id: string, cause: "by_hand" | "bake_over" = "by_hand", expected_stage = 1): Command =>
  testCommand("advance_publish", { publish_id: id, expected_stage, cause });
const abort = (id: string): Command => testCommand("abort_publish", { publish_id: id });

let state: MemoryState;
let index: number;
let nowMs: number;
let feedIndex: number;

function apply(command: Command): Applied {
  index += 1;
  const applied = applyCommand({
    state,
    command,
    attachments: [new Uint8Array(3)],
    index,
    prevFeedIndex: feedIndex,
    timestampMs: nowMs,
    clusterId: "c1",
    epoch: 1,
  });
  state.apply(applied.changes);
  feedIndex = applied.feedEntry?.index ?? feedIndex;
  expect(checkInvariants(state)).toEqual([]);
  return applied;
}
/** The plan that a command answers. */
function planOf({ outcome }: Applied): PublishPlan {
  if (!outcome.ok) throw new Error(outcome.detail);
  return (outcome.result as { publish: PublishPlan }).publish;
}
const config = (): Config => state.json(stateKey.config(ID)) as Config;
/** The version a client gets. */
function served(region: string, labels: Record<string, string> = {}): number | null {
  return (
    resolveRule(
      prepareRules(compileRules({ rules: config().releases, region, configId: "cfg-1" }), () => null),
      new Map(Object.entries(labels)),
    )?.version_id ?? null
  );
}
const refusalOf = ({ outcome, changes }: Applied): string => {
  if (!outcome.ok) expect(changes).toEqual([]);
  return outcome.ok ? "accepted" : outcome.code;
};

beforeEach(() => {
  state = new MemoryState();
  [index, nowMs, feedIndex] = [0, STARTED_MS, 0];
  apply(testCommand("create_config", testConfigPayload("one", "a".repeat(64), { releases: [testRule(1)] })));
});

describe("C7 P2 P4 a plan of one stage", () => {
  it("serves the new version in its region, then to everyone, and says so in the feed and the audit", () => {
    const begun = apply(start());
    const plan = planOf(begun);
    expect(plan).toMatchObject({
      id: "pub-c1-1-2",
      version_id: 2,
      previous_version_id: 1,
      state: "baking",
      stage: 1,
      stages: [{ started_at_ms: STARTED_MS }],
      revision: 2,
    });
    expect([served("cn-chengdu"), served("us-east-1")]).toEqual([2, 1]);
    expect(begun.feedEntry).toMatchObject({
      audit: { action: "publish", summary: "began publish pub-c1-1-2 of version 2: stage1" },
      events: [
        { type: "config_changed", variants: [{ version_id: 1 }, { version_id: 2 }] },
        { type: "publish_changed", from: null, to: "stage1", regions: ["cn-chengdu"], cause: "by_hand" },
      ],
    });
    nowMs = STARTED_MS + 60_000;
    const full = apply(advance(plan.id, "bake_over"));
    expect(planOf(full)).toMatchObject({ state: "full", ended_at_ms: nowMs });
    expect(full.feedEntry?.events[1]).toMatchObject({
      from: "stage1",
      to: "full",
      regions: null,
      cause: "bake_over",
      previous_version_id: 1,
    });
    expect(config().releases).toEqual([testRule(2)]);
  });

  it("canary goes by labels, and comes before what a user wrote", () => {
    apply(
      testCommand("put_releases", {
        config_id: ID,
        releases: [testRule(1, { canary: "true" }, 1_000_000), testRule(1)],
      }),
    );
    const applied = apply(
      start({ strategy: "canary", stages: [stage({ regions: null, labels: { Canary: "true" } })] }),
    );
    expect(served("us-east-1", { canary: "true" })).toBe(2);
    expect(served("us-east-1")).toBe(1);
    expect(applied.outcome).toMatchObject({
      result: { warnings: [expect.stringContaining("1 release rules")] },
    });
    apply(advance(planOf(applied).id));
    expect(config().releases).toEqual([testRule(1, { canary: "true" }, 1_000_000), testRule(2)]);
  });

  it("all reaches everyone at once, of a version that is there", () => {
    apply(start({ strategy: "all", stages: [] }));
    expect([served("us-east-1"), config().releases]).toEqual([2, [testRule(2)]]);
    const back = apply(start({ strategy: "all", stages: [], content: null, version_id: 1 }));
    expect(planOf(back)).toMatchObject({ state: "full", stage: 0, version_id: 1, previous_version_id: 2 });
    expect(config()).toMatchObject({ latest_version_id: 2, releases: [testRule(1)] });
  });

  it("P5 abort gives everyone the version before, and the new one stays", () => {
    const before = config().releases;
    const { id } = planOf(apply(start()));
    const aborted = apply(abort(id));
    expect(planOf(aborted)).toMatchObject({ state: "aborted" });
    expect(config().releases).toEqual(before);
    expect(state.hasKey(stateKey.version(ID, 2))).toBe(true);
    expect(refusalOf(apply(start()))).toBe("accepted");
  });

  it("without a default rule makes one when it is full, and leaves none when it is aborted", () => {
    apply(testCommand("put_releases", { config_id: ID, releases: [] }));
    apply(abort(planOf(apply(start())).id));
    expect(config().releases).toEqual([]);
    apply(advance(planOf(apply(start())).id));
    expect(config().releases).toEqual([testRule(3)]);
  });
});

describe("P4 P6 what is refused changes nothing", () => {
  it.each<[string, Command, string]>([
    ["a second plan", start(), "publish_running"],
    ["other rules", testCommand("put_releases", { config_id: ID, releases: [] }), "publish_running"],
    ["a rollback", testCommand("rollback", { config_id: ID, version_id: 1 }), "publish_running"],
    ["an advance before the bake is over", advance("pub-c1-1-2", "bake_over"), "invalid_transition"],
    ["an advance from another stage", advance("pub-c1-1-2", "by_hand", 2), "invalid_transition"],
    ["an advance of no plan", advance("pub-c1-1-9"), "not_found"],
    ["an abort of another tenant", { ...abort("pub-c1-1-2"), tenant: "other" }, "not_found"],
    ["a stale abort", { ...abort("pub-c1-1-2"), expected_revision: 1 }, "precondition_failed"],
  ])("%s", (_name, command, code) => {
    apply(start());
    expect(refusalOf(apply(command))).toBe(code);
  });

  it.each([advance("pub-c1-1-2"), abort("pub-c1-1-2")])(
    "P2 %# a plan that has ended never moves again",
    (end) => {
      apply(start());
      apply(end);
      for (const again of [advance("pub-c1-1-2"), advance("pub-c1-1-2", "bake_over"), abort("pub-c1-1-2")]) {
        expect(refusalOf(apply(again))).toBe("invalid_transition");
      }
    },
  );

  const LONG = "é".repeat(65);
  it.each<[string, Partial<Start>, string]>([
    ["no stage", { stages: [] }, "/strategy/stages"],
    ["two stages", { stages: [stage(), stage()] }, "/strategy/stages"],
    ["a stage of all", { strategy: "all" }, "/strategy/stages"],
    ["everyone", { stages: [stage({ regions: null })] }, "/strategy/stages/0"],
    [
      "a canary without labels",
      { strategy: "canary", stages: [stage({ regions: null, labels: {} })] },
      "/strategy/canary_labels",
    ],
    [
      "a label that is none",
      { stages: [stage({ labels: { "a b": "x" } })] },
      "/strategy/stages/0/labels/a b",
    ],
    [
      "a canary label that is none",
      { strategy: "canary", stages: [stage({ labels: { "a b": "x" } })] },
      "/strategy/canary_labels/a b",
    ],
    ["no region of a list", { stages: [stage({ regions: [] })] }, "/strategy/stages/0/regions"],
    ["a long name", { stages: [stage({ name: LONG })] }, "/strategy/stages/0/name"],
    ["a short bake", { stages: [stage({ bake_minutes: 0.009 })] }, "/strategy/stages/0/bake_minutes"],
    ["an endless bake", { stages: [stage({ bake_minutes: 43_201 })] }, "/strategy/stages/0/bake_minutes"],
    ["a version that is not there", { content: null, version_id: 2 }, "/version_id"],
    ["neither content nor version", { content: null }, "/version_id"],
    ["both", { version_id: 1 }, "/version_id"],
    ["a long description", { description: "é".repeat(513) }, "/description"],
    [
      "the same with a version",
      { description: "é".repeat(513), content: null, version_id: 1 },
      "/description",
    ],
  ])("C7 %s", (_name, changes, path) => {
    const applied = apply(start(changes));
    expect(applied.outcome).toMatchObject({ code: "validation_failed", errors: [{ path }] });
    expect(state.hasKey(stateKey.version(ID, 2))).toBe(false);
  });

  it("C7 a plan that there is no room for makes no version", () => {
    const releases = Array.from({ length: RULES_MAX }, (_, i) => testRule(1, { l: String(i) }));
    apply(testCommand("put_releases", { config_id: ID, releases }));
    expect(refusalOf(apply(start()))).toBe("validation_failed");
    expect(refusalOf(apply(start({ strategy: "all", stages: [] })))).toBe("validation_failed");
    expect(config().latest_version_id).toBe(1);
  });
});

describe("P6 what ends a plan besides", () => {
  it.each<[string, Command, string]>([
    [
      "other rules",
      testCommand("put_releases", { config_id: ID, releases: [testRule(2)], abort_plan: true }),
      "rules_replaced",
    ],
    [
      "a rollback",
      testCommand("rollback", { config_id: ID, version_id: 2, abort_plan: true }),
      "rolled_back",
    ],
  ])("%s that says so", (_name, command, cause) => {
    apply(start());
    const { feedEntry } = apply(command);
    expect(feedEntry?.events[1]).toMatchObject({ type: "publish_changed", to: "aborted", cause });
    expect(feedEntry?.audit.summary).toContain("ended publish pub-c1-1-2");
    expect(config().releases).toEqual([testRule(2)]);
    expect(listPublishes(state, { config_id: ID, limit: 9 })).toMatchObject({
      items: [{ state: "aborted" }],
    });
  });

  it("C10 the end of its config, with every trace of it", () => {
    apply(start());
    const { feedEntry } = apply(testCommand("delete_config", { config_id: ID }));
    expect(feedEntry?.events.map((event) => event.type)).toEqual(["config_deleted", "publish_changed"]);
    expect(["p", "q", "o", "d"].flatMap((prefix) => [...state.scan(`${prefix}/`, { limit: 9 })])).toEqual([]);
    expect(refusalOf(apply(advance("pub-c1-1-2")))).toBe("not_found");
  });
});

describe("P3 lists", () => {
  it("has the plans of a config, the newest first, and keeps a bounded number", () => {
    const all = start({ strategy: "all", stages: [], content: null, version_id: 1 });
    for (let i = 0; i < PUBLISHES_KEPT_MAX + 3; i += 1) apply(all);
    const page = listPublishes(state, { config_id: ID, limit: 2 });
    if (!page.ok) throw new Error(page.detail);
    expect(page.items.map((plan) => plan.revision)).toEqual([index, index - 1]);
    const rest = listPublishes(state, { config_id: ID, limit: 200, cursor: page.next_cursor ?? "" });
    expect(rest).toMatchObject({ items: { length: PUBLISHES_KEPT_MAX - 2 }, next_cursor: null });
    expect(listPublishes(state, { config_id: "cfg-c1-99", limit: 1 })).toMatchObject({ code: "not_found" });
  });

  it("has what is due, the longest due first, in pages, and nothing that waits for a hand", () => {
    const due = (limit: number, cursor?: string) =>
      listDuePublishes(state, {
        due_before_ms: STARTED_MS + 120_000,
        limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
    const bakes = [2, 1, 3, null, 1.5];
    for (const [i, bake_minutes] of bakes.entries()) {
      const made = apply(testCommand("create_config", testConfigPayload(`c${i}`, "a".repeat(64))));
      const id = made.outcome.ok ? (made.outcome.result as { config: Config }).config.id : "";
      apply(start({ config_id: id, stages: [stage({ bake_minutes })] }));
    }
    const first = due(2);
    expect(first.items.map((plan) => plan.name)).toEqual(["c1", "c4"]);
    const second = due(2, first.next_cursor ?? "");
    expect([second.items.map((plan) => plan.name), second.next_cursor]).toEqual([["c0"], null]);
    expect(due(3)).toMatchObject({ items: { length: 3 }, next_cursor: null });
  });
});
