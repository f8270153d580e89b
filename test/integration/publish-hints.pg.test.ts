import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { createIn } from "../../adapters/core-client/testing/core-conformance.ts";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { MemoryCursorStore } from "../../adapters/memory/memory-cursor-store.ts";
import { MemoryLeaseStore } from "../../adapters/memory/memory-lease-store.ts";
import { memoryPublishGates } from "../../adapters/memory/memory-publish-gate.ts";
import { MemoryPublishHintQueue } from "../../adapters/memory/memory-publish-hint-queue.ts";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { ensureTenant } from "../../adapters/postgres/seed-access.ts";
import { createApprovalGate } from "../../adapters/publish-gate/approval-gate.ts";
import { SqsPublishHintQueue } from "../../adapters/publish-hint/sqs-publish-hint-queue.ts";
import type {
  PublishHint,
  PublishHintQueue,
  UnsentHint,
} from "../../contracts/publish/publish-hint-queue.ts";
import { queueEvent } from "../../dev/lambda-events.ts";
import type { CommandPayloads } from "../../domain/command/command.ts";
import { testCommand, testRule } from "../../domain/command/testing-commands.ts";
import type { PublishGate } from "../../domain/publish/publish-gate.ts";
import { publishStatus } from "../../domain/publish/publish-plan.ts";
import { createHandler as createProjection } from "../../lambdas/feed-projection.ts";
import { createHandler as createStage } from "../../lambdas/publish-stage.ts";
import { cloneDatabase } from "../testing/postgres.ts";

const MINUTE_MS = 60_000;
/** Runs one round of the projection's loop. */
const ONE_ROUND = { getRemainingTimeInMillis: () => 1 };
const rounds = (n: number) => {
  let left = n * 2;
  return { getRemainingTimeInMillis: () => ((left -= 1) > 0 ? 5_001 : 1) };
};
type Stages = CommandPayloads["start_publish"]["stages"];
const stage = (name: string, bake_minutes: number | null, gates?: PublishGate[]): Stages[number] => ({
  name,
  regions: [name],
  labels: null,
  bake_minutes,
  ...(gates === undefined ? {} : { gates }),
});

let nowMs = Date.UTC(2026, 0, 1);
let core: MemoryCore;
let database: Database;
let cursors: MemoryCursorStore;
let queue: MemoryPublishHintQueue;
let lines: Record<string, string | number>[];
const closing: (() => Promise<void>)[] = [];
beforeEach(async () => {
  const urls = await cloneDatabase();
  const seeding = connectPostgres(urls.ownerUrl);
  await ensureTenant(seeding, { tenant: "demo", clusterId: "c1" });
  await seeding.close();
  database = connectPostgres(urls.appUrl);
  const used = database;
  closing.push(() => used.close());
  core = new MemoryCore({ now: () => nowMs });
  cursors = new MemoryCursorStore(() => nowMs);
  queue = new MemoryPublishHintQueue();
  lines = [];
});
afterAll(() => Promise.all(closing.map((close) => close())));

const project = (
  changes: Partial<Parameters<typeof createProjection>[0]> = {},
  context: { getRemainingTimeInMillis: () => number } = ONE_ROUND,
) =>
  createProjection({
    core,
    database,
    cursors,
    hints: queue,
    nowMs: () => nowMs,
    log: (line) => lines.push(line),
    ...changes,
  })({}, context);
async function begin(stages: Stages): Promise<string> {
  const name = `${crypto.randomUUID()}.json`;
  const { result } = await createIn(core, name, "{}", { releases: [testRule(1)] });
  const command = testCommand("start_publish", {
    config_id: result.config.id,
    content: null,
    version_id: 1,
    description: "",
    strategy: "staged",
    form: 2,
    stages,
  });
  return (await core.propose({ command, attachments: [] })).result.publish.id;
}
const approve = (publish_id: string, by: string) =>
  core.propose({
    command: testCommand(
      "approve_publish_stage",
      { publish_id, expected_stage: 1, comment: "" },
      { actor: { type: "user", id: by, name: by } },
    ),
    attachments: [],
  });
