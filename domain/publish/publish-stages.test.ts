import { beforeEach, describe, expect, it } from "vitest";
import type { Applied } from "../command/apply-command.ts";
import type { Command, CommandPayloads } from "../command/command.ts";
import type { PublishChanged } from "../command/feed-entry.ts";
import { scanAll } from "../command/scan-all.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand, testRule } from "../command/testing-commands.ts";
import type { ConfigVersion } from "../config/config.ts";
import { PUBLISH_STAGES_MAX, RULES_MAX } from "../limits.ts";
import { publishStatus, type PublishStageInput } from "./publish-plan.ts";
import {
  TEST_CONFIG_ID as ID,
  TEST_PLAN_ID as PLAN,
  testPublishMachine,
  testStage,
  testStart,
} from "./testing-publish.ts";
import { versionStatus } from "./version-status.ts";

const MINUTE_MS = 60_000;
const REGIONS = ["ap-southeast-2", "cn-chengdu", "cn-shanghai", "us-east-1"];
/** The stages of the state diagram of seed 000. */
const SEED = [
  testStage("one", { regions: ["ap-southeast-2"] }),
  testStage("two", { regions: ["cn-chengdu", "ap-southeast-2", "cn-shanghai"] }),
];
const advance = (stage: number, cause: "by_hand" | "bake_over" = "by_hand", id = PLAN): Command =>
  testCommand("advance_publish", { publish_id: id, expected_stage: stage, cause });
const abort = (id = PLAN): Command => testCommand("abort_publish", { publish_id: id });
const pause = (changes: Partial<CommandPayloads["pause_publish"]> = {}): Command =>
  testCommand("pause_publish", {
    publish_id: PLAN,
    expected_stage: 1,
    minutes: 10,
    on_timeout: "abort",
    ...changes,
  });
const resume = (): Command => testCommand("resume_publish", { publish_id: PLAN });
const endPause = (paused_at_ms: number): Command =>
  testCommand("end_pause", { publish_id: PLAN, paused_at_ms });
const moved = ({ feedEntry }: Applied): string[] =>
  (feedEntry?.events ?? [])
    .filter((event): event is PublishChanged => event.type === "publish_changed")
    .map(({ from, to, cause }) => `${from} to ${to}: ${cause}`);

let machine: ReturnType<typeof testPublishMachine>;
beforeEach(() => {
  machine = testPublishMachine();
});
const everywhere = (): (number | null)[] => REGIONS.map((region) => machine.served(region));
const status = (id = PLAN): string => publishStatus(machine.plan(id));
const statusOf = (version: number): string => {
  const { releases } = machine.config();
  const ids = [...scanAll(machine.state, stateKey.publishByConfigPrefix(ID))].map(
    ({ value }) => value as string,
  );
  const row = machine.state.json(stateKey.version(ID, version)) as ConfigVersion;
  return versionStatus(
    releases,
    ids.map((id) => machine.plan(id)),
    row,
  );
};

