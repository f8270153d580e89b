import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { createIn } from "../../adapters/core-client/testing/core-conformance.ts";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { MemoryLeaseStore } from "../../adapters/memory/memory-lease-store.ts";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { ensureTenant } from "../../adapters/postgres/seed-access.ts";
import type { ReportState } from "../../domain/delivery/delivery-report.ts";
import { testCommand, testRule } from "../../domain/command/testing-commands.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import { scheduledEvent } from "../../dev/lambda-events.ts";
import { createHandler } from "../../lambdas/publish-stage.ts";
import { createPublishGates } from "../../lambdas/support/publish-gates.ts";
import { consumeDelivery } from "../../workers/admin/consume-delivery.ts";
import { cloneDatabase } from "../testing/postgres.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const CONTEXT = { getRemainingTimeInMillis: () => MINUTE_MS };

let nowMs = Date.parse("2026-03-04T12:00:00Z");
let database: Database;
let core: MemoryCore;
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
});
afterAll(() => Promise.all(closing.map((close) => close())));

const run = (on: Database = database) =>
  createHandler({
    core,
    gates: createPublishGates({
      core,
      database: on,
      post: () => expect.unreachable(),
      serviceKey: "a service key of at least thirty-two bytes",
      nowMs: () => nowMs,
    }),
    leases: new MemoryLeaseStore(() => nowMs),
    nowMs: () => nowMs,
    random: () => 0,
    newId: () => crypto.randomUUID().replaceAll("-", ""),
    log: () => undefined,
  })(scheduledEvent("publish-stage", nowMs), CONTEXT);

