import { expect, it } from "vitest";
import { PUBLISH_OVERDUE_LINE } from "../../contracts/publish/publish-overdue.ts";
import type { Applied } from "../../domain/command/apply-command.ts";
import type { CommandResults } from "../../domain/command/command-result.ts";
import { testCommand, testConfigPayload, testRule } from "../../domain/command/testing-commands.ts";
import { PUBLISH_OVERDUE_MS } from "../../domain/limits.ts";
import type { PublishGate } from "../../domain/publish/publish-gate.ts";
import type { PublishStageInput } from "../../domain/publish/publish-plan.ts";
import {
  TEST_PLAN_ID,
  testPublishMachine,
  testStage,
  testStart,
} from "../../domain/publish/testing-publish.ts";
import { CoreMetrics } from "./metrics.ts";
import { OverduePublishWatch } from "./watch-overdue-publishes.ts";

const MINUTE_MS = 60_000;

const GATES: PublishGate[] = [{ type: "approval", approvers: 1 }];

function resultOf<K extends keyof CommandResults>(_kind: K, { outcome }: Applied): CommandResults[K] {
  if (!outcome.ok) throw new Error(outcome.detail);
  return outcome.result as CommandResults[K];
}

/** A plan that is due a minute after it began, and what a node says of it at a moment. `stage`: otherwise than so. */
function watched(stage: Partial<PublishStageInput> = {}) {
  const machine = testPublishMachine();
  machine.apply(
    testStart({ stages: [testStage("one", { regions: ["us-east-1"], bake_minutes: 1, ...stage })] }),
  );
  const dueAtMs = machine.at.nowMs + MINUTE_MS;
  const at = { nowMs: dueAtMs, role: "leader" as "leader" | "follower" };
  const lines: Record<string, unknown>[] = [];
  const watch = new OverduePublishWatch({
    state: machine.state,
    status: () => at,
    logger: (line) => lines.push(line),
    nowMs: () => at.nowMs,
  });
  return { machine, dueAtMs, at, lines, watch };
}

it("P4 a plan that nobody moves is overdue after an hour, and the leader alone says so, each time", () => {
  const { dueAtMs, at, lines, watch } = watched();
  at.nowMs = dueAtMs - 1;
  expect(watch.oldestDueS()).toBe(0);
  at.nowMs = dueAtMs + PUBLISH_OVERDUE_MS - 1;
  watch.look();
  expect([watch.oldestDueS(), lines]).toEqual([(PUBLISH_OVERDUE_MS - 1) / 1000, []]);
  at.nowMs += 1;
  watch.look();
  watch.look();
  at.role = "follower";
  watch.look();
  const line = {
    level: "warn",
    msg: PUBLISH_OVERDUE_LINE,
    publish_id: TEST_PLAN_ID,
    due_for_s: PUBLISH_OVERDUE_MS / 1000,
  };
  expect(lines).toEqual([line, line]);
});

it("P4 a plan that was moved on, or is paused, is not", () => {
  const { machine, dueAtMs, at, lines, watch } = watched();
  at.nowMs = dueAtMs + PUBLISH_OVERDUE_MS;
  const payload = {
    publish_id: TEST_PLAN_ID,
    expected_stage: 1,
    minutes: 120,
    on_timeout: "resume" as const,
  };
  machine.at.nowMs = at.nowMs;
  machine.apply(testCommand("pause_publish", payload));
  watch.look();
  expect([watch.oldestDueS(), lines]).toEqual([0, []]);
  machine.apply(testCommand("resume_publish", { publish_id: TEST_PLAN_ID }));
  machine.at.nowMs += 2 * MINUTE_MS;
  machine.apply(
    testCommand("advance_publish", { publish_id: TEST_PLAN_ID, expected_stage: 1, cause: "bake_over" }),
  );
  at.nowMs += 2 * PUBLISH_OVERDUE_MS;
  watch.look();
  expect([watch.oldestDueS(), lines]).toEqual([0, []]);
});

it.each([
  ["bakes for a day", 24 * 60],
  ["waits for a hand alone", null],
])("P4 a plan whose stage has gates and %s is not, however long it is looked at", (_how, bake_minutes) => {
  const { dueAtMs, at, lines, watch } = watched({ gates: GATES, bake_minutes });
  at.nowMs = dueAtMs + 23 * 60 * MINUTE_MS;
  watch.look();
  expect([watch.oldestDueS(), lines]).toEqual([0, []]);
});

it("P4 a plan whose stage has gates is once it has baked an hour ago", () => {
  const { dueAtMs, at, lines, watch } = watched({ gates: GATES, bake_minutes: 1 });
  at.nowMs = dueAtMs + PUBLISH_OVERDUE_MS;
  watch.look();
  expect([watch.oldestDueS(), lines]).toMatchObject([
    PUBLISH_OVERDUE_MS / 1000,
    [{ publish_id: TEST_PLAN_ID }],
  ]);
});

it("P4 a plan that nobody moves is seen behind a hundred others that bake in stages with gates", () => {
  const { machine, dueAtMs, at, lines, watch } = watched({ gates: GATES, bake_minutes: 24 * 60 });
  const begin = (name: string, stage: Partial<PublishStageInput>): string => {
    const made = machine.apply(
      testCommand("create_config", testConfigPayload(name, "a".repeat(64), { releases: [testRule(1)] })),
    );
    const { config } = resultOf("create_config", made);
    const stages = [testStage("one", { regions: ["us-east-1"], ...stage })];
    const begun = machine.apply(testStart({ config_id: config.id, stages }));
    return resultOf("start_publish", begun).publish.id;
  };
  for (let i = 0; i < 110; i += 1) begin(`baking-${i}`, { gates: GATES, bake_minutes: 24 * 60 });
  machine.at.nowMs += 1;
  const stuck = begin("stuck", { bake_minutes: 1 });
  begin("later", { bake_minutes: 2 });
  at.nowMs = dueAtMs + 1 + PUBLISH_OVERDUE_MS;
  watch.look();
  expect([watch.oldestDueS(), lines]).toMatchObject([PUBLISH_OVERDUE_MS / 1000, [{ publish_id: stuck }]]);
});

it("P4 M1 the metric says for how long the oldest has been due when it is asked", async () => {
  const { dueAtMs, at, watch } = watched();
  const metrics = new CoreMetrics(() => {
    throw new Error("not asked");
  });
  metrics.watchPublishes(() => watch.oldestDueS());
  at.nowMs = dueAtMs + 1_500;
  expect(await metrics.registry.getSingleMetricAsString("publish_oldest_due_seconds")).toContain(
    "publish_oldest_due_seconds 1.5",
  );
});
