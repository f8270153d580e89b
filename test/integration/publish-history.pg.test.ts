// Over 400 lines: every promise of the history is tried over one setup.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { MemoryCursorStore } from "../../adapters/memory/memory-cursor-store.ts";
import { MemoryPublishHintQueue } from "../../adapters/memory/memory-publish-hint-queue.ts";
import { connectPostgres } from "../../adapters/postgres/connect.ts";
import { projectFeedBatch } from "../../adapters/postgres/project-feed-batch.ts";
import { searchPublishHistory } from "../../adapters/postgres/search-publish-history.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { COMMAND_FORMAT_VERSION } from "../../domain/command/command.ts";
import type { FeedEntry } from "../../domain/command/feed-entry.ts";
import type { CursorStore } from "../../contracts/projection/cursor-store.ts";
import type { TestingAdmin } from "../../workers/admin/testing-admin.ts";
import { createHandler } from "../../lambdas/feed-projection.ts";
import { toProjectedBatch } from "../../lambdas/support/to-projected-batch.ts";
import {
  type AccessApp,
  accessClient,
  everything,
  type Json,
  startAccessApp,
  type TestUser,
} from "../testing/access-app.ts";

const HISTORY = "/gray/publish-history";
const SEED = [
  { name: "one", regions: ["us-east-1"] },
  { name: "two", regions: ["cn-chengdu", "us-east-1"] },
];
/** Runs the loop of the projection once: its reserve is reached when it asks again. */
const ONE_ROUND = { getRemainingTimeInMillis: () => 1 };

let app: AccessApp;
/** The API on a core of the test's own. */
let core: MemoryCore;
let client: ReturnType<typeof accessClient>;
let ada: TestUser;
let otto: TestUser;
/** Of shop/prod alone. */
let shopper: TestUser;
/** Of one config alone. */
let reader: TestUser;
beforeAll(async () => {
  app = await startAccessApp(["demo", "other"]);
  ada = await app.user("demo", "ada", everything("demo/**"));
  otto = await app.user("other", "otto", everything("other/**"));
  shopper = await app.user("demo", "shopper", [
    { action: "list", resource_pattern: "demo/shop/prod/*" },
    { action: "read", resource_pattern: "demo/shop/prod/*" },
  ]);
  reader = await app.user("demo", "reader", [
    { action: "read", resource_pattern: "demo/shop/prod/one.json" },
  ]);
});
afterAll(() => app.close());
const letIn = () => app.owner`update clusters set epoch = 1, tokens_not_before = 'epoch'`;
beforeEach(async () => {
  await app.owner`truncate publish_history, cluster_restores`;
  await letIn();
  use(app.with({}));
});
function use(testing: TestingAdmin): void {
  ({ core } = testing);
  client = accessClient({ ...app, ...testing });
}
const ok = (who: TestUser, method: string, path: string, body?: unknown) =>
  client.ok(who, method, path, body);
const itemsOf = (who: TestUser, path: string) => client.itemsOf(who, path);

/** From the beginning of the feed, or from where the cursor is. */
const project = (cursors: CursorStore = new MemoryCursorStore(Date.now)) =>
  createHandler({
    core,
    database: app.database,
    cursors,
    hints: new MemoryPublishHintQueue(),
    nowMs: Date.now,
    log: () => undefined,
  })({}, ONE_ROUND);

async function create(who: TestUser, changes: Json = {}): Promise<string> {
  const place = { tenant: "demo", app: "shop", env: "prod", name: "one.json", format: "json" };
  const created = await ok(who, "POST", "/mgt/configs", {
    ...place,
    content: "{}",
    release: true,
    ...changes,
  });
  return String(created["id"]);
}
async function begin(who: TestUser, id: string, query = "", stages: Json[] = SEED): Promise<string> {
  const body = { content: "[]", strategy: { type: "staged", stages } };
  return String((await ok(who, "POST", `/mgt/configs/${id}/publish${query}`, body))["publish_id"]);
}
const move = (who: TestUser, pid: string, verb: string) =>
  ok(who, "POST", `/mgt/publishes/${pid}/${verb}`, verb === "pause" ? {} : undefined);
