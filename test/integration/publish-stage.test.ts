// Over 400 lines: what the function does is walked over one setup, with its crashes.
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { publishIn } from "../../adapters/core-client/testing/publish-conformance.ts";
import { connectDynamoDb } from "../../adapters/dynamodb/connect-dynamodb.ts";
import { createMissingTables } from "../../adapters/dynamodb/create-tables.ts";
import { DynamoDbLeaseStore } from "../../adapters/dynamodb/dynamodb-lease-store.ts";
import { startDynalite } from "../../adapters/dynamodb/testing/start-dynalite.ts";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { memoryPublishGates } from "../../adapters/memory/memory-publish-gate.ts";
import { LEASES_TABLE } from "../../contracts/dynamodb/tables.ts";
import type { LeaseStore } from "../../contracts/lease/lease-store.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { scheduledEvent } from "../../dev/lambda-events.ts";
import { invoke, invokeBatch } from "../../dev/lambda-invoke.ts";
import { checkInvariants } from "../../domain/command/check-invariants.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import type { PublishChanged } from "../../domain/command/feed-entry.ts";
import { testCommand } from "../../domain/command/testing-commands.ts";
import { createHandler } from "../../lambdas/publish-stage.ts";
import { IN_FLIGHT_MAX, MOVE_RESERVE_MS } from "../../lambdas/support/advance-due-publishes.ts";

type Deps = Parameters<typeof createHandler>[0];

const dynalite = await startDynalite();
const dynamo = connectDynamoDb(dynalite.endpoint);
await createMissingTables(dynamo, [LEASES_TABLE]);
afterAll(() => dynalite.stop());

const MINUTE_MS = 60_000;
const LEASE_OVER_MS = 60_000;
const CONTEXT = { getRemainingTimeInMillis: () => MINUTE_MS };
const EVENT = scheduledEvent("publish-stage", 0);

/** The log's time and the functions' clock. Each test's leases end before the next one begins. */
let nowMs = Date.UTC(2026, 0, 1);
let core: MemoryCore;
let cluster = 0;
beforeEach(() => {
  nowMs += 60 * MINUTE_MS;
  // Ids of plans carry the cluster, and leases are named by them.
  core = new MemoryCore({ now: () => nowMs, clusterId: `c${(cluster += 1)}` });
});

const leases = (): LeaseStore => new DynamoDbLeaseStore(dynamo, () => nowMs);
const stageFunction = (changes: Partial<Deps> = {}) =>
  createHandler({
    core,
    leases: leases(),
    gates: memoryPublishGates(() => ({ verdict: "holds" })),
    nowMs: () => nowMs,
    random: Math.random,
    newId: () => crypto.randomUUID().replaceAll("-", ""),
    log: () => undefined,
    ...changes,
  });
/** Makes `n` plans that are due a minute from now. */
async function publish(n: number, bakeMinutes: number | null = 1): Promise<string[]> {
  const ids: string[] = [];
  for (let i = 0; i < n; i += 1) {
    const name = `${crypto.randomUUID()}.json`;
    ids.push((await publishIn(core, { name, text: "[]", bakeMinutes })).result.publish.id);
    // One after another comes due.
    nowMs += 1;
  }
  return ids;
}
const stateOf = async (id: string): Promise<string> => (await core.getPublish(id)).publish.state;
/** The moves of each plan, as the feed tells them. */
async function moves(): Promise<Map<string, string[]>> {
  const { entries } = await core.feed({ after: 0, limit: 1000, wait_ms: 0, view: "full" });
  const changed = entries.flatMap((entry) =>
    entry.events.filter((event): event is PublishChanged => event.type === "publish_changed"),
  );
  const byPlan = Map.groupBy(changed, (event) => event.publish_id);
  return new Map([...byPlan].map(([id, events]) => [id, events.map((event) => event.to)]));
}
const bound = (of: MemoryCore): Deps["core"] => ({
  listDuePublishes: (input) => of.listDuePublishes(input),
  getPublish: (id) => of.getPublish(id),
  propose: of.propose.bind(of),
});
/** The core, with `between` around every move that is proposed to it. */
function around(
  between: (command: CommandOf<"advance_publish">, go: () => Promise<unknown>) => Promise<unknown>,
): Deps["core"] {
  const live = bound(core);
  const propose = (input: { command: CommandOf<"advance_publish">; attachments: [] }) =>
    between(input.command, () => live.propose(input));
  return { ...live, propose: propose as Deps["core"]["propose"] };
}

