/**
 * P3 L0 L1 the history of publishes when the core's feed no longer reaches back to where the projection stands, or to where
 * one that is made anew begins: what the feed still has is there once, what it has not stays as it was, and no row is of
 * what a restore rolled back.
 */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { MemoryPublishHintQueue } from "../../adapters/memory/memory-publish-hint-queue.ts";
import { MemoryCursorStore } from "../../adapters/memory/memory-cursor-store.ts";
import type { CursorStore } from "../../contracts/projection/cursor-store.ts";
import { createHandler } from "../../lambdas/feed-projection.ts";
import {
  type AccessApp,
  accessClient,
  everything,
  startAccessApp,
  type TestUser,
} from "../testing/access-app.ts";

/** Runs the loop of the projection once: its reserve is reached when it asks again. */
const ONE_ROUND = { getRemainingTimeInMillis: () => 1 };
const GAP = "The feed no longer holds entries";

let app: AccessApp;
let core: MemoryCore;
let client: ReturnType<typeof accessClient>;
let ada: TestUser;
let otto: TestUser;
// A database for each, since nobody empties the audit.
beforeEach(async () => {
  app = await startAccessApp(["demo", "other"]);
  ada = await app.user("demo", "ada", everything("demo/**"));
  otto = await app.user("other", "otto", everything("other/**"));
  const testing = app.with({});
  ({ core } = testing);
  client = accessClient({ ...app, ...testing });
});
afterEach(() => app.close());
/** A restore ends every session; these go on. */
const letIn = () => app.owner`update clusters set epoch = 1, tokens_not_before = 'epoch'`;

const begin = async (who: TestUser, id: string): Promise<string> => {
  const stages = [
    { name: "one", regions: ["us-east-1"] },
    { name: "two", regions: ["cn-chengdu"] },
  ];
  const body = { content: "[]", strategy: { type: "staged", stages } };
  return String((await client.ok(who, "POST", `/mgt/configs/${id}/publish`, body))["publish_id"]);
};
const move = (who: TestUser, pid: string, verb: string) =>
  client.ok(who, "POST", `/mgt/publishes/${pid}/${verb}`, verb === "pause" ? {} : undefined);
async function create(who: TestUser, tenant: string): Promise<string> {
  const place = { tenant, app: "shop", env: "prod", name: "one.json", format: "json" };
  return String(
    (await client.ok(who, "POST", "/mgt/configs", { ...place, content: "{}", release: true }))["id"],
  );
}
/** A plan of each of two tenants that goes to everyone, and a second one that is aborted. */
async function fill(): Promise<void> {
  for (const [who, tenant] of [
    [ada, "demo"],
    [otto, "other"],
  ] as const) {
    const id = await create(who, tenant);
    const first = await begin(who, id);
    await move(who, first, "advance");
    await move(who, first, "advance");
    await move(who, await begin(who, id), "abort");
  }
}

/** One run of the function: twice, since what it skips is a round of its own. */
async function project(cursors: CursorStore): Promise<void> {
  const handler = createHandler({
    core,
    database: app.database,
    cursors,
    nowMs: Date.now,
    log: () => undefined,
    hints: new MemoryPublishHintQueue(),
  });
  await handler({}, ONE_ROUND);
  await handler({}, ONE_ROUND);
}
const fresh = (): CursorStore => new MemoryCursorStore(Date.now);
/** Every row as it is, in one order. */
const rows = () =>
  app.owner`select * from publish_history order by tenant_id, cluster_id, epoch, log_index, place`;
type Row = Awaited<ReturnType<typeof rows>>[number];
const isAfter = (index: number) => (row: Row) => Number(row["log_index"]) > index;
const gaps = () => app.owner`select summary from audit_logs where summary like ${`${GAP}%`}`;
/** The index in the middle of all moves: half of the feed is dropped there. */
function middle(of: readonly Row[]): number {
  const indexes = of.map((row) => Number(row["log_index"])).toSorted((a, b) => a - b);
  return indexes[Math.floor(indexes.length / 2)] ?? 0;
}
const statuses = async (): Promise<unknown[]> => {
  await letIn();
  return (await client.itemsOf(ada, "/gray/publish-history")).map((item) => item["status"]).toReversed();
};