const told = (item: Json): string =>
  `v${String(item["version_id"])} ${String(item["from_status"])} > ${String(item["status"])} ` +
  `[${(item["gray_groups"] as string[]).join()}] ${String(item["cause"])} by ${String(item["operator"])}`;
/** The whole feed of the core. */
async function feed(): Promise<FeedEntry[]> {
  return (await core.feed({ after: 0, limit: 1000, wait_ms: 0, view: "full" })).entries;
}
/** Every row as it is, in one order. */
const rows = () =>
  app.owner`select * from publish_history order by tenant_id, cluster_id, epoch, log_index, place`;

describe("P3 the history of publishes", () => {
  test("every move of the seed's plans, with stage, gray groups and operator", async () => {
    const id = await create(ada);
    const first = await begin(ada, id);
    await move(ada, first, "advance");
    await move(ada, first, "advance");
    const second = await begin(ada, id);
    await move(ada, second, "advance");
    await move(ada, second, "pause");
    await move(ada, second, "resume");
    await move(ada, second, "advance");
    const third = await begin(ada, id, "", [{ name: "all of some", labels: { tier: "gold" } }]);
    const fourth = await begin(ada, id, "?abort_plan=true");
    await move(ada, fourth, "abort");
    const last = (await feed()).at(-1);
    expect(await project()).toMatchObject({ moves: 13 });
    const items = await itemsOf(ada, `/mgt/configs/${id}/publish-history`);
    expect(items.toReversed().map(told)).toEqual([
      "v2 null > stage1 [us-east-1] by_hand by ada",
      "v2 stage1 > stage2 [us-east-1,cn-chengdu] by_hand by ada",
      "v2 stage2 > full [*] by_hand by ada",
      "v3 null > stage1 [us-east-1] by_hand by ada",
      "v3 stage1 > stage2 [us-east-1,cn-chengdu] by_hand by ada",
      "v3 stage2 > paused [us-east-1,cn-chengdu] by_hand by ada",
      "v3 paused > stage2 [us-east-1,cn-chengdu] by_hand by ada",
      "v3 stage2 > full [*] by_hand by ada",
      "v2 full > deprecated [] replaced by ada",
      "v4 null > stage1 [*] by_hand by ada",
      "v4 stage1 > aborted [] superseded by ada",
      "v5 null > stage1 [us-east-1] by_hand by ada",
      "v5 stage1 > aborted [] by_hand by ada",
    ]);
    expect(items[0]).toEqual({
      id: `c1.1.${last?.index}.0`,
      publish_id: fourth,
      config_id: id,
      namespace: { tenant: "demo", app: "shop", env: "prod" },
      name: "one.json",
      config_type: "config",
      version_id: 5,
      previous_version_id: 3,
      from_status: "stage1",
      status: "aborted",
      stage: 1,
      gray_groups: [],
      cause: "by_hand",
      reason: null,
      operator: "ada",
      operator_type: "user",
      operator_id: ada.id,
      index: expect.stringMatching(new RegExp(`^c1\\.1\\.${last?.index}\\.`)) as string,
      gmt_create: new Date(last?.timestamp_ms ?? 0).toISOString(),
      gmt_modified: new Date(last?.timestamp_ms ?? 0).toISOString(),
    });
    expect(items.filter((item) => item["publish_id"] === third).map((item) => item["stage"])).toEqual([1, 1]);
  });

  test("stages that another build of the core did not name the groups of have those of the stage", async () => {
    const id = await create(ada);
    await move(ada, await begin(ada, id), "advance");
    const older = (await feed()).map((entry) => ({
      ...entry,
      events: entry.events.map((event) => {
        if (event.type !== "publish_changed") return event;
        const { gray_groups: _groups, stage: _stage, ...rest } = event;
        return rest;
      }),
    }));
    await projectFeedBatch(
      app.database,
      toProjectedBatch(older, "c1", () => 1),
    );
    const items = await itemsOf(ada, `/mgt/configs/${id}/publish-history`);
    expect(items.map((item) => [item["stage"], item["gray_groups"]])).toEqual([
      [null, ["cn-chengdu", "us-east-1"]],
      [null, ["us-east-1"]],
    ]);
  });

  test("what the function does is its own; a deleted config keeps its history", async () => {
    const id = await create(ada);
    const pid = await begin(ada, id, "", [{ name: "one", regions: ["us-east-1"], bake_minutes: 0.01 }]);
    const plan = (await core.getPublish(pid)).publish;
    await core.propose<"advance_publish">({
      command: {
        format: COMMAND_FORMAT_VERSION,
        kind: "advance_publish",
        tenant: "demo",
        actor: { type: "system", id: "publish-stage", name: "publish-stage" },
        ip: "",
        trace_id: "a".repeat(32),
        idempotency: null,
        expected_revision: null,
        payload: { publish_id: pid, expected_stage: plan.stage, cause: "by_hand" },
      },
      attachments: [],
    });
    await begin(ada, id);
    await ok(ada, "DELETE", `/mgt/configs/${id}`);
    await project();
    expect((await client.ask(ada, "GET", `/mgt/configs/${id}/publish-history`)).status).toBe(404);
    const items = await itemsOf(ada, `${HISTORY}?config_id=${id}`);
    expect(items.map((item) => [told(item), item["operator_type"]])).toEqual([
      ["v3 stage1 > aborted [] config_deleted by ada", "user"],
      ["v3 null > stage1 [us-east-1] by_hand by ada", "user"],
      ["v2 stage1 > full [*] by_hand by publish-stage", "system"],
      ["v2 null > stage1 [us-east-1] by_hand by ada", "user"],
    ]);
  });
});