/** Every plan went from its stage to everyone, once. */
async function expectFullOnce(ids: readonly string[]): Promise<void> {
  const made = await moves();
  for (const id of ids) expect([id, made.get(id)]).toEqual([id, ["stage1", "full"]]);
  expect(checkInvariants(core.state)).toEqual([]);
}

describe("L1 P4 publish-stage", () => {
  test("moves on what has baked, in the name of the system, and leaves the rest", async () => {
    const due = await publish(3);
    const later = await publish(1, 2);
    const byHand = await publish(1, null);
    expect(await stageFunction()(EVENT, CONTEXT)).toEqual({
      advanced: 0,
      stopped: 0,
      waiting: 0,
      settled: 0,
      leased: 0,
      held: 0,
      overdue: 0,
      left: false,
    });
    nowMs += MINUTE_MS;
    expect(await stageFunction()(EVENT, CONTEXT)).toMatchObject({ advanced: 3 });
    await expectFullOnce(due);
    expect([await stateOf(later[0] ?? ""), await stateOf(byHand[0] ?? "")]).toEqual(["baking", "baking"]);
    const { entries } = await core.feed({ after: 0, limit: 1000, wait_ms: 0, view: "full" });
    expect(entries.at(-1)).toMatchObject({
      kind: "advance_publish",
      trace_id: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      events: [{ type: "config_changed" }, { type: "publish_changed", cause: "bake_over" }],
      audit: { actor: { type: "system", id: "publish-stage" }, action: "publish" },
    });
  });

  test("a backlog over several pages is drained, the longest due first", async () => {
    const ids = await publish(120);
    nowMs += MINUTE_MS;
    const order: string[] = [];
    const watching = around((command, go) => {
      order.push(command.payload.publish_id);
      return go();
    });
    expect(await stageFunction({ core: watching })(EVENT, CONTEXT)).toMatchObject({ advanced: 120 });
    expect(order).toHaveLength(120);
    // Side by side, so many at a time.
    const apart = ids.map((id, i) => Math.abs(order.indexOf(id) - i));
    expect(Math.max(...apart)).toBeLessThan(2 * IN_FLIGHT_MAX);
    await expectFullOnce(ids);
  });

  test("a repeated event and runs at once move each plan once", async () => {
    const ids = await publish(30);
    nowMs += MINUTE_MS;
    const reports = await Promise.all([1, 2, 3].map(() => stageFunction()(EVENT, CONTEXT)));
    const advanced = reports.reduce((sum, report) => sum + ("advanced" in report ? report.advanced : 0), 0);
    expect(advanced).toBe(30);
    expect(await stageFunction()(EVENT, CONTEXT)).toMatchObject({ advanced: 0 });
    await expectFullOnce(ids);
  });

  test("without leases, too: they only save work", async () => {
    const ids = await publish(10);
    nowMs += MINUTE_MS;
    const none: LeaseStore = { acquire: () => Promise.resolve(true), release: () => Promise.resolve() };
    await Promise.all([1, 2, 3].map(() => stageFunction({ leases: none })(EVENT, CONTEXT)));
    await expectFullOnce(ids);
  });

  test("what another run holds is left to it", async () => {
    const [id = ""] = await publish(1);
    nowMs += MINUTE_MS;
    await leases().acquire("publish-stage/due", "another run", 15_000);
    expect(await stageFunction()(EVENT, CONTEXT)).toMatchObject({ advanced: 0, leased: 1 });
    nowMs += 15_000;
    expect(await stageFunction()(EVENT, CONTEXT)).toMatchObject({ advanced: 1 });
    expect(await stateOf(id)).toBe("full");
    // It was given back.
    expect(await leases().acquire("publish-stage/due", "another run", 15_000)).toBe(true);
  });

  test("R9 whether a stage has baked is for the log's time to say, not for the function's clock", async () => {
    const ids = await publish(2);
    const before = await core.status();
    expect(await stageFunction({ nowMs: () => nowMs + 60 * MINUTE_MS })(EVENT, CONTEXT)).toMatchObject({
      advanced: 0,
      settled: 2,
    });
    for (const id of ids) expect(await stateOf(id)).toBe("baking");
    expect((await core.feed({ after: 0, limit: 9, wait_ms: 0, view: "full" })).entries).toHaveLength(4);
    expect(before.index).toBe(4);
    nowMs += MINUTE_MS;
    await stageFunction()(EVENT, CONTEXT);
    await expectFullOnce(ids);
  });

  test("a plan that was aborted, or went with its config, between the list and the move is left alone", async () => {
    const [aborted = "", deleted = ""] = await publish(2);
    nowMs += MINUTE_MS;
    const page = await core.listDuePublishes({ due_before_ms: nowMs, limit: 9 });
    const abort = testCommand("abort_publish", { publish_id: aborted });
    await core.propose({ command: abort, attachments: [] });
    const { config_id } = (await core.getPublish(deleted)).publish;
    await core.propose({ command: testCommand("delete_config", { config_id }), attachments: [] });
    const stale = { ...bound(core), listDuePublishes: () => Promise.resolve(page) };
    expect(await stageFunction({ core: stale })(EVENT, CONTEXT)).toMatchObject({ advanced: 0, settled: 2 });
    expect(await stateOf(aborted)).toBe("aborted");
  });
});

