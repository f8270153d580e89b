import { beforeEach, describe, expect, it } from "vitest";
import type { Applied } from "../command/apply-command.ts";
import type { Command, CommandPayloads } from "../command/command.ts";
import { abilitiesNeeded } from "../command/command-kinds.ts";
import { parseCommand } from "../command/command-schema.ts";
import type { PublishChanged } from "../command/feed-entry.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand } from "../command/testing-commands.ts";
import { GATE_REASON_CHARACTERS_MAX, GATES_MAX, PAUSE_MINUTES_DEFAULT } from "../limits.ts";
import type { GateOutcome, PublishGate } from "./publish-gate.ts";
import { publishDueAtMs, publishStatus } from "./publish-plan.ts";
import { listDuePublishes } from "./read-publishes.ts";
import { TEST_PLAN_ID as PLAN, testPublishMachine, testStage, testStart } from "./testing-publish.ts";

const MINUTE_MS = 60_000;
const HOLDS: GateOutcome = { verdict: "holds" };
const WAITS: GateOutcome = { verdict: "waits", reason: "not yet" };
const FAILS: GateOutcome = { verdict: "fails", reason: "smoke" };
const webhook = (on_fail: "pause" | "abort" = "abort"): PublishGate => ({
  type: "webhook",
  url: "https://gate.example/ask",
  secret: "v1.sealed",
  on_fail,
});
const approval = (approvers = 1): PublishGate => ({ type: "approval", approvers });
const reports = (on_fail: "pause" | "abort" = "pause"): PublishGate => ({
  type: "delivery_reports",
  max_error_percent: 2,
  sample_min: 50,
  on_fail,
});

let machine: ReturnType<typeof testPublishMachine>;
beforeEach(() => {
  machine = testPublishMachine();
});
/** Begins a plan of two stages, the first with gates. */
const begin = (...gates: PublishGate[]): Applied =>
  machine.apply(
    testStart({
      stages: [testStage("one", { regions: ["eu"], gates }), testStage("two", { regions: ["us"] })],
    }),
  );
const report = (...outcomes: GateOutcome[]): Command =>
  testCommand("report_gates", { publish_id: PLAN, expected_stage: 1, outcomes });
const advance = (
  gates?: CommandPayloads["advance_publish"]["gates"],
  cause: "by_hand" | "bake_over" = "bake_over",
): Command => testCommand("advance_publish", { publish_id: PLAN, expected_stage: 1, cause, gates });
const approve = (id: string, type: "user" | "token" = "user", comment = ""): Command =>
  testCommand(
    "approve_publish_stage",
    { publish_id: PLAN, expected_stage: 1, comment },
    { actor: { type, id, name: id } },
  );
const resume = (skip_gates?: string): Command =>
  testCommand("resume_publish", { publish_id: PLAN, skip_gates });
const status = (): string => publishStatus(machine.plan());
const bake = (): void => {
  machine.at.nowMs += MINUTE_MS;
};
const moved = ({ feedEntry }: Applied): PublishChanged | undefined =>
  feedEntry?.events.find((event): event is PublishChanged => event.type === "publish_changed");
const isDue = (): boolean =>
  listDuePublishes(machine.state, { due_before_ms: machine.at.nowMs, limit: 9 }).items.length > 0;

describe("P4 a stage with gates is left when it has baked and they hold", () => {
  it("is looked at from its beginning, and goes on by itself only with word of its gates", () => {
    begin(webhook());
    expect([isDue(), publishDueAtMs(machine.plan())]).toEqual([true, machine.at.nowMs]);
    expect(machine.codeOf(advance("held"))).toBe("invalid_transition");
    bake();
    expect(machine.codeOf(advance())).toBe("invalid_transition");
    expect(machine.codeOf(advance("held"))).toBe("accepted");
    expect([status(), isDue()]).toEqual(["stage2", false]);
  });

  it("P3 writes down what the gates say, once while it stays the same", () => {
    begin(webhook(), reports());
    const first = machine.apply(report(HOLDS, WAITS));
    expect(first.feedEntry).toMatchObject({
      events: [],
      audit: {
        action: "publish",
        summary: expect.stringContaining("delivery_reports waits (not yet)") as string,
      },
    });
    const again = machine.apply(report(HOLDS, { verdict: "waits", reason: "not quite yet" }));
    expect([again.feedEntry, again.changes]).toEqual([null, []]);
    expect(machine.plan().stages[0]?.gate_outcomes).toEqual([HOLDS, WAITS]);
    expect(machine.apply(report(HOLDS, HOLDS)).feedEntry?.audit.summary).toContain("all hold");
  });

  it("by hand when the last word of each gate was that it holds, and else only with a reason", () => {
    begin(webhook(), reports());
    for (const outcomes of [null, [HOLDS, WAITS]]) {
      if (outcomes !== null) machine.apply(report(...outcomes));
      expect(machine.codeOf(advance(undefined, "by_hand"))).toBe("conflict");
      expect(machine.codeOf(advance({ skipped: " " }, "by_hand"))).toBe("validation_failed");
    }
    const skipped = machine.apply(advance({ skipped: "it is urgent" }, "by_hand"));
    expect(moved(skipped)).toMatchObject({ to: "stage2", cause: "by_hand", reason: "it is urgent" });
    expect(skipped.feedEntry?.audit.summary).toContain("past its gates (it is urgent)");
    expect(machine.plan().stages[0]?.gates_skipped).toMatchObject({
      by: { id: "u-1" },
      reason: "it is urgent",
    });
  });

  it("by hand with gates that hold", () => {
    begin(webhook());
    machine.apply(report(HOLDS));
    expect(machine.codeOf(advance(undefined, "by_hand"))).toBe("accepted");
  });
});

