import { expect, it } from "vitest";
import { PUBLISH_OVERDUE_LINE } from "../../contracts/publish/publish-overdue.ts";
import { testCommand } from "../../domain/command/testing-commands.ts";
import { PUBLISH_OVERDUE_MS } from "../../domain/limits.ts";
import {
  TEST_PLAN_ID,
  testPublishMachine,
  testStage,
  testStart,
} from "../../domain/publish/testing-publish.ts";
import { CoreMetrics } from "./metrics.ts";
import { OverduePublishWatch } from "./watch-overdue-publishes.ts";

const MINUTE_MS = 60_000;

/** A plan that is due a minute after it began, and what a node says of it at a moment. */
function watched() {
  const machine = testPublishMachine();
  machine.apply(testStart({ stages: [testStage("one", { regions: ["us-east-1"], bake_minutes: 1 })] }));
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