describe("L1 publish-stage that is cut off", () => {
  /** A process that dies at its n-th action: before it, or when it is done but before the answer. */
  function dying(n: number, after: boolean): Pick<Deps, "core" | "leases"> {
    let actions = 0;
    const step = async <T>(action: () => Promise<T>): Promise<T> => {
      actions += 1;
      if (actions > n || (actions === n && !after)) throw new Error("crash");
      const answer = await action();
      if (actions === n) throw new Error("crash");
      return answer;
    };
    const store = leases();
    const live = bound(core);
    return {
      core: {
        listDuePublishes: (input) => step(() => live.listDuePublishes(input)),
        getPublish: (id) => step(() => live.getPublish(id)),
        propose: ((input: Parameters<typeof live.propose>[0]) =>
          step<unknown>(() => live.propose(input))) as typeof live.propose,
      },
      leases: {
        acquire: (...lease) => step(() => store.acquire(...lease)),
        release: (...lease) => step(() => store.release(...lease)),
      },
    };
  }
  /** List, then for one plan: lease, move, lease. */
  const ACTIONS = 4;
  const CRASHES = Array.from({ length: ACTIONS }, (_, i) =>
    [false, true].map((after) => [i + 1, after] as const),
  );

  test.each(CRASHES.flat())(
    "at action %i (done: %s) leaves work that the next run ends once",
    async (n, after) => {
      const ids = await publish(1);
      nowMs += MINUTE_MS;
      await expect(stageFunction(dying(n, after))(EVENT, CONTEXT)).rejects.toThrow("crash");
      nowMs += LEASE_OVER_MS;
      await stageFunction()(EVENT, CONTEXT);
      await expectFullOnce(ids);
    },
  );

  test("anywhere among many plans, again and again, ends with each moved once", async () => {
    const ids = await publish(12);
    nowMs += MINUTE_MS;
    for (let n = 1; n < 40; n += 3) {
      await stageFunction(dying(n, n % 2 === 0))(EVENT, CONTEXT).catch((error: unknown) => {
        expect(String(error)).toContain("crash");
      });
      nowMs += LEASE_OVER_MS;
    }
    await stageFunction()(EVENT, CONTEXT);
    await expectFullOnce(ids);
  });

  test("an answer that was lost is asked for again under the same key, and counts once", async () => {
    const ids = await publish(1);
    nowMs += MINUTE_MS;
    const lost = new ConfluxError("outcome_unknown", "cut off");
    const lossy = around((_command, go) => go().then(() => Promise.reject(lost)));
    await expect(stageFunction({ core: lossy })(EVENT, CONTEXT)).rejects.toBe(lost);
    const page = { items: [{ ...(await core.getPublish(ids[0] ?? "")).publish, stage: 1 }] };
    const stale: Deps["core"] = {
      ...bound(core),
      listDuePublishes: async (input) => ({ ...(await core.listDuePublishes(input)), ...page }),
    };
    expect(await stageFunction({ core: stale })(EVENT, CONTEXT)).toMatchObject({ advanced: 0, settled: 1 });
    await expectFullOnce(ids);
  });

  test("one plan that fails keeps no other back, and fails the invocation by name", async () => {
    const ids = await publish(5);
    nowMs += MINUTE_MS;
    const [, bad = ""] = ids;
    const failing = around((command, go) =>
      command.payload.publish_id === bad
        ? Promise.reject(new ConfluxError("internal", "disk on fire"))
        : go(),
    );
    await expect(stageFunction({ core: failing })(EVENT, CONTEXT)).rejects.toThrow(
      `1 plans failed: ${bad}: disk`,
    );
    await expectFullOnce(ids.filter((id) => id !== bad));
    expect(await stateOf(bad)).toBe("baking");
    await stageFunction()(EVENT, CONTEXT);
    await expectFullOnce(ids);
  });

  test("a core or a DynamoDB that is away ends it at once; the next one goes on", async () => {
    const ids = await publish(40);
    nowMs += MINUTE_MS;
    const away = new ConfluxError("not_proposed", "no core");
    let tries = 0;
    const refusing = around(() => {
      tries += 1;
      return Promise.reject(away);
    });
    await expect(stageFunction({ core: refusing })(EVENT, CONTEXT)).rejects.toBe(away);
    expect(tries).toBeLessThanOrEqual(IN_FLIGHT_MAX);
    const nowhere = connectDynamoDb({ ...dynalite.endpoint, url: "http://127.0.0.1:1" });
    const noLeases = new DynamoDbLeaseStore(nowhere, () => nowMs);
    await expect(stageFunction({ leases: noLeases })(EVENT, CONTEXT)).rejects.toMatchObject({
      code: "unavailable",
    });
    await stageFunction()(EVENT, CONTEXT);
    await expectFullOnce(ids);
  });

  test("short of time it begins nothing more, says so, and the next one goes on", async () => {
    const ids = await publish(20);
    nowMs += MINUTE_MS;
    // The first two times it looks at how long it has.
    let left = 12;
    const context = { getRemainingTimeInMillis: () => ((left -= 1) >= 0 ? MINUTE_MS : MOVE_RESERVE_MS - 1) };
    expect(await stageFunction()(EVENT, context)).toMatchObject({ advanced: 10, left: true });
    expect(await stageFunction()(EVENT, CONTEXT)).toMatchObject({ advanced: 10, left: false });
    await expectFullOnce(ids);
  });
});