describe("P4 approval by other people", () => {
  it("counts each once, never the creator nor a token, whatever the caller claims", () => {
    begin(approval(2));
    expect(machine.codeOf(approve("u-1"))).toBe("forbidden");
    expect(machine.codeOf(approve("robot", "token"))).toBe("forbidden");
    const first = machine.apply(approve("u-2", "user", "looks good"));
    expect(first.feedEntry?.audit).toMatchObject({
      action: "approve",
      actor: { id: "u-2" },
      summary: `publish ${PLAN}: approved stage1, 1 of 2 (looks good)`,
    });
    expect(machine.codeOf(approve("u-2"))).toBe("already_exists");
    bake();
    expect(machine.codeOf(advance("held"))).toBe("invalid_transition");
    machine.apply(report(HOLDS));
    expect(machine.plan().stages[0]?.gate_outcomes).toEqual([
      { verdict: "waits", reason: "1 of 2 approvals" },
    ]);
    expect(machine.codeOf(approve("u-3"))).toBe("accepted");
    expect(machine.codeOf(approve("u-4"))).toBe("invalid_transition");
    expect(machine.codeOf(advance("held"))).toBe("accepted");
  });

  it("is for the stage that runs, where it asks for one, and while it is paused, too", () => {
    begin(webhook());
    expect(machine.codeOf(approve("u-2"))).toBe("invalid_transition");
    machine = testPublishMachine();
    begin(approval());
    const pause = { publish_id: PLAN, expected_stage: 1, minutes: 5, on_timeout: "abort" as const };
    machine.apply(testCommand("pause_publish", pause));
    expect(machine.codeOf(approve("u-2", "user", "c".repeat(513)))).toBe("validation_failed");
    expect(machine.codeOf(approve("u-2"))).toBe("accepted");
    machine.apply(resume());
    expect(machine.codeOf(advance(undefined, "by_hand"))).toBe("accepted");
    expect(machine.codeOf(approve("u-3"))).toBe("invalid_transition");
    expect(machine.codeOf(testCommand("abort_publish", { publish_id: PLAN }))).toBe("accepted");
    expect(machine.codeOf(approve("u-3"))).toBe("invalid_transition");
  });
});

describe("P5 a gate that fails stops the plan in the middle of its bake time", () => {
  it("aborts it: everyone gets the version before, and the reason is in plan, history and audit", () => {
    begin(webhook("abort"));
    expect(machine.served("eu")).toBe(2);
    const stopped = machine.apply(report(FAILS));
    expect([status(), machine.served("eu"), machine.served("us")]).toEqual(["aborted", 1, 1]);
    expect(moved(stopped)).toMatchObject({
      from: "stage1",
      to: "aborted",
      cause: "gate_failed",
      reason: "smoke",
    });
    expect(stopped.feedEntry?.audit.summary).toBe(
      `publish ${PLAN}: stage1 to aborted (gate_failed, webhook: smoke)`,
    );
    expect(machine.plan().stopped_by).toEqual({ gate: "webhook", reason: "smoke", at_ms: machine.at.nowMs });
    expect(machine.codeOf(report(FAILS))).toBe("invalid_transition");
  });

  it("pauses it: who has the version keeps it, until it is resumed, and then its gates are asked again", () => {
    begin(reports("pause"));
    const stopped = machine.apply(report(FAILS));
    expect([status(), machine.served("eu"), machine.served("us")]).toEqual(["paused", 2, 1]);
    expect(moved(stopped)).toMatchObject({ to: "paused", cause: "gate_failed" });
    expect(machine.plan().pause).toEqual({
      started_at_ms: machine.at.nowMs,
      ends_at_ms: machine.at.nowMs + PAUSE_MINUTES_DEFAULT * MINUTE_MS,
      on_timeout: "abort",
    });
    expect([isDue(), machine.codeOf(report(FAILS))]).toEqual([false, "invalid_transition"]);
    machine.apply(resume());
    expect([status(), isDue(), machine.plan().stopped_by]).toEqual(["stage1", true, undefined]);
    machine.apply(report(FAILS));
    expect(status()).toBe("paused");
    expect(machine.codeOf(resume(""))).toBe("validation_failed");
    const resumed = machine.apply(resume("known, harmless"));
    expect(moved(resumed)).toMatchObject({ to: "stage1", cause: "by_hand", reason: "known, harmless" });
    expect(resumed.feedEntry?.audit.summary).toContain("without its gates (known, harmless)");
    expect(machine.codeOf(report(FAILS))).toBe("invalid_transition");
    bake();
    expect(machine.codeOf(advance())).toBe("accepted");
  });

  it("of several that fail, one that aborts goes first; an approval never fails", () => {
    begin(reports("pause"), webhook("abort"), approval());
    machine.apply(report(FAILS, HOLDS, FAILS));
    expect([status(), machine.plan().stopped_by?.gate]).toEqual(["paused", "delivery_reports"]);
    machine.apply(resume());
    machine.apply(report(FAILS, FAILS, HOLDS));
    expect([status(), machine.plan().stopped_by?.gate]).toEqual(["aborted", "webhook"]);
  });

  it("needs neither approval nor the end of a freeze; going on does", () => {
    begin(webhook("abort"));
    const rules = {
      approvals: [],
      freezes: [{ type: "absolute" as const, name: "f", namespaces: "demo/**", from_ms: 0, until_ms: 1e12 }],
    };
    expect(machine.codeOf(testCommand("set_change_rules", rules))).toBe("accepted");
    bake();
    expect(machine.codeOf(advance("held"))).toBe("change_frozen");
    expect([machine.codeOf(report(FAILS)), status()]).toEqual(["accepted", "aborted"]);
  });
});