const status = async (id: string) => publishStatus((await core.getPublish(id)).publish);
/** The hints that were sent since the last call. */
const sent = (): PublishHint[] => queue.taken.splice(0);
/** Hands hints to publish-stage as SQS does, and answers how many must come again. */
async function deliver(hints: readonly PublishHint[]): Promise<number> {
  const handler = createStage({
    core,
    gates: { ...memoryPublishGates(() => ({ verdict: "holds" })), approval: createApprovalGate() },
    leases: new MemoryLeaseStore(() => nowMs),
    nowMs: () => nowMs,
    random: () => 0,
    newId: () => crypto.randomUUID().replaceAll("-", ""),
    log: (line) => lines.push(line),
  });
  const messages = hints.map(({ publish_id }, i) => {
    return { messageId: `m${i}`, body: JSON.stringify({ publish_id }), receiveCount: 1, sentAtMs: nowMs };
  });
  const answer = await handler(queueEvent("hints", messages, nowMs), {
    getRemainingTimeInMillis: () => MINUTE_MS,
  });
  if (!("batchItemFailures" in answer)) return expect.unreachable();
  return answer.batchItemFailures.length;
}

describe("L1 P4 hints of the projection", () => {
  test("alone take a plan through all of its stages, each as soon as it has baked", async () => {
    const id = await begin([stage("a", 1), stage("b", 2), stage("c", 14)]);
    for (const [waitS, next] of [
      [61, "stage2"],
      [121, "stage3"],
      [841, "full"],
    ] as const) {
      expect(await project()).toMatchObject({ hints: { sent: 1, unsent: 0 } });
      const hints = sent();
      expect(hints).toEqual([{ publish_id: id, delay_s: waitS }]);
      nowMs += (waitS - 2) * 1000;
      await deliver(hints);
      expect(await status(id)).not.toBe(next);
      nowMs += 2_000;
      expect(await deliver([...hints, ...hints])).toBe(0);
      expect(await status(id)).toBe(next);
    }
    expect(await project()).toMatchObject({ hints: { sent: 0, unsent: 0 } });
  });

  test("the last approval after the bake moves the plan at once", async () => {
    const id = await begin([stage("a", 1, [{ type: "approval", approvers: 2 }])]);
    nowMs += 30 * MINUTE_MS;
    await project();
    await approve(id, "u-2");
    await project();
    expect(sent()).toEqual([]);
    await approve(id, "u-3");
    await project();
    const hints = sent();
    expect(hints).toEqual([{ publish_id: id, delay_s: 0 }]);
    await deliver(hints);
    expect(await status(id)).toBe("full");
  });

  test("P5 a resumed plan and a forgotten pause have theirs", async () => {
    const id = await begin([stage("a", 5)]);
    const pause = testCommand("pause_publish", {
      publish_id: id,
      expected_stage: 1,
      minutes: 10,
      on_timeout: "resume",
    });
    await project();
    nowMs += MINUTE_MS;
    await core.propose({ command: pause, attachments: [] });
    await project();
    const [first, forgotten] = sent();
    expect([first?.delay_s, forgotten?.delay_s]).toEqual([301, 601]);
    nowMs += 10 * MINUTE_MS;
    await deliver([forgotten!]);
    expect(await status(id)).toBe("stage1");
    await project();
    const [resumed] = sent();
    // Four of its five minutes are left.
    expect(resumed?.delay_s).toBe(241);
    nowMs += 4 * MINUTE_MS;
    await deliver([resumed!]);
    expect(await status(id)).toBe("full");
  });

  test("of runs at once, in batches that overlap, each plan has one hint", async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => begin([stage("a", 1)])));
    await Promise.all([3, 4, 7].map((batchMax) => project({ batchMax }, rounds(40))));
    expect(
      sent()
        .map(({ publish_id }) => publish_id)
        .toSorted(),
    ).toEqual(ids.toSorted());
  });
});