/** Plans of two tenants, and more than one move an entry. */
async function fill(): Promise<void> {
  for (const who of [ada, otto]) {
    const id = await create(who, { tenant: who === ada ? "demo" : "other" });
    await move(who, await begin(who, id), "advance");
    await move(who, await begin(who, id, "?abort_plan=true"), "abort");
  }
}

describe("P3 L0 exactly once", () => {
  test("batches that come twice, at once, overlapping and in any order are the rows of the feed", async () => {
    await fill();
    await project();
    const wanted = await rows();
    expect(wanted).toHaveLength(10);
    await app.owner`truncate publish_history`;
    const entries = await feed();
    const slices = [
      entries.slice(3),
      entries.slice(0, 5),
      entries,
      entries.slice(4, 8).toReversed(),
      entries,
    ];
    const counts = await Promise.all(
      slices.map((slice) =>
        projectFeedBatch(
          app.database,
          toProjectedBatch(slice, "c1", () => 1),
        ),
      ),
    );
    expect(counts.reduce((sum, { moves }) => sum + moves, 0)).toBe(10);
    expect(await rows()).toEqual(wanted);
  });

  test("rebuilt from zero, the rows are the same to the last column", async () => {
    await fill();
    await project();
    const before = await rows();
    await app.owner`truncate publish_history`;
    expect(await project()).toMatchObject({ moves: 10, rows: 0 });
    expect(await rows()).toEqual(before);
    expect(await project()).toMatchObject({ moves: 0 });
  });

  test("a row that cannot be written takes all of its batch with it, and the cursor stays", async () => {
    await fill();
    const cursors = new MemoryCursorStore(Date.now);
    await app.owner.unsafe(`
      create function crash() returns trigger language plpgsql as $$
      begin if new.status = 'aborted' then raise exception 'crash'; end if; return new; end $$;
      create trigger crash after insert on publish_history for each row execute function crash()`);
    await expect(project(cursors)).rejects.toThrow("crash");
    expect([await rows(), await cursors.read({ projection: "postgres", clusterId: "c1" })]).toEqual([
      [],
      null,
    ]);
    await app.owner`drop trigger crash on publish_history`;
    expect(await project(cursors)).toMatchObject({ moves: 10 });
  });
});