describe("P4 what is refused of gates changes nothing", () => {
  it("an old report, one of another stage, of other gates, or of none", () => {
    begin(webhook());
    const { revision } = machine.plan();
    machine.apply(report(WAITS));
    const stale = testCommand(
      "report_gates",
      { publish_id: PLAN, expected_stage: 1, outcomes: [FAILS] },
      { expected_revision: revision },
    );
    expect(machine.codeOf(stale)).toBe("precondition_failed");
    expect(machine.codeOf(report())).toBe("validation_failed");
    expect(machine.codeOf(report(HOLDS, HOLDS))).toBe("validation_failed");
    bake();
    machine.apply(advance("held"));
    expect(machine.codeOf(report(FAILS))).toBe("invalid_transition");
    const second = testCommand("report_gates", { publish_id: PLAN, expected_stage: 2, outcomes: [] });
    expect(machine.codeOf(second)).toBe("invalid_transition");
  });

  it.each([
    ["too many", Array.from({ length: GATES_MAX + 1 }, () => webhook()), ""],
    ["two of people", [approval(), approval()], "/1"],
    ["two of reports", [reports(), reports()], "/1"],
    ["approvals of nobody", [approval(0)], "/0/approvers"],
    ["half a person", [approval(1.5)], "/0/approvers"],
    ["another scheme", [{ ...webhook(), url: "ftp://gate.example" }], "/0/url"],
    ["no secret", [{ ...webhook(), secret: "" }], "/0/secret"],
    ["more than all", [{ ...reports(), max_error_percent: 101 }], "/0/max_error_percent"],
    ["nothing", [{ ...reports(), max_error_percent: Number.NaN }], "/0/max_error_percent"],
    ["no sample", [{ ...reports(), sample_min: 0 }], "/0/sample_min"],
  ] as [string, PublishGate[], string][])("a plan with gates of %s", (_what, gates, path) => {
    const { outcome } = begin(...gates);
    expect(outcome).toMatchObject({
      code: "validation_failed",
      errors: [{ path: `/strategy/stages/0/gates${path}` }],
    });
  });

  it("gates of a plan in the old form", () => {
    const stages = [testStage("one", { regions: ["eu"], gates: [approval()] })];
    expect(machine.codeOf(testStart({ stages, form: undefined }))).toBe("validation_failed");
  });
});

describe("P4 gates need voters that know them", () => {
  it("whoever makes them, leaves a stage by them or skips them", () => {
    const start = testStart({
      stages: [testStage("one", { regions: ["eu"], gates: [webhook(), reports()] })],
    });
    for (const command of [start, advance("held"), advance({ skipped: "x" }), resume("x")]) {
      expect(abilitiesNeeded(command)).toContain("publish_gates");
      expect(parseCommand(command)).toEqual({ ok: true, command });
    }
    for (const command of [advance(), resume(), testStart({ stages: [testStage("one")] })]) {
      expect(abilitiesNeeded(command)).not.toContain("publish_gates");
    }
    expect(parseCommand(report(FAILS, HOLDS)).ok).toBe(true);
    expect(
      parseCommand(report({ verdict: "fails", reason: "r".repeat(GATE_REASON_CHARACTERS_MAX + 1) })).ok,
    ).toBe(false);
  });

  it("R11 a plan of a build without gates is as it was", () => {
    machine.apply(testStart({ stages: [testStage("one", { regions: ["eu"] })] }));
    const plan = machine.state.json(stateKey.publish(PLAN)) as object;
    for (const field of ["creator_id", "stopped_by", "gates"]) expect(plan).not.toHaveProperty(field);
    bake();
    expect(machine.codeOf(advance())).toBe("accepted");
  });
});
