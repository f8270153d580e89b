import postgres from "postgres";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { DeleteItemCommand } from "@aws-sdk/client-dynamodb";
import { connectDynamoDb } from "../../adapters/dynamodb/connect-dynamodb.ts";
import { createMissingTables } from "../../adapters/dynamodb/create-tables.ts";
import { DynamoDbCursorStore } from "../../adapters/dynamodb/dynamodb-cursor-store.ts";
import { startDynalite } from "../../adapters/dynamodb/testing/start-dynalite.ts";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { MemoryPublishHintQueue } from "../../adapters/memory/memory-publish-hint-queue.ts";
import { listAuditHeads } from "../../adapters/postgres/list-audit-heads.ts";
import { verifyAuditChain } from "../../adapters/postgres/verify-audit-chain.ts";
import { BEFORE_CHAIN } from "../../domain/access/verify-chain.ts";
import { adoptClusterEpoch } from "../../adapters/postgres/adopt-cluster-epoch.ts";
import { readClusterEpoch } from "../../adapters/postgres/read-cluster-epoch.ts";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import type { CorePort } from "../../contracts/core/core-port.ts";
import { DYNAMODB_TABLES, FEED_CURSORS_TABLE } from "../../contracts/dynamodb/tables.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CursorStore } from "../../contracts/projection/cursor-store.ts";
import { COMMAND_FORMAT_VERSION, type CommandOf } from "../../domain/command/command.ts";
import { cloneDatabase } from "../testing/postgres.ts";
import { createHandler } from "../../lambdas/feed-projection.ts";

/** Runs one round of the loop: the reserve is already reached when it asks again. */
const ONE_ROUND = { getRemainingTimeInMillis: () => 1 };
/** Runs `n` rounds, each waiting for entries no longer than the time that is left past the reserve. */
function rounds(n: number): { getRemainingTimeInMillis: () => number } {
  let left = n * 2;
  return { getRemainingTimeInMillis: () => ((left -= 1) > 0 ? 5_001 : 1) };
}

const HEAD = {
  actor: { type: "user" as const, id: "u-1", name: "ada" },
  ip: "192.0.2.1",
  trace_id: "a".repeat(32),
};

const dynalite = await startDynalite();
const dynamo = connectDynamoDb(dynalite.endpoint);
await createMissingTables(dynamo, DYNAMODB_TABLES);
const cursors = new DynamoDbCursorStore(dynamo, Date.now);

let owner: postgres.Sql;
let database: Database;
const clients: (() => Promise<void>)[] = [];
beforeEach(async () => {
  const urls = await cloneDatabase();
  owner = postgres(urls.ownerUrl, { max: 2 });
  database = connectPostgres(urls.appUrl);
  await deleteCursor();
  clients.push(
    () => owner.end(),
    () => database.close(),
  );
});
/** Whatever was repeated, cut off or done at once: every chain is whole. */
afterEach(async () => {
  for (const { tenant, seq } of await listAuditHeads(database, { after: "", limit: 100 })) {
    const chain = { tenant, anchors: [], from: BEFORE_CHAIN, isEnough: () => false };
    expect(await verifyAuditChain(database, chain)).toMatchObject({ finding: null, rows: seq });
  }
});
afterAll(() => Promise.all([dynalite.stop(), ...clients.map((close) => close())]));

async function revoke(core: MemoryCore, n: number, tenant = "demo"): Promise<void> {
  await core.propose<"revoke_token">({
    command: {
      format: COMMAND_FORMAT_VERSION,
      kind: "revoke_token",
      tenant,
      actor: { type: "user", id: "usr_1", name: "ada" },
      ip: "192.0.2.7",
      trace_id: n.toString(16).padStart(32, "0"),
      idempotency: null,
      expected_revision: null,
      payload: { jti: `${tenant}.${n}`, expires_at_ms: Date.now() + 3_600_000 },
    },
    attachments: [],
  });
}
const projector = (
  core: Pick<CorePort, "feed" | "status">,
  options: { batchMax?: number; database?: Database; cursors?: CursorStore } = {},
) =>
  createHandler({
    core,
    database,
    cursors,
    hints: new MemoryPublishHintQueue(),
    nowMs: Date.now,
    log: () => undefined,
    ...options,
  });
const indexes = async (): Promise<number[]> =>
  (
    await owner`select log_index::int as i from audit_logs where log_index is not null order by epoch, log_index`
  ).map((row) => Number(row["i"]));