describe("L1 publish-stage under the local runner", () => {
  const local = (changes: Partial<Deps> = {}) => ({
    name: "publish-stage",
    timeoutMs: MINUTE_MS,
    handler: stageFunction(changes),
  });

  test("takes a schedule's event", async () => {
    const ids = await publish(2);
    nowMs += MINUTE_MS;
    expect(await invoke(local(), scheduledEvent("publish-stage", nowMs))).toMatchObject({ advanced: 2 });
    await expectFullOnce(ids);
  });

  test("takes a batch of hints, and only what failed comes again", async () => {
    const [due = "", bad = ""] = await publish(2);
    const [later = ""] = await publish(1, 5);
    nowMs += MINUTE_MS;
    const failing = around((command, go) =>
      command.payload.publish_id === bad
        ? Promise.reject(new ConfluxError("not_proposed", "no leader"))
        : go(),
    );
    const bodies = [
      JSON.stringify({ publish_id: due }),
      JSON.stringify({ publish_id: bad }),
      JSON.stringify({ publish_id: later }),
      JSON.stringify({ publish_id: "pub-x-1" }),
      "no hint",
      JSON.stringify({ publish: due }),
    ];
    const messages = bodies.map((body, i) => ({
      messageId: `m${i}`,
      body,
      receiveCount: 1,
      sentAtMs: nowMs,
    }));
    const fn = local({ core: failing });
    const { failed, error } = await invokeBatch(
      {
        ...fn,
        handler: async (event, context) => (await fn.handler(event, context)) as { batchItemFailures: [] },
      },
      { queue: "hints", messages, nowMs },
    );
    expect([failed.map((message) => message.messageId), error]).toEqual([["m1", "m4", "m5"], null]);
    expect([await stateOf(due), await stateOf(bad), await stateOf(later)]).toEqual([
      "full",
      "baking",
      "baking",
    ]);
  });
});

