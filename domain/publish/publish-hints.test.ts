import { beforeEach, describe, expect, it } from "vitest";
import type { Applied } from "../command/apply-command.ts";
import type { Command } from "../command/command.ts";
import { readFeed } from "../command/read-feed.ts";
import { testCommand } from "../command/testing-commands.ts";
import type { PublishGate } from "./publish-gate.ts";
import { TEST_PLAN_ID as PLAN, testPublishMachine, testStage, testStart } from "./testing-publish.ts";

const MINUTE_MS = 60_000;
const APPROVALS: PublishGate = { type: "approval", approvers: 2 };
const REPORTS: PublishGate = {
  type: "delivery_reports",
  max_error_percent: 2,
  sample_min: 50,
  on_fail: "pause",
};

let machine: ReturnType<typeof testPublishMachine>;
let beganMs: number;
beforeEach(() => {
  machine = testPublishMachine();
  beganMs = machine.at.nowMs;
});
const begin = (gates: PublishGate[], bake_minutes: number | null = 2): Applied =>
  machine.apply(
    testStart({
      stages: [
        testStage("one", { regions: ["eu"], bake_minutes, gates }),
        testStage("two", { regions: ["us"], bake_minutes: 3 }),
      ],
    }),
  );
const after = (ms: number, command: Command): Applied => {
  machine.at.nowMs += ms;
  return machine.apply(command);
};
const approve = (id: string): Command =>
  testCommand(
    "approve_publish_stage",
    { publish_id: PLAN, expected_stage: 1, comment: "" },
    { actor: { type: "user", id, name: id } },
  );
const pause = (minutes: number): Command =>
  testCommand("pause_publish", { publish_id: PLAN, expected_stage: 1, minutes, on_timeout: "resume" });
const advance = (): Command =>
  testCommand("advance_publish", { publish_id: PLAN, expected_stage: 1, cause: "by_hand" });
const resume = (): Command => testCommand("resume_publish", { publish_id: PLAN });
/** The plan's event, and how long after the plan's beginning it may go on by itself. */
const told = ({ feedEntry }: Applied): (string | number | null)[] => {
  const event = feedEntry?.events.find(
    (one) => one.type === "publish_changed" || one.type === "publish_approved",
  );
  if (event === undefined) return [];
  const { goes_on_at_ms: ms } = event;
  return [event.type, ms === undefined ? null : ms - beganMs];
};
const CHANGED = "publish_changed";

describe("L1 P4 the feed says when a plan may go on by itself", () => {
  it("when its stage has baked, in each stage anew", () => {
    expect(told(begin([]))).toEqual([CHANGED, 2 * MINUTE_MS]);
    expect(told(after(500, advance()))).toEqual([CHANGED, 500 + 3 * MINUTE_MS]);
  });

  it("not for a stage that waits for a hand", () => {
    expect(told(begin([], null))).toEqual([CHANGED, null]);
    expect(told(begin([REPORTS], null))).toEqual([]);
  });

  it("P5 when a pause counts as forgotten; as much later as it stood still, when it is resumed", () => {
    begin([]);
    expect(told(after(MINUTE_MS, pause(10)))).toEqual([CHANGED, 11 * MINUTE_MS]);
    expect(told(after(5 * MINUTE_MS, resume()))).toEqual([CHANGED, 7 * MINUTE_MS]);
  });

  it("with gates as without them: what they say is asked then", () => {
    expect(told(begin([REPORTS]))).toEqual([CHANGED, 2 * MINUTE_MS]);
  });

  it("not while approvals are missing; the last one says from when on, before the bake is over and after", () => {
    expect(told(begin([APPROVALS, REPORTS]))).toEqual([CHANGED, null]);
    expect(told(after(500, approve("u-2")))).toEqual(["publish_approved", null]);
    expect(told(after(500, approve("u-3")))).toEqual(["publish_approved", 2 * MINUTE_MS]);
    machine = testPublishMachine();
    begin([APPROVALS]);
    after(5 * MINUTE_MS, approve("u-2"));
    expect(told(machine.apply(approve("u-3")))).toEqual(["publish_approved", 2 * MINUTE_MS]);
  });

  it("to followers that see all of it: the edge is shown neither moves nor approvals", () => {
    begin([APPROVALS]);
    const { feedEntry: entry } = machine.apply(approve("u-2"));
    if (entry === null) throw new Error("an approval is in the feed");
    const source = {
      appliedIndex: entry.index,
      compactedIndex: 0,
      entriesAfter: () => [{ entry, chars: 9 }],
    };
    const input = { after: 0, limit: 9, charsMax: 99, inline: null };
    const shown = (["full", "edge"] as const).map((view) => {
      const page = readFeed(source, { ...input, view });
      return page.ok ? page.entries.map(({ events }) => events.map(({ type }) => type)) : [];
    });
    expect(shown).toEqual([[["publish_approved"]], [[]]]);
  });

  it("not of a plan that has ended", () => {
    begin([]);
    expect(told(machine.apply(testCommand("abort_publish", { publish_id: PLAN })))).toEqual([CHANGED, null]);
  });
});