describe("P2 P4 a plan of several stages", () => {
  it("goes through the state diagram of the seed, two versions side by side, and deprecates the old one", () => {
    machine.apply(testStart({ stages: SEED }));
    expect([status(), everywhere()]).toEqual(["stage1", [2, 1, 1, 1]]);
    expect([statusOf(1), statusOf(2)]).toEqual(["full", "stage1"]);
    const second = machine.apply(advance(1));
    expect([status(), everywhere()]).toEqual(["stage2", [2, 2, 2, 1]]);
    expect(second.feedEntry?.events[1]).toMatchObject({
      from: "stage1",
      to: "stage2",
      regions: SEED[1]?.regions,
    });
    const full = machine.apply(advance(2));
    expect([status(), everywhere()]).toEqual(["full", [2, 2, 2, 2]]);
    expect(moved(full)).toEqual(["stage2 to full: by_hand"]);
    expect([statusOf(1), statusOf(2)]).toEqual(["deprecated", "full"]);
    expect(machine.config().releases).toEqual([testRule(2)]);
    const third = machine.apply(testStart({ strategy: "all", stages: [] }));
    expect(moved(third)).toEqual(["null to full: by_hand", "full to deprecated: replaced"]);
    expect([status(), statusOf(2), statusOf(3)]).toEqual(["deprecated", "deprecated", "full"]);
    machine.apply(testStart({ strategy: "all", stages: [], content: null, version_id: 2 }));
    expect([statusOf(1), statusOf(2), statusOf(3)]).toEqual(["deprecated", "full", "deprecated"]);
  });

  it("keeps what the stages before have when the next one is of others", () => {
    const stages = [
      testStage("a", { regions: ["cn-chengdu"] }),
      testStage("b", { labels: { Tier: "gold" } }),
      testStage("c", { percentage: { by: "user", percent: 50 } }),
    ];
    machine.apply(testStart({ stages }));
    machine.apply(advance(1));
    expect(everywhere()).toEqual([1, 2, 1, 1]);
    expect(machine.served("us-east-1", { tier: "gold" })).toBe(2);
    machine.apply(advance(2));
    const users = Array.from({ length: 200 }, (_, i) => machine.served("us-east-1", { user: `u${i}` }));
    const share = users.filter((version) => version === 2).length;
    expect(share).toBeGreaterThan(60);
    expect(share).toBeLessThan(140);
    expect(machine.served("cn-chengdu", { user: "anyone" })).toBe(2);
  });

  it("percentages only add clients from stage to stage", () => {
    const stages = [1, 10, 50].map((percent) =>
      testStage(`${percent} %`, { percentage: { by: "user", percent } }),
    );
    const users = Array.from({ length: 500 }, (_, i) => `user-${i}`);
    const have = (): Set<string> =>
      new Set(users.filter((user) => machine.served("us-east-1", { user }) === 2));
    machine.apply(testStart({ strategy: "percentage", stages }));
    let before = have();
    for (const stage of [1, 2]) {
      machine.apply(advance(stage));
      const after = have();
      expect(after.size).toBeGreaterThan(before.size);
      expect([...before].filter((user) => !after.has(user))).toEqual([]);
      before = after;
    }
    machine.apply(advance(3));
    expect(have().size).toBe(users.length);
  });

  it("each stage bakes from its own beginning", () => {
    machine.apply(testStart({ stages: SEED }));
    machine.at.nowMs += MINUTE_MS;
    machine.apply(advance(1, "bake_over"));
    expect(machine.codeOf(advance(2, "bake_over"))).toBe("invalid_transition");
    machine.at.nowMs += MINUTE_MS - 1;
    expect(machine.codeOf(advance(2, "bake_over"))).toBe("invalid_transition");
    machine.at.nowMs += 1;
    expect(machine.codeOf(advance(2, "bake_over"))).toBe("accepted");
  });

  it("moves once when a hand and the function both say so, whoever comes first", () => {
    machine.apply(testStart({ stages: SEED }));
    machine.at.nowMs += MINUTE_MS;
    machine.apply(advance(1, "by_hand"));
    expect(machine.codeOf(advance(1, "bake_over"))).toBe("invalid_transition");
    expect(status()).toBe("stage2");
    machine.at.nowMs += MINUTE_MS;
    machine.apply(advance(2, "bake_over"));
    expect(machine.codeOf(advance(2, "by_hand"))).toBe("invalid_transition");
  });

  it.each([1, 2])("P5 abort in stage %i gives every client the version before", (stage) => {
    const before = machine.config().releases;
    machine.apply(testStart({ stages: SEED }));
    if (stage === 2) machine.apply(advance(1));
    expect(moved(machine.apply(abort()))).toEqual([`stage${stage} to aborted: by_hand`]);
    expect([everywhere(), machine.config().releases]).toEqual([[1, 1, 1, 1], before]);
    expect(statusOf(2)).toBe("draft");
  });
});

describe("P5 a pause", () => {
  it("stands still: nobody else gets the version, and the bake time goes on where it stood", () => {
    machine.apply(testStart({ stages: SEED }));
    machine.at.nowMs += 20_000;
    const paused = machine.apply(pause());
    expect([moved(paused), everywhere()]).toEqual([["stage1 to paused: by_hand"], [2, 1, 1, 1]]);
    expect(statusOf(2)).toBe("paused");
    machine.at.nowMs += 5 * MINUTE_MS;
    for (const command of [advance(1), advance(1, "bake_over"), pause()]) {
      expect(machine.codeOf(command)).toBe("invalid_transition");
    }
    expect(machine.codeOf(testStart({ stages: SEED }))).toBe("publish_running");
    expect(moved(machine.apply(resume()))).toEqual(["paused to stage1: by_hand"]);
    machine.at.nowMs += 39_999;
    expect(machine.codeOf(advance(1, "bake_over"))).toBe("invalid_transition");
    machine.at.nowMs += 1;
    expect(machine.codeOf(advance(1, "bake_over"))).toBe("accepted");
    expect(machine.codeOf(resume())).toBe("invalid_transition");
  });

  it("is aborted like a stage", () => {
    machine.apply(testStart({ stages: SEED }));
    machine.apply(pause());
    expect(moved(machine.apply(abort()))).toEqual(["paused to aborted: by_hand"]);
    expect(everywhere()).toEqual([1, 1, 1, 1]);
  });

  it.each([
    ["abort", "paused to aborted: pause_over", [1, 1, 1, 1]],
    ["resume", "paused to stage1: pause_over", [2, 1, 1, 1]],
  ] as const)("that is forgotten ends by its rule: %s", (on_timeout, move, served) => {
    machine.apply(testStart({ stages: SEED }));
    machine.apply(pause({ minutes: 10, on_timeout }));
    const began = machine.at.nowMs;
    machine.at.nowMs += 10 * MINUTE_MS - 1;
    expect(machine.codeOf(endPause(began))).toBe("invalid_transition");
    machine.at.nowMs += 1;
    expect(machine.codeOf(endPause(began + 1))).toBe("invalid_transition");
    expect(moved(machine.apply(endPause(began)))).toEqual([move]);
    expect(everywhere()).toEqual(served);
    expect(machine.codeOf(endPause(began))).toBe("invalid_transition");
  });

  it("of another one is not ended", () => {
    machine.apply(testStart({ stages: SEED }));
    machine.apply(pause({ minutes: 0.01 }));
    const first = machine.at.nowMs;
    machine.apply(resume());
    machine.at.nowMs += 10_000;
    machine.apply(pause({ minutes: 0.01 }));
    machine.at.nowMs += 10_000;
    expect(machine.codeOf(endPause(first))).toBe("invalid_transition");
    expect(status()).toBe("paused");
  });

  it.each([0, 0.009, 43_201, Number.NaN])("of %s minutes is refused", (minutes) => {
    machine.apply(testStart({ stages: SEED }));
    expect(machine.apply(pause({ minutes })).outcome).toMatchObject({ errors: [{ path: "/max_minutes" }] });
    expect(machine.codeOf(pause({ expected_stage: 2 }))).toBe("invalid_transition");
  });
});