/** As clients report it, through the consumer of the queue. */
async function said(name: string, version: number, clients: string[], state: ReportState): Promise<void> {
  const messages = clients.map((client_id) => ({
    id: client_id,
    attempts: 1,
    ack: () => undefined,
    retry: () => expect.unreachable(),
    body: {
      kind: "reports",
      tenant: "demo",
      region: "eu",
      client_id,
      received_at_ms: nowMs,
      reports: [
        {
          config: `demo/shop/prod/${name}`,
          version,
          state,
          reason: null,
          at_ms: nowMs,
          position: { cluster_id: "c1", epoch: 1, index: nowMs },
          change_index: null,
        },
      ],
    },
  }));
  await consumeDelivery(messages, { database, nowMs: () => nowMs, log: () => undefined });
}
const clients = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`);

/** A plan of version 2 whose one stage asks for 10 clients and bakes for 5 minutes. */
async function begin(name: string, on_fail: "pause" | "abort"): Promise<string> {
  const { result } = await createIn(core, name, "[]", { releases: [testRule(1)] });
  return beginNext(result, on_fail, 2);
}

/** The same of the next version of a config that is there, whose number `version_id` is. */
async function beginNext(
  { config, version }: Awaited<ReturnType<typeof createIn>>["result"],
  on_fail: "pause" | "abort",
  version_id: number,
): Promise<string> {
  await core.propose({
    command: testCommand("create_version", {
      config_id: config.id,
      content: { attachment: 0, sha256: version.sha256 },
      format: null,
      schema: null,
      description: "next",
    }),
    attachments: [new TextEncoder().encode("[]")],
  });
  const gates = [{ type: "delivery_reports" as const, max_error_percent: 5, sample_min: 10, on_fail }];
  const started = await core.propose({
    command: testCommand("start_publish", {
      config_id: config.id,
      content: null,
      version_id,
      description: "",
      strategy: "staged",
      form: 2,
      stages: [{ name: "first", regions: ["eu"], labels: null, bake_minutes: 5, gates }],
    }),
    attachments: [],
  });
  return started.result.publish.id;
}
const plan = async (id: string): Promise<PublishPlan> => (await core.getPublish(id)).publish;
const verdict = async (id: string) => (await plan(id)).stages[0]?.gate_outcomes?.[0];

describe("P5 E16 a gate on what clients report", () => {
  test("waits for enough clients, holds while few of them fail, and then lets the plan go on", async () => {
    const id = await begin("a.json", "abort");
    await said("a.json", 1, clients("old", 20), "applied");
    await said("a.json", 2, clients("new", 9), "applied");
    expect(await run()).toMatchObject({ waiting: 1 });
    expect(await verdict(id)).toEqual({ verdict: "waits", reason: "9 of 10 clients have reported" });
    await said("a.json", 2, clients("new", 10), "applied");
    expect(await run()).toMatchObject({ waiting: 1 });
    expect(await verdict(id)).toEqual({ verdict: "holds" });
    nowMs += 5 * MINUTE_MS;
    expect(await run()).toMatchObject({ advanced: 1 });
    expect((await plan(id)).state).toBe("full");
  });

  test("takes the version back in the middle of the bake time when clients refuse it", async () => {
    const id = await begin("b.json", "abort");
    await said("b.json", 1, clients("old", 20), "applied");
    await said("b.json", 2, clients("good", 10), "applied");
    await said("b.json", 2, clients("bad", 2), "rejected");
    expect(await run()).toMatchObject({ stopped: 1 });
    expect(await plan(id)).toMatchObject({
      state: "aborted",
      stopped_by: {
        gate: "delivery_reports",
        reason:
          "16.7 % of 12 clients fail with the version, 0.0 % of 20 without it; allowed are 5 points more",
      },
    });
    expect(await run()).toMatchObject({ stopped: 0, waiting: 0 });
  });

  test("does not blame a version for what fails without it, too", async () => {
    const id = await begin("c.json", "pause");
    await said("c.json", 1, clients("old", 10), "applied");
    await said("c.json", 1, clients("broken", 10), "error");
    await said("c.json", 2, [...clients("new", 10)], "applied");
    await said("c.json", 2, clients("also", 10), "error");
    await run();
    expect(await verdict(id)).toEqual({ verdict: "holds" });
    // Those that were not heard of for a day no longer speak for the version before.
    nowMs += DAY_MS + MINUTE_MS;
    expect(await run()).toMatchObject({ stopped: 1 });
    expect((await plan(id)).state).toBe("paused");
  });

  test("takes no word from before the plan, nor on a version that is not there", async () => {
    await said("d.json", 2, clients("early", 20), "error");
    nowMs += MINUTE_MS;
    const id = await begin("d.json", "abort");
    await said("d.json", 7, clients("liar", 20), "applied");
    await run();
    expect(await verdict(id)).toEqual({ verdict: "waits", reason: "0 of 10 clients have reported" });
  });

  test("takes what clients said of an aborted version as no word on what the others have", async () => {
    const { result } = await createIn(core, "f.json", "[]", { releases: [testRule(1)] });
    const aborted = await beginNext(result, "abort", 2);
    await said("f.json", 1, clients("old", 20), "applied");
    await said("f.json", 2, clients("refused", 20), "rejected");
    expect(await run()).toMatchObject({ stopped: 1 });
    expect((await plan(aborted)).state).toBe("aborted");
    nowMs += MINUTE_MS;
    const id = await beginNext(result, "abort", 3);
    await said("f.json", 3, clients("new", 10), "applied");
    await said("f.json", 3, clients("bad", 10), "rejected");
    expect(await run()).toMatchObject({ stopped: 1 });
    expect((await plan(id)).stopped_by?.reason).toBe(
      "50.0 % of 20 clients fail with the version, 0.0 % of 20 without it; allowed are 5 points more",
    );
  });

  test("A7 waits, and other plans go on, while Postgres is away; an hour after its time it is overdue", async () => {
    const id = await begin("e.json", "abort");
    const nowhere = connectPostgres("postgres://nobody:x@127.0.0.1:1/none");
    closing.push(() => nowhere.close());
    expect(await run(nowhere)).toMatchObject({ waiting: 1, overdue: 0 });
    expect(await verdict(id)).toMatchObject({
      verdict: "waits",
      reason: expect.stringContaining("unavailable") as string,
    });
    nowMs += 66 * MINUTE_MS;
    expect(await run(nowhere)).toMatchObject({ waiting: 1, overdue: 1 });
  });
});