describe("R13 P3 a restore of the core", () => {
  const head = { actor: { type: "user", id: "u-1", name: "op" }, ip: "", trace_id: "b".repeat(32) } as const;
  const backup = async () =>
    String((await core.startBackup({ request_id: null, wait_ms: 0, head })).backup_id);
  let restores = 0;
  async function restore(backup_id: string): Promise<void> {
    restores += 1;
    const request = { restore_id: `r-${restores}`, backup_id, epoch_min: 0, force: false, wait_ms: 0 };
    await core.startRestore({ ...request, actor: head.actor, ip: "" });
  }
  const statuses = async (): Promise<unknown[]> => {
    // A restore ends every session; these go on.
    await letIn();
    return (await itemsOf(ada, HISTORY)).map((item) => item["status"]).toReversed();
  };

  test("takes out what was rolled back, whatever comes twice; a backup of what was rolled back brings it back", async () => {
    const id = await create(ada);
    const pid = await begin(ada, id);
    const early = await backup();
    await move(ada, pid, "advance");
    const late = await backup();
    await move(ada, pid, "advance");
    const cursors = new MemoryCursorStore(Date.now);
    await project(cursors);
    expect(await statuses()).toEqual(["stage1", "stage2", "full"]);
    const old = await feed();

    await restore(early);
    await project(cursors);
    expect(await statuses()).toEqual(["stage1"]);
    await projectFeedBatch(
      app.database,
      toProjectedBatch(old, "c1", () => 1),
    );
    expect(await statuses()).toEqual(["stage1"]);
    await move(ada, pid, "abort");
    await project(cursors);
    expect(await statuses()).toEqual(["stage1", "aborted"]);
    expect((await rows()).map((row) => Number(row["epoch"]))).toEqual([1, 1, 1, 2]);

    await restore(late);
    await move(ada, pid, "pause");
    await project(cursors);
    expect(await statuses()).toEqual(["stage1", "stage2", "paused"]);
    const before = await rows();
    await app.owner`truncate publish_history, cluster_restores`;
    await project();
    expect(await rows()).toEqual(before);
    expect(await statuses()).toEqual(["stage1", "stage2", "paused"]);
  });
});

describe("P3 A2 A4 who reads what", () => {
  test("a tenant's history is hidden from every other", async () => {
    await fill();
    await project();
    const [mine, theirs] = [await itemsOf(ada, HISTORY), await itemsOf(otto, HISTORY)];
    expect([mine.length, theirs.length]).toEqual([5, 5]);
    const tenants = (items: Json[]) => [
      ...new Set(items.map((item) => (item["namespace"] as Json)["tenant"])),
    ];
    expect([tenants(mine), tenants(theirs)]).toEqual([["demo"], ["other"]]);
    const id = String(mine[0]?.["config_id"]);
    expect(await itemsOf(otto, `${HISTORY}?config_id=${id}`)).toEqual([]);
    expect((await client.ask(otto, "GET", `/mgt/configs/${id}/publish-history`)).status).toBe(404);
    expect((await client.ask(otto, "GET", `${HISTORY}?tenant=demo`)).status).toBe(403);
    // Whatever the query asks for, the policy alone holds.
    const found = await withTenant(app.database, "nobody", (tx) =>
      searchPublishHistory(tx, { cursor: null, limit: 10 }),
    );
    expect(found.items).toEqual([]);
    const stray = connectPostgres("postgres://conflux_app@127.0.0.1:1/none");
    use(app.with({ database: () => stray }));
    expect((await client.ask(ada, "GET", `${HISTORY}?tenant=demo`)).status).toBe(503);
    await stray.close();
  });

  test("permissions: the list where one may list, a config's where one may read it", async () => {
    const id = await create(ada);
    await begin(ada, id);
    await begin(ada, await create(ada, { env: "test" }));
    await project();
    expect((await client.ask(shopper, "GET", HISTORY)).status).toBe(403);
    expect(await itemsOf(shopper, `${HISTORY}?app=shop&env=prod`)).toHaveLength(1);
    expect((await client.ask(shopper, "GET", `${HISTORY}?app=shop&env=test`)).status).toBe(403);
    expect((await client.ask(reader, "GET", `${HISTORY}?app=shop&env=prod`)).status).toBe(403);
    expect(await itemsOf(reader, `/mgt/configs/${id}/publish-history`)).toHaveLength(1);
    expect(await itemsOf(ada, HISTORY)).toHaveLength(2);
  });
});