describe("L1 a projection that is made anew", () => {
  test("sends hints for the plans that are due soon, and for none of those before", async () => {
    for (let i = 0; i < 150; i += 1) {
      await begin([stage("a", i % 3 === 0 ? null : 1 + i)]);
      nowMs += 30 * MINUTE_MS;
    }
    const soon = await begin([stage("a", 3)]);
    await project({ batchMax: 40 }, rounds(20));
    const again = { cursors: new MemoryCursorStore(() => nowMs), batchMax: 40 };
    const first = sent();
    const report = await project(again, rounds(20));
    expect(report).toMatchObject({ position: { index: (await core.status()).index }, rows: 0 });
    expect(sent()).toEqual(first);
    expect(first).toContainEqual({ publish_id: soon, delay_s: 181 });
    // Plans of 2 to 150 minutes were begun every half an hour: one of them may end within the next quarter.
    for (const { publish_id, delay_s } of first) {
      const [of] = (await core.getPublish(publish_id)).publish.stages;
      const endsMs = (of?.started_at_ms ?? 0) + (of?.bake_minutes ?? 0) * MINUTE_MS;
      expect(Math.abs(endsMs + 1_000 - (nowMs + delay_s * 1000))).toBeLessThanOrEqual(1_000);
    }
    expect(first.length).toBeLessThan(5);
  });

  test("never sends more at once than its limit, and says how many it left to the schedule", async () => {
    for (let i = 0; i < 130; i += 1) await begin([stage("a", 5)]);
    expect(await project()).toMatchObject({ hints: { sent: 100, unsent: 30 } });
    expect(lines).toEqual([
      { level: "warn", msg: "publish hints not sent", hints: 30, reason: "too many at once" },
    ]);
  });
});

describe("L1 a queue of hints that does not do as it should", () => {
  const projectWith = (hints: PublishHintQueue, n: number) => project({ hints, batchMax: 2 }, rounds(n));

  test("away: every row is written, and what was not sent is counted and told", async () => {
    for (let i = 0; i < 3; i += 1) await begin([stage("a", 1)]);
    const environment = { AWS_REGION: "x", AWS_ACCESS_KEY_ID: "x", AWS_SECRET_ACCESS_KEY: "x" };
    const away = new SqsPublishHintQueue({
      queueUrl: "http://127.0.0.1:1/1/hints",
      environment,
      nowMs: () => nowMs,
    });
    const report = await projectWith(away, 4);
    const { index } = await core.status();
    expect(report).toMatchObject({ rows: index, position: { index }, hints: { sent: 0, unsent: 3 } });
    expect(lines.reduce((sum, line) => sum + Number(line["hints"]), 0)).toBe(3);
    expect(new Set(lines.map((line) => line["msg"]))).toEqual(new Set(["publish hints not sent"]));
  });

  test("slow: the projection goes on to the end of the feed before the queue has answered once", async () => {
    for (let i = 0; i < 5; i += 1) await begin([stage("a", 1)]);
    const { index } = await core.status();
    let answer: (unsent: UnsentHint[]) => void = () => undefined;
    const asked: (readonly PublishHint[])[] = [];
    const slow: PublishHintQueue = {
      send: (hints) => {
        asked.push(hints);
        return new Promise((resolve) => (answer = resolve));
      },
    };
    const running = projectWith(slow, 6);
    await expect
      .poll(async () => (await cursors.read({ projection: "postgres", clusterId: "c1" }))?.index)
      .toBe(index);
    expect(asked).toHaveLength(1);
    answer([]);
    await expect.poll(() => asked.length).toBe(2);
    answer([]);
    expect(await running).toMatchObject({ rows: index, hints: { sent: 5, unsent: 0 } });
  });

  test("a projection that fails says why, and not that its hints are still on their way", async () => {
    await begin([stage("a", 1)]);
    let calls = 0;
    const failing: Pick<MemoryCore, "status" | "feed"> = {
      status: () => core.status(),
      feed: (input) => {
        calls += 1;
        return calls === 1 ? core.feed(input) : Promise.reject(new Error("the feed broke"));
      },
    };
    await expect(project({ core: failing }, rounds(4))).rejects.toThrow("the feed broke");
    expect(sent()).toHaveLength(1);
  });
});