describe("P4 P5 publish-stage and plans of several stages", () => {
  const SECOND = { name: "second", regions: ["cn-shanghai"], labels: null, bake_minutes: 2 };
  /** Begins plans of two stages, the second of two minutes. */
  async function publishTwo(n: number): Promise<string[]> {
    const ids: string[] = [];
    for (const id of await publish(n, null)) {
      const { publish: one } = await core.getPublish(id);
      const next = testCommand("start_publish", {
        config_id: one.config_id,
        content: null,
        version_id: one.version_id,
        description: "",
        strategy: "staged",
        form: 2,
        abort_plan: true,
        stages: [{ name: "first", regions: ["cn-chengdu"], labels: null, bake_minutes: 1 }, SECOND],
      });
      ids.push((await core.propose({ command: next, attachments: [] })).result.publish.id);
    }
    return ids;
  }
  const pause = async (id: string, on_timeout: "abort" | "resume", minutes = 5): Promise<void> => {
    const command = testCommand("pause_publish", { publish_id: id, expected_stage: 1, minutes, on_timeout });
    await core.propose({ command, attachments: [] });
  };

  test("skips no stage, however late it comes, and each stage bakes for itself", async () => {
    const ids = await publishTwo(3);
    nowMs += 60 * MINUTE_MS;
    await stageFunction()(EVENT, CONTEXT);
    for (const id of ids) expect((await core.getPublish(id)).publish.stage).toBe(2);
    nowMs += 2 * MINUTE_MS - 1;
    expect(await stageFunction()(EVENT, CONTEXT)).toMatchObject({ advanced: 0 });
    nowMs += 1;
    await Promise.all([1, 2].map(() => stageFunction()(EVENT, CONTEXT)));
    const made = await moves();
    for (const id of ids) expect(made.get(id)).toEqual(["stage1", "stage2", "full"]);
    expect(checkInvariants(core.state)).toEqual([]);
  });

  test("by hand and by the function at once moves a plan one stage", async () => {
    const [id = ""] = await publishTwo(1);
    nowMs += MINUTE_MS;
    const byHand = testCommand("advance_publish", { publish_id: id, expected_stage: 1, cause: "by_hand" });
    const racing = around(async (_command, go) => {
      await core.propose({ command: byHand, attachments: [] });
      return go();
    });
    expect(await stageFunction({ core: racing })(EVENT, CONTEXT)).toMatchObject({ advanced: 0, settled: 1 });
    expect((await moves()).get(id)).toEqual(["stage1", "stage2"]);
  });

  test("a paused plan stands still; a forgotten pause ends by its rule, once", async () => {
    const [aborting = "", resuming = "", held = ""] = await publishTwo(3);
    await pause(aborting, "abort");
    await pause(resuming, "resume");
    await pause(held, "abort", 60);
    nowMs += 5 * MINUTE_MS - 1;
    expect(await stageFunction()(EVENT, CONTEXT)).toMatchObject({ advanced: 0, settled: 0 });
    nowMs += 1;
    const runs = await Promise.all([1, 2, 3].map(() => stageFunction()(EVENT, CONTEXT)));
    expect(runs.reduce((sum, run) => sum + ("advanced" in run ? run.advanced : 0), 0)).toBe(2);
    await stageFunction()(EVENT, CONTEXT);
    const made = await moves();
    expect([aborting, resuming, held].map((id) => made.get(id))).toEqual([
      ["stage1", "paused", "aborted"],
      ["stage1", "paused", "stage1"],
      ["stage1", "paused"],
    ]);
    nowMs += MINUTE_MS;
    await stageFunction()(EVENT, CONTEXT);
    expect((await moves()).get(resuming)).toEqual(["stage1", "paused", "stage1", "stage2"]);
    expect(checkInvariants(core.state)).toEqual([]);
  });

  test("its clock ahead of the log ends no pause early", async () => {
    const [id = ""] = await publishTwo(1);
    await pause(id, "abort");
    const ahead = stageFunction({ nowMs: () => nowMs + 60 * MINUTE_MS });
    expect(await ahead(EVENT, CONTEXT)).toMatchObject({ advanced: 0, settled: 1 });
    expect(await stateOf(id)).toBe("paused");
  });
});