describe("P3 L0 a feed that begins after the cursor", () => {
  test("P3 L0 a history made anew has what the feed has, to the last column, once; the gap is said once", async () => {
    await fill();
    await project(fresh());
    const before = await rows();
    expect(before).toHaveLength(10);
    const compacted = middle(before);
    core.compactFeed(compacted);
    await app.owner`truncate publish_history`;
    await project(fresh());
    const wanted = before.filter(isAfter(compacted));
    expect(wanted.length).toBeGreaterThan(0);
    expect(wanted.length).toBeLessThan(before.length);
    expect(await rows()).toEqual(wanted);
    // Again, and by two at once.
    await Promise.all([project(fresh()), project(fresh())]);
    expect(await rows()).toEqual(wanted);
    expect(await gaps()).toHaveLength(1);
  });

  test("P3 L0 with the table left as it is, a projection from the beginning keeps every row and doubles none", async () => {
    await fill();
    await project(fresh());
    const before = await rows();
    core.compactFeed(middle(before));
    await project(fresh());
    expect(await rows()).toEqual(before);
    // A row that was lost where the feed still has it is there again.
    await app.owner`delete from publish_history where log_index = ${Number(before.at(-1)?.["log_index"])}`;
    await project(fresh());
    expect(await rows()).toEqual(before);
  });

  test("P3 L0 a projection that was away for longer than the feed reaches goes on behind the gap, and says so", async () => {
    const id = await create(ada, "demo");
    const pid = await begin(ada, id);
    const cursors = fresh();
    await project(cursors);
    await move(ada, pid, "advance");
    const { compacted_index: none, index } = await core.status();
    expect(none).toBe(0);
    core.compactFeed(index);
    await move(ada, pid, "advance");
    await project(cursors);
    // The second stage was never projected; what came before and after it is there.
    expect(await statuses()).toEqual(["stage1", "full"]);
    const [gap] = await gaps();
    expect(gap?.["summary"]).toContain(`to ${index}: those without a row were never projected`);
    await move(ada, await begin(ada, id), "abort");
    await project(cursors);
    await project(fresh());
    expect(await statuses()).toEqual(["stage1", "full", "stage1", "aborted"]);
    // The one made anew has found the same gap.
    expect(await gaps()).toHaveLength(1);
  });
});

describe("P3 R13 a restore that the feed no longer tells of", () => {
  const head = { actor: { type: "user", id: "u-1", name: "op" }, ip: "", trace_id: "b".repeat(32) } as const;
  const backup = async () =>
    String((await core.startBackup({ request_id: null, wait_ms: 0, head })).backup_id);
  const restore = (backup_id: string) =>
    core.startRestore({
      restore_id: `r-${backup_id}`,
      backup_id,
      epoch_min: 0,
      force: false,
      wait_ms: 0,
      actor: head.actor,
      ip: "",
    });

  test("P3 R13 takes its rows out all the same, and so does a history made anew", async () => {
    const id = await create(ada, "demo");
    const pid = await begin(ada, id);
    const early = await backup();
    await move(ada, pid, "advance");
    const cursors = fresh();
    await project(cursors);
    expect(await statuses()).toEqual(["stage1", "stage2"]);

    await restore(early);
    await letIn();
    await move(ada, pid, "pause");
    core.compactFeed((await core.status()).index);
    await move(ada, pid, "abort");
    await project(cursors);
    // The pause was never projected; the second stage was, and was rolled back.
    expect(await statuses()).toEqual(["stage1", "aborted"]);
    const restores = await app.owner`select * from cluster_restores`;
    expect(restores).toHaveLength(1);

    await app.owner`truncate publish_history, cluster_restores`;
    await project(fresh());
    expect(await app.owner`select * from cluster_restores`).toEqual(restores);
    expect(await statuses()).toEqual(["aborted"]);
  });
});