describe("P3 filters and pages", () => {
  test("by type, namespace, config, version and plan", async () => {
    const id = await create(ada);
    const pid = await begin(ada, id);
    await move(ada, pid, "abort");
    await begin(ada, id);
    const source = { source: "s1", loghub_project: "p", loghub_stream: "s" };
    const { id: sourceId } = await ok(ada, "POST", "/gray/data-sources", source);
    await ok(ada, "POST", `/gray/data-sources/${String(sourceId)}/publish`);
    await project();
    const versions = async (query: string): Promise<unknown[]> =>
      (await itemsOf(ada, `${HISTORY}?${query}`)).map(
        (item) => `${String(item["name"])} v${String(item["version_id"])}`,
      );
    const typed = String((await itemsOf(ada, `${HISTORY}?config_type=data-source`))[0]?.["version_id"]);
    expect(typed).toMatch(/^cfg-c1-\d+-v1$/);
    expect(await versions("config_type=data-source")).toEqual([`s1 v${typed}`]);
    expect(await versions(`version_id=${typed}`)).toEqual([`s1 v${typed}`]);
    expect(await versions(`version_id=${typed}&config_id=${id}`)).toEqual([]);
    expect(await versions("config_type=api-meta")).toEqual([]);
    expect(await versions("config_type=config")).toEqual(["one.json v3", "one.json v2", "one.json v2"]);
    expect(await versions("config_type=config&version_id=2")).toEqual(["one.json v2", "one.json v2"]);
    expect(await versions(`publish_id=${pid}`)).toHaveLength(2);
    expect(await versions(`config_id=${id}&version_id=3`)).toEqual(["one.json v3"]);
    expect(await versions("app=gray&env=data-source")).toHaveLength(1);
    expect(await itemsOf(ada, `/mgt/configs/${id}/publish-history?version_id=3`)).toHaveLength(1);
  });

  test("P1 both versions of a typed config's move have the names that are their own", async () => {
    const { id } = await ok(ada, "POST", "/gray/data-sources", { source: "s1" });
    const at = `/gray/data-sources/${String(id)}`;
    for (const dm of ["one", "two"]) {
      await ok(ada, "PUT", at, { dm });
      await ok(ada, "POST", `${at}/publish`, { strategy: { type: "all" } });
    }
    await project();
    const named = (await itemsOf(ada, `${HISTORY}?config_type=data-source`)).map((item) =>
      [item["status"], item["version_id"], item["previous_version_id"]].map(String),
    );
    const [v1, v2] = [`${String(id)}-v1`, `${String(id)}-v2`];
    expect(named).toEqual([
      ["deprecated", v1, "null"],
      ["full", v2, v1],
      ["full", v1, "null"],
    ]);
  });

  test("pages follow each other, also when moves of one entry part", async () => {
    await fill();
    await project();
    const all = await itemsOf(ada, HISTORY);
    const paged: Json[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const query: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const page = await ok(ada, "GET", `${HISTORY}?limit=1${query}`);
      paged.push(...(page["items"] as Json[]));
      cursor = page["next_cursor"] as string | null;
    }
    expect(paged).toEqual(all);
    expect(new Set(all.map((item) => item["id"])).size).toBe(5);
  });

  test.each([
    ["cursor=1_2", "/query/cursor"],
    ["cursor=999999999999999_1_99999", "/query/cursor"],
    ["limit=201", "/query/limit"],
    ["limit=0", "/query/limit"],
    ["version_id=0", "/query/version_id"],
    ["version_id=99999999999", "/query/version_id"],
    ["config_type=deployment", "/query/config_type"],
    ["config_type=data-source&app=shop", "/query/app"],
    ["config_type=api-meta&env=prod", "/query/env"],
    ["status=full", "/query/status"],
    [`publish_id=${"x".repeat(129)}`, "/query/publish_id"],
  ])("%s is refused, naming its place", async (query, path) => {
    const { status, json } = await client.ask(ada, "GET", `${HISTORY}?${query}`);
    expect([status, json["code"], (json["errors"] as Json[])[0]?.["path"]]).toEqual([
      400,
      "validation_failed",
      path,
    ]);
  });
});
