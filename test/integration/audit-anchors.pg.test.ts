import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MemoryCursorStore } from "../../adapters/memory/memory-cursor-store.ts";
import { appendAuditRows } from "../../adapters/postgres/append-audit-rows.ts";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { inTransaction } from "../../adapters/postgres/with-tenant.ts";
import type { CorePort } from "../../contracts/core/core-port.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CursorStore } from "../../contracts/projection/cursor-store.ts";
import { createHandler } from "../../lambdas/audit-anchor.ts";
import { testingAdmin } from "../../workers/admin/testing-admin.ts";
import { cloneDatabase } from "../testing/postgres.ts";

const TENANTS = ["a", "b", "c", "d", "e"];
const AWAY = new ConfluxError("unavailable", "away");
let database: Database;
let core: CorePort;
beforeAll(async () => {
  database = connectPostgres((await cloneDatabase()).appUrl);
  await append(TENANTS);
});
afterAll(() => database.close());
beforeEach(() => {
  core = testingAdmin().core;
});

const append = (tenants: readonly string[]) =>
  inTransaction(database, (tx) =>
    appendAuditRows(
      tx,
      tenants.map((tenant) => ({
        tenant,
        actor: { type: "user", id: "usr_1", name: "ada" },
        ip: "",
        action: "write",
        resource: `${tenant}/shop/prod/app.json`,
        outcome: "success",
        traceId: "",
        summary: "",
        position: null,
        createdAtMs: 0,
      })),
    ),
  );
const newCursors = (): CursorStore => new MemoryCursorStore(Date.now);

/** One run with time for so many chains. */
async function run(chains: number, cursors: CursorStore, parts: { database?: Database } = {}) {
  const told: Record<string, unknown>[] = [];
  const asked: string[] = [];
  const handler = createHandler({
    core: {
      propose: (...args) => core.propose(...args),
      getAuditAnchors: (tenant, options) => {
        asked.push(tenant);
        return core.getAuditAnchors(tenant, options);
      },
    },
    database: parts.database ?? database,
    cursors,
    newTraceId: () => "b".repeat(32),
    log: (line) => told.push(line),
  });
  const report = await handler(
    {},
    { getRemainingTimeInMillis: () => (asked.length < chains ? 60_000 : 9_999) },
  ).catch((error: unknown) => error);
  return { report, told, asked };
}

describe("A5 anchors of more chains than a run has time for", () => {
  test("each run begins where the last one ended, and says how many it did not reach", async () => {
    const cursors = newCursors();
    const first = await run(2, cursors);
    expect(first.asked).toEqual(["a", "b"]);
    expect(first.report).toMatchObject({ chains: 2, notReached: 3 });
    expect(first.told).toEqual([{ level: "warn", message: "chains not reached", chains: 2, not_reached: 3 }]);
    expect((await run(2, cursors)).asked).toEqual(["c", "d"]);
    expect((await run(2, cursors)).asked).toEqual(["e", "a"]);
    expect((await run(2, cursors)).asked).toEqual(["b", "c"]);
    const all = await run(9, cursors);
    expect(all.asked).toEqual(["d", "e", "a", "b", "c"]);
    expect([all.report, all.told]).toMatchObject([{ chains: 5, notReached: 0 }, []]);
  });

  test("a run without time for any leaves the place as it is", async () => {
    const cursors = newCursors();
    await run(1, cursors);
    expect((await run(0, cursors)).told).toMatchObject([{ message: "chains not reached", not_reached: 5 }]);
    expect((await run(1, cursors)).asked).toEqual(["b"]);
  });

  test("a chain at which runs fail keeps no later one from its turn", async () => {
    const cursors = newCursors();
    const { core: whole } = testingAdmin();
    core.getAuditAnchors = (tenant) =>
      tenant === "b" ? Promise.reject(AWAY) : whole.getAuditAnchors(tenant);
    const failed = await run(9, cursors);
    expect([failed.asked, failed.report]).toEqual([["a", "b"], AWAY]);
    expect((await run(9, cursors)).asked).toEqual(["c", "d", "e", "a", "b"]);
  });

  test("A7 without its cursor a run begins with the first chain, and says so", async () => {
    const away: CursorStore = { read: () => Promise.reject(AWAY), advance: () => Promise.reject(AWAY) };
    const { report, told, asked } = await run(2, away);
    expect([asked, report]).toMatchObject([["a", "b"], { anchored: 2 }]);
    expect(told.map(({ message }) => message)).toEqual([
      "the anchors' cursor cannot be read",
      "chains not reached",
      "the anchors' cursor cannot be moved",
    ]);
  });

  test("a chain with nothing new costs no question to the database", async () => {
    const cursors = newCursors();
    await run(9, cursors);
    let transactions = 0;
    const counted: Database = {
      ...database,
      get db() {
        transactions += 1;
        return database.db;
      },
    };
    expect((await run(9, cursors, { database: counted })).report).toMatchObject({ chains: 5, anchored: 0 });
    // The list of the chains' ends.
    expect(transactions).toBe(1);
    await append(["c"]);
    expect((await run(9, cursors)).report).toMatchObject({ anchored: 1 });
  });
});
