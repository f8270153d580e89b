import type { Command } from "../../domain/command/command.ts";
import { beforeEach, describe, expect, test } from "vitest";
import { createIn } from "../../adapters/core-client/testing/core-conformance.ts";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { MemoryLeaseStore } from "../../adapters/memory/memory-lease-store.ts";
import { memoryPublishGates, type SayGate } from "../../adapters/memory/memory-publish-gate.ts";
import type { LeaseStore } from "../../contracts/lease/lease-store.ts";
import { scheduledEvent } from "../../dev/lambda-events.ts";
import type { PublishChanged } from "../../domain/command/feed-entry.ts";
import { testCommand, testRule } from "../../domain/command/testing-commands.ts";
import type { PublishGate } from "../../domain/publish/publish-gate.ts";
import { publishStatus } from "../../domain/publish/publish-plan.ts";
import { createHandler } from "../../lambdas/publish-stage.ts";
import { MOVE_RESERVE_MS } from "../../lambdas/support/advance-due-publishes.ts";
import { PUBLISH_OVERDUE_MS } from "../../domain/limits.ts";

type Deps = Parameters<typeof createHandler>[0];
const MINUTE_MS = 60_000;
const CONTEXT = { getRemainingTimeInMillis: () => MINUTE_MS };
const NO_LEASES: LeaseStore = { acquire: () => Promise.resolve(true), release: () => Promise.resolve() };
const GATE: PublishGate = { type: "webhook", url: "https://g.example/", secret: "sealed", on_fail: "abort" };
const HOLDS: SayGate = () => ({ verdict: "holds" });
const WAITS: SayGate = () => ({ verdict: "waits", reason: "not yet" });
const FAILS: SayGate = () => ({ verdict: "fails", reason: "smoke" });

let nowMs = Date.UTC(2026, 0, 1);
let core: MemoryCore;
let lines: Record<string, string | number>[];
beforeEach(() => {
  core = new MemoryCore({ now: () => nowMs });
  lines = [];
});
const createRun = (say: SayGate, changes: Partial<Deps> = {}) =>
  createHandler({
    core,
    gates: memoryPublishGates(say),
    leases: new MemoryLeaseStore(() => nowMs),
    nowMs: () => nowMs,
    random: Math.random,
    newId: () => crypto.randomUUID().replaceAll("-", ""),
    log: (line) => lines.push(line),
    ...changes,
  });
const run = (say: SayGate, changes: Partial<Deps> = {}) =>
  createRun(say, changes)(scheduledEvent("publish-stage", nowMs), CONTEXT);

/** A plan of one stage that bakes for five minutes. */
async function begin(name = `${crypto.randomUUID()}.json`, gates = [GATE]): Promise<string> {
  const { result } = await createIn(core, name, "{}", { releases: [testRule(1)] });
  const started = await core.propose({
    command: testCommand("start_publish", {
      config_id: result.config.id,
      content: null,
      version_id: 1,
      description: "",
      strategy: "staged",
      form: 2,
      stages: [{ name: "first", regions: ["eu"], labels: null, bake_minutes: 5, gates }],
    }),
    attachments: [],
  });
  return started.result.publish.id;
}
const status = async (id: string): Promise<string> => publishStatus((await core.getPublish(id)).publish);
async function moves(id: string): Promise<string[]> {
  const { entries } = await core.feed({ after: 0, limit: 1000, wait_ms: 0, view: "full" });
  return entries.flatMap(({ events }) =>
    events
      .filter((event): event is PublishChanged => event.type === "publish_changed")
      .filter((event) => event.publish_id === id)
      .map((event) => `${event.to}: ${event.cause}`),
  );
}