const KEY = { projection: "postgres", clusterId: "c1" };
const cursor = () => cursors.read(KEY);
async function deleteCursor(): Promise<void> {
  const Key = { [FEED_CURSORS_TABLE.partitionKey]: { S: "postgres/c1" } };
  await dynamo.send(new DeleteItemCommand({ TableName: FEED_CURSORS_TABLE.tableName, Key }));
}
/** Every row of the audit, as it is, in one order. */
const rows = () => owner`select * from audit_logs order by tenant_id, epoch, log_index`;

describe("L0 A5 feed projection", () => {
  test("every log write has a row with actor, address, trace and position, under its own tenant", async () => {
    const core = new MemoryCore();
    await revoke(core, 1);
    await revoke(core, 2, "other");
    const report = await projector(core)({}, ONE_ROUND);
    expect(report).toEqual({
      cluster_id: "c1",
      position: { epoch: 1, index: 2 },
      batches: 1,
      rows: 2,
      moves: 0,
      hints: { sent: 0, unsent: 0 },
    });
    const [row] = await owner`select * from audit_logs where tenant_id = 'other'`;
    expect(row).toMatchObject({
      actor_id: "usr_1",
      actor_name: "ada",
      ip: "192.0.2.7",
      outcome: "success",
      trace_id: "2".padStart(32, "0"),
      cluster_id: "c1",
      epoch: 1,
      log_index: "2",
    });
  });

  test("goes on from its cursor, in batches, and waits for what comes", async () => {
    const core = new MemoryCore();
    for (let n = 1; n <= 5; n += 1) await revoke(core, n);
    expect(await projector(core, { batchMax: 2 })({}, rounds(3))).toMatchObject({ batches: 3, rows: 5 });
    const waiting = projector(core)({}, rounds(1));
    await revoke(core, 6);
    await waiting;
    await projector(core)({}, ONE_ROUND);
    expect(await indexes()).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("runs at once, in batches that overlap, write no row twice and leave none out", async () => {
    const core = new MemoryCore();
    for (let n = 1; n <= 20; n += 1) await revoke(core, n, n % 3 === 0 ? "other" : "demo");
    const reports = await Promise.all(
      [3, 4, 7].map((batchMax) => projector(core, { batchMax })({}, rounds(24))),
    );
    expect(await indexes()).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(reports.reduce((sum, report) => sum + report.rows, 0)).toBe(20);
    expect(await cursor()).toEqual({ epoch: 1, index: 20 });
  });

  test("rebuilt from zero, also while another run goes on, the rows are the same", async () => {
    const core = new MemoryCore();
    for (let n = 1; n <= 10; n += 1) await revoke(core, n, n % 2 === 0 ? "other" : "demo");
    await projector(core)({}, ONE_ROUND);
    const before = await rows();
    await deleteCursor();
    expect(await projector(core)({}, ONE_ROUND)).toMatchObject({ position: { index: 10 }, rows: 0 });
    expect(await rows()).toEqual(before);

    const running = projector(core)({}, rounds(3));
    await deleteCursor();
    await revoke(core, 11);
    expect((await running).position).toEqual({ epoch: 1, index: 11 });
    expect(await indexes()).toEqual(Array.from({ length: 11 }, (_, i) => i + 1));
  });

  test("a crash after the rows and before the cursor: the repeat adds nothing and goes on", async () => {
    const core = new MemoryCore();
    for (let n = 1; n <= 4; n += 1) await revoke(core, n);
    const crash = new Error("crash");
    const crashing: CursorStore = { read: (k) => cursors.read(k), advance: () => Promise.reject(crash) };
    await expect(projector(core, { batchMax: 2, cursors: crashing })({}, rounds(3))).rejects.toBe(crash);
    expect([await indexes(), await cursor()]).toEqual([[1, 2], null]);
    const before = await rows();
    expect(await projector(core)({}, ONE_ROUND)).toMatchObject({ position: { index: 4 }, rows: 2 });
    expect((await rows()).slice(0, 2)).toEqual(before);
    expect(await indexes()).toEqual([1, 2, 3, 4]);
  });

  test("a crash inside a batch leaves none of its rows, and the cursor before it", async () => {
    const core = new MemoryCore();
    for (let n = 1; n <= 4; n += 1) await revoke(core, n);
    await owner.unsafe(`
      create function crash() returns trigger language plpgsql as $$
      begin if new.log_index = 4 then raise exception 'crash'; end if; return new; end $$;
      create trigger crash after insert on audit_logs for each row execute function crash()`);
    await expect(projector(core, { batchMax: 2 })({}, rounds(3))).rejects.toThrow("crash");
    expect(await indexes()).toEqual([1, 2]);
    expect(await cursor()).toEqual({ epoch: 1, index: 2 });
    await owner`drop trigger crash on audit_logs`;
    await projector(core)({}, ONE_ROUND);
    expect(await indexes()).toEqual([1, 2, 3, 4]);
  });

  test("a gap fails the invocation and moves nothing", async () => {
    const core = new MemoryCore();
    for (let n = 1; n <= 3; n += 1) await revoke(core, n);
    const lossy: Pick<CorePort, "feed" | "status"> = {
      status: () => core.status(),
      feed: async (input) => {
        const answer = await core.feed(input);
        return { ...answer, entries: answer.entries.filter((entry) => entry.index !== 2) };
      },
    };
    await expect(projector(lossy)({}, ONE_ROUND)).rejects.toThrow(/gap: entry 3 follows 2, not 1/);
    expect(await indexes()).toEqual([]);
    expect(await cursor()).toBeNull();
  });

  test("what the feed no longer holds is written down, and the rest is projected", async () => {
    const core = new MemoryCore();
    for (let n = 1; n <= 4; n += 1) await revoke(core, n);
    core.compactFeed(2);
    await projector(core)({}, rounds(2));
    const demo = await owner`select log_index::int as i from audit_logs where tenant_id = 'demo' order by 1`;
    expect(demo.map((row) => Number(row["i"]))).toEqual([3, 4]);
    const said = await owner`select summary, outcome from audit_logs where tenant_id = '_system'`;
    expect(said[0]).toEqual({
      outcome: "failure",
      summary: "The feed no longer holds entries 1 to 2: those without a row were never projected.",
    });
    const before = await rows();
    await deleteCursor();
    await projector(core)({}, rounds(2));
    expect(await rows()).toEqual(before);
  });

  test("a gap up to an entry of the system's own, which has its row, is written down beside it", async () => {
    const core = new MemoryCore();
    await revoke(core, 1);
    await revoke(core, 2, "_system");
    await revoke(core, 3);
    await projector(core)({}, rounds(2));
    const before = await rows();
    core.compactFeed(2);
    for (let i = 0; i < 2; i += 1) {
      await deleteCursor();
      await projector(core)({}, rounds(2));
      const added = (await rows()).filter((row) => !before.some(({ id }) => id === row["id"]));
      expect(added.map((row) => [row["tenant_id"], row["summary"]])).toEqual([
        ["_system", "The feed no longer holds entries 1 to 2: those without a row were never projected."],
      ]);
    }
  });

  const restore = async (core: MemoryCore, backup_id: string | null, epoch_min = 0) => {
    const actor = { type: "user", id: "usr_1", name: "ada" } as const;
    const request = { restore_id: `r-${backup_id}`, backup_id: backup_id ?? "", epoch_min, force: false };
    return (await core.startRestore({ ...request, actor, ip: "192.0.2.7", wait_ms: 0 })).restore;
  };
  const cluster = async () =>
    (await owner`select epoch, tokens_not_before from clusters where id = 'c1'`)[0] as {
      epoch: number;
      tokens_not_before: Date;
    };

  test("R13 over a restore: what was not projected yet keeps its epoch, a row says what was rolled back, the cluster's epoch follows", async () => {
    await owner`insert into clusters (id) values ('c1') on conflict do nothing`;
    const core = new MemoryCore();
    for (let n = 1; n <= 2; n += 1) await revoke(core, n);
    const { backup_id } = await core.startBackup({ request_id: null, wait_ms: 0, head: HEAD });
    await projector(core)({}, ONE_ROUND);
    await revoke(core, 3);
    const done = await restore(core, backup_id);
    await revoke(core, 4);
    await projector(core)({}, rounds(2));
    const positions = await owner`
      select epoch, log_index::int as i, tenant_id, summary from audit_logs order by epoch, log_index`;
    expect(positions.map(({ epoch, i, tenant_id }) => `${epoch}/${i} ${tenant_id}`)).toEqual([
      "1/1 demo",
      "1/2 demo",
      // The backup was taken by an operator.
      "1/3 _system",
      "1/4 demo",
      `2/${done?.index} _system`,
      `2/${(done?.index ?? 0) + 1} demo`,
    ]);
    expect(positions[4]?.["summary"]).toContain("what epoch 1 held after index 2 is rolled back");
    expect(await cluster()).toEqual({ epoch: 2, tokens_not_before: new Date(done?.tokens_not_before ?? 0) });
    // Told again, or by one that is behind, nothing goes back.
    await adoptClusterEpoch(database, { clusterId: "c1", epoch: 1, tokensNotBeforeMs: 5 });
    expect((await cluster()).epoch).toBe(2);
    await deleteCursor();
    const before = await rows();
    await projector(core)({}, rounds(2));
    expect(await rows()).toEqual(before);
    expect(await readClusterEpoch(database, "c1")).toBe(2);
  });

  test("R13 A5 what operators did with backups has rows under _system, what failed as a failure", async () => {
    const core = new MemoryCore();
    await revoke(core, 1);
    const { backup_id } = await core.startBackup({ request_id: null, wait_ms: 0, head: HEAD });
    await core.startDrill({ backup_id, wait_ms: 0, head: HEAD });
    const failed: CommandOf<"note_failure"> = {
      ...HEAD,
      format: COMMAND_FORMAT_VERSION,
      kind: "note_failure",
      tenant: "_system",
      idempotency: null,
      expected_revision: null,
      payload: { summary: "restore failed: unavailable" },
    };
    await core.propose<"note_failure">({ command: failed, attachments: [] });
    await projector(core)({}, ONE_ROUND);
    const found = await owner`
      select actor_id, actor_name, ip, trace_id, outcome, resource, summary
      from audit_logs where tenant_id = '_system' order by log_index`;
    const by = { actor_id: "u-1", actor_name: "ada", ip: "192.0.2.1", trace_id: HEAD.trace_id };
    const resource = "_system/cluster";
    expect(found.map((one) => ({ ...one }))).toEqual([
      { ...by, resource, outcome: "success", summary: `took backup ${backup_id}` },
      { ...by, resource, outcome: "success", summary: `proved backup ${backup_id} by a drill` },
      { ...by, resource, outcome: "failure", summary: "restore failed: unavailable" },
    ]);
  });

  test("R13 a cluster made anew from an older backup: the projection goes back to where the new epoch begins", async () => {
    const lost = new MemoryCore();
    for (let n = 1; n <= 9; n += 1) await revoke(lost, n);
    await projector(lost)({}, ONE_ROUND);
    expect(await cursor()).toEqual({ epoch: 1, index: 9 });
    const young = new MemoryCore();
    for (let n = 1; n <= 3; n += 1) await revoke(young, n);
    const { backup_id } = await young.startBackup({ request_id: null, wait_ms: 0, head: HEAD });
    const done = await restore(young, backup_id);
    expect(done?.index).toBeLessThan(9);
    await revoke(young, 4);
    await projector(young)({}, rounds(2));
    expect(await cursor()).toEqual({ epoch: 2, index: (done?.index ?? 0) + 1 });
    expect(await indexes()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, done?.index, (done?.index ?? 0) + 1]);
    await expect(projector(lost)({}, ONE_ROUND)).rejects.toMatchObject({ code: "unavailable" });
  });

  test("the core, Postgres or DynamoDB away fails the invocation, and the next one goes on", async () => {
    const core = new MemoryCore();
    await revoke(core, 1);
    const away = new ConfluxError("unavailable", "no core");
    const noCore = { status: () => Promise.reject(away), feed: () => Promise.reject(away) };
    await expect(projector(noCore)({}, ONE_ROUND)).rejects.toBe(away);
    const nowhere = connectPostgres("postgres://conflux_app@127.0.0.1:1/none");
    await expect(projector(core, { database: nowhere })({}, ONE_ROUND)).rejects.toMatchObject({
      code: "unavailable",
    });
    await nowhere.close();
    const noDynamo = new DynamoDbCursorStore(
      connectDynamoDb({ ...dynalite.endpoint, url: "http://127.0.0.1:1" }),
      Date.now,
    );
    await expect(projector(core, { cursors: noDynamo })({}, ONE_ROUND)).rejects.toMatchObject({
      code: "unavailable",
    });
    expect(await indexes()).toEqual([]);
    await projector(core)({}, ONE_ROUND);
    expect(await indexes()).toEqual([1]);
  });
});