describe("P6 a newer plan", () => {
  it.each(["stage1", "stage2", "paused"])("supersedes one in %s when it says so", (at) => {
    machine.apply(testStart({ stages: SEED }));
    if (at === "stage2") machine.apply(advance(1));
    if (at === "paused") machine.apply(pause());
    expect(machine.codeOf(testStart({ stages: SEED }))).toBe("publish_running");
    const next = machine.apply(testStart({ stages: SEED.slice(1), abort_plan: true }));
    expect(moved(next)).toEqual([`${at} to aborted: superseded`, "null to stage1: by_hand"]);
    const id = `pub-c1-1-${machine.at.index}`;
    expect(machine.plan(id)).toMatchObject({ version_id: 3, previous_version_id: 1 });
    expect(everywhere()).toEqual([3, 3, 3, 1]);
    machine.apply(advance(1, "by_hand", id));
    expect([status(), everywhere()]).toEqual(["aborted", [3, 3, 3, 3]]);
  });

  it("without one that runs abort_plan changes nothing", () => {
    expect(moved(machine.apply(testStart({ stages: SEED, abort_plan: true })))).toEqual([
      "null to stage1: by_hand",
    ]);
  });
});

describe("C7 what a plan is refused for", () => {
  const gold = { labels: { tier: "gold" } };
  const share = (percent: number) => ({ percentage: { by: "user", percent } });
  it.each<[string, PublishStageInput[], string, "staged" | "percentage"]>([
    [
      "too many stages",
      Array.from({ length: PUBLISH_STAGES_MAX + 1 }, (_, i) => testStage(`${i}`, share(i))),
      "",
      "staged",
    ],
    ["a second stage of all", [testStage("a", gold), testStage("b")], "/1", "staged"],
    ["the same clients again", [testStage("a", gold), testStage("b", gold)], "/1", "staged"],
    [
      "a part of the clients before",
      [testStage("a", gold), testStage("b", { ...gold, regions: ["us-east-1"] })],
      "/1",
      "staged",
    ],
    ["a lower percentage", [testStage("a", share(10)), testStage("b", share(5))], "/1", "percentage"],
    ["no percentage", [testStage("a", gold)], "/0/percentage", "percentage"],
    ["more than all", [testStage("a", share(101))], "/0/percentage/percent", "percentage"],
    ["three decimals", [testStage("a", share(1.234))], "/0/percentage/percent", "percentage"],
  ])("%s", (_name, stages, path, strategy) => {
    expect(machine.apply(testStart({ stages, strategy })).outcome).toMatchObject({
      code: "validation_failed",
      errors: [{ path: `/strategy/stages${path}` }],
    });
    expect(machine.config().latest_version_id).toBe(1);
  });

  it("rules without room for all of its stages", () => {
    const releases = Array.from({ length: RULES_MAX - 1 }, (_, i) => testRule(1, { l: String(i) }));
    machine.apply(testCommand("put_releases", { config_id: ID, releases }));
    expect(machine.codeOf(testStart({ stages: SEED }))).toBe("validation_failed");
    expect(machine.codeOf(testStart({ stages: SEED.slice(1) }))).toBe("accepted");
  });

  it.each<[string, Partial<CommandPayloads["start_publish"]>]>([
    ["several stages", { stages: SEED }],
    ["a percentage", { stages: [testStage("a", { percentage: { by: "user", percent: 1 } })] }],
    [
      "the strategy percentage",
      { strategy: "percentage", stages: [testStage("a", { percentage: { by: "user", percent: 1 } })] },
    ],
  ])("%s in a command of the old form", (_name, changes) => {
    expect(machine.codeOf(testStart({ ...changes, form: undefined }))).toBe("validation_failed");
  });
});

it("P2 a plan of the old form does what it always did: one stage, and nothing is deprecated", () => {
  const { form: _new, ...payload } = testStart({ stages: SEED.slice(0, 1) })
    .payload as CommandPayloads["start_publish"];
  machine.apply(testCommand("start_publish", payload));
  expect(machine.plan()).not.toHaveProperty("form");
  machine.apply(advance(1));
  expect(machine.state.json(stateKey.version(ID, 1))).not.toHaveProperty("deprecated_at_ms");
  expect(status()).toBe("full");
});