describe("L1 P4 P5 publish-stage and gates", () => {
  test("lets a plan go on when it has baked and its gates hold, and not before", async () => {
    const id = await begin();
    expect(await run(HOLDS)).toMatchObject({ advanced: 0, waiting: 1 });
    nowMs += 5 * MINUTE_MS;
    expect(await run(WAITS)).toMatchObject({ advanced: 0, waiting: 1 });
    expect(await run(HOLDS)).toMatchObject({ advanced: 1, waiting: 0 });
    expect(await moves(id)).toEqual(["stage1: by_hand", "full: bake_over"]);
  });

  test("stops it in the middle of the bake time, once, however many see it fail", async () => {
    const ids = await Promise.all([1, 2, 3].map(() => begin()));
    const reports = await Promise.all([1, 2, 3].map(() => run(FAILS, { leases: NO_LEASES })));
    const stopped = reports.reduce((sum, report) => sum + ("stopped" in report ? report.stopped : 0), 0);
    expect(stopped).toBe(3);
    for (const id of ids) expect(await moves(id)).toEqual(["stage1: by_hand", "aborted: gate_failed"]);
  });

  test("writes nothing while gates say the same", async () => {
    await begin();
    await run(WAITS);
    const { index } = await core.status();
    await run(WAITS);
    await run(WAITS);
    expect((await core.status()).index).toBe(index);
  });

  test("an answer that is older than the plan stops nothing: who resumed it has seen more", async () => {
    const id = await begin();
    const command = testCommand("pause_publish", {
      publish_id: id,
      expected_stage: 1,
      minutes: 5,
      on_timeout: "abort",
    });
    const slow = memoryPublishGates(FAILS);
    const gates = {
      ...slow,
      webhook: {
        check: async (...asked: Parameters<typeof slow.webhook.check>) => {
          await core.propose({ command, attachments: [] });
          const resume = testCommand("resume_publish", { publish_id: id, skip_gates: "known" });
          await core.propose({ command: resume, attachments: [] });
          return slow.webhook.check(...asked);
        },
      },
    };
    expect(await run(FAILS, { gates })).toMatchObject({ stopped: 0, settled: 1 });
    expect(await status(id)).toBe("stage1");
  });

  test("dead between what it reports and the move, the next one goes on", async () => {
    const id = await begin();
    nowMs += 5 * MINUTE_MS;
    const dieAt = async (command: Command): Promise<void> => {
      if (command.kind === "advance_publish") throw new Error("dead");
    };
    const propose: MemoryCore["propose"] = (input) => dieAt(input.command).then(() => core.propose(input));
    const dying: Deps["core"] = {
      listDuePublishes: (input) => core.listDuePublishes(input),
      getPublish: (publish) => core.getPublish(publish),
      propose,
    };
    await expect(run(HOLDS, { core: dying })).rejects.toThrow("dead");
    expect((await core.getPublish(id)).publish.stages[0]?.gate_outcomes).toEqual([{ verdict: "holds" }]);
    expect(await run(HOLDS)).toMatchObject({ advanced: 1 });
    expect(await moves(id)).toEqual(["stage1: by_hand", "full: bake_over"]);
  });

  test("tells of a plan that is overdue, in a freeze, too, and of no other", async () => {
    const id = await begin();
    nowMs += 5 * MINUTE_MS + PUBLISH_OVERDUE_MS - 1;
    expect(await run(WAITS)).toMatchObject({ waiting: 1, overdue: 0 });
    nowMs += 1;
    expect(await run(WAITS)).toMatchObject({ waiting: 1, overdue: 1 });
    const freeze = {
      type: "absolute" as const,
      name: "f",
      namespaces: "demo/**",
      from_ms: 0,
      until_ms: 1e14,
    };
    const rules = testCommand("set_change_rules", { approvals: [], freezes: [freeze] });
    await core.propose({ command: rules, attachments: [] });
    expect(await run(HOLDS)).toMatchObject({ held: 1, overdue: 1 });
    expect(lines).toEqual([
      { level: "warn", msg: "publish overdue", publish_id: id, outcome: "waiting" },
      { level: "warn", msg: "publish overdue", publish_id: id, outcome: "held" },
    ]);
    expect(await run(FAILS)).toMatchObject({ stopped: 1 });
  });

  test("stops what a gate fails however many plans without gates a freeze holds, and tries as many of them as it has time for", async () => {
    for (let i = 0; i < 120; i += 1) await begin(`held-${i}.json`, []);
    nowMs += 5 * MINUTE_MS;
    const id = await begin("gated.json");
    const freeze = {
      type: "absolute" as const,
      name: "f",
      namespaces: "demo/**",
      from_ms: 0,
      until_ms: 1e14,
    };
    const rules = testCommand("set_change_rules", { approvals: [], freezes: [freeze] });
    await core.propose({ command: rules, attachments: [] });
    // Each proposal takes half a second of the invocation's time.
    let remainingMs = MINUTE_MS;
    const propose: MemoryCore["propose"] = (input) => {
      remainingMs -= 500;
      return core.propose(input);
    };
    const slow: Deps["core"] = {
      listDuePublishes: (input) => core.listDuePublishes(input),
      getPublish: (publish) => core.getPublish(publish),
      propose,
    };
    const report = await createRun(FAILS, { core: slow })(scheduledEvent("publish-stage", nowMs), {
      getRemainingTimeInMillis: () => remainingMs,
    });
    expect(report).toMatchObject({ stopped: 1, left: true });
    expect(await status(id)).toBe("aborted");
    expect("held" in report && report.held).toBeGreaterThan(80);
    expect(remainingMs).toBeLessThan(MOVE_RESERVE_MS);
  });

  test("asks all gates of many plans, and none twice in a run", async () => {
    const ids = await Promise.all(Array.from({ length: 130 }, (_, i) => begin(`many-${i}.json`)));
    const asked: string[] = [];
    const say: SayGate = ({ plan }) => {
      asked.push(plan.id);
      return { verdict: "waits", reason: "not yet" };
    };
    expect(await run(say)).toMatchObject({ waiting: 130 });
    expect(asked.toSorted()).toEqual(ids.toSorted());
  });
});
