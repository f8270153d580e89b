import type { Context } from "hono";
import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connectPostgres } from "../../adapters/postgres/connect.ts";
import { ensureTenant } from "../../adapters/postgres/seed-access.ts";
import { verifyAuditChain } from "../../adapters/postgres/verify-audit-chain.ts";
import { BEFORE_CHAIN } from "../../domain/access/verify-chain.ts";
import { cloneDatabase } from "../testing/postgres.ts";
import type { Refusal } from "../../workers/admin/refusal.ts";
import type { AdminEnv, LogLine } from "../../workers/admin/principal.ts";
import {
  AUDIT_FAILURES_METRIC,
  createRefusalAudit,
  REFUSAL_CALLERS_MAX,
  REFUSAL_ROWS_MAX,
  REFUSAL_ROWS_PER_CALLER_MAX,
  REFUSAL_WINDOW_MS,
} from "../../workers/admin/refusal-audit.ts";

let owner: postgres.Sql;
let appUrl: string;
let isAway = false;
let nowMs = 0;
let logs: LogLine[] = [];
let sleepers: (() => void)[] = [];
let work: Promise<unknown>[] = [];
const context = {
  executionCtx: { waitUntil: (promise: Promise<unknown>) => work.push(promise) },
} as unknown as Context<AdminEnv>;

beforeAll(async () => {
  const urls = await cloneDatabase();
  appUrl = urls.appUrl;
  owner = postgres(urls.ownerUrl, { max: 1 });
  const seeding = connectPostgres(urls.ownerUrl);
  await ensureTenant(seeding, { tenant: "demo", clusterId: "c1" });
  await seeding.close();
});
afterAll(() => owner.end());
beforeEach(async () => {
  await owner.begin(async (tx) => {
    await tx`alter table audit_logs disable trigger append_only`;
    await tx`delete from audit_logs`;
    await tx`alter table audit_logs enable trigger append_only`;
  });
  [isAway, nowMs, logs, sleepers, work] = [false, Date.UTC(2026, 10, 28), [], [], []];
});

const audit = () =>
  createRefusalAudit({
    database: () =>
      connectPostgres(isAway ? "postgres://conflux_app@127.0.0.1:1/none" : appUrl, { connectionsMax: 1 }),
    nowMs: () => nowMs,
    log: (line) => logs.push(line),
    sleep: () => new Promise((resolve) => sleepers.push(resolve)),
  });
const refusal = (changes: Partial<Refusal> = {}): Refusal => ({
  tenant: null,
  actor: { type: "user", id: "", name: "" },
  ip: "198.51.100.1",
  action: "read",
  resource: "/api/v1/mgt/configs",
  outcome: "denied",
  traceId: "a".repeat(32),
  summary: "GET /api/v1/mgt/configs: 401 unauthenticated",
  ...changes,
});
const known = (changes: Partial<Refusal> = {}) =>
  refusal({ actor: { type: "user", id: "usr_1", name: "ada" }, tenant: "demo", ...changes });
/** Everything that was handed to waitUntil by now and does not wait for a clock. */
async function settle(): Promise<void> {
  for (const sleeper of sleepers.splice(0)) sleeper();
  await Promise.all(work.splice(0));
}
const rows = async (tenant: string) =>
  (await owner`select * from audit_logs where tenant_id = ${tenant} order by seq`).map((row) => ({ ...row }));

describe("A5 refusals in the audit", () => {
  test("stand under the tenant they are about if there is one, else under the system's", async () => {
    const note = audit();
    note(context, known({ action: "write", resource: "demo/shop/prod/x", ip: "192.0.2.1" }));
    note(context, known({ tenant: "no-such-tenant" }));
    note(context, refusal());
    await settle();
    expect(await rows("demo")).toMatchObject([
      {
        actor_id: "usr_1",
        actor_name: "ada",
        ip: "192.0.2.1",
        action: "write",
        resource: "demo/shop/prod/x",
        outcome: "denied",
        trace_id: "a".repeat(32),
        log_index: null,
      },
    ]);
    expect((await rows("_system")).map((row) => String(row["actor_id"])).toSorted()).toEqual(["", "usr_1"]);
    expect(await rows("no-such-tenant")).toEqual([]);
  });

  test("a flood from one address makes a few rows and a count, without another request", async () => {
    const note = audit();
    for (let n = 0; n < 10_000; n += 1) note(context, refusal());
    nowMs += REFUSAL_WINDOW_MS;
    await settle();
    const written = await rows("_system");
    expect(written).toHaveLength(REFUSAL_ROWS_PER_CALLER_MAX + 1);
    expect(written.map((row) => row["summary"])).toContain(
      `${10_000 - REFUSAL_ROWS_PER_CALLER_MAX} more refusals within 20 s, the last: GET /api/v1/mgt/configs: 401 unauthenticated`,
    );
    note(context, refusal());
    await settle();
    expect(await rows("_system")).toHaveLength(REFUSAL_ROWS_PER_CALLER_MAX + 2);
  });

  test("a flood from many addresses is bounded, and counted whole", async () => {
    const note = audit();
    const addresses = REFUSAL_CALLERS_MAX + 100;
    for (let n = 0; n < addresses * 2; n += 1) note(context, refusal({ ip: `198.51.100.${n % addresses}` }));
    nowMs += REFUSAL_WINDOW_MS;
    await settle();
    const written = await rows("_system");
    const counts = written.flatMap((row) => /^(\d+) more refusals/.exec(String(row["summary"]))?.[1] ?? []);
    const own = written.length - counts.length;
    expect(own).toBe(REFUSAL_ROWS_MAX);
    expect(own + counts.reduce((sum, n) => sum + Number(n), 0)).toBe(addresses * 2);
    expect(written.length).toBeLessThanOrEqual(REFUSAL_ROWS_MAX + REFUSAL_CALLERS_MAX + 1);
    expect(written).toContainEqual(
      expect.objectContaining({
        ip: "",
        summary: expect.stringContaining("callers past the first") as unknown,
      }),
    );
  });

  test("a known caller has rows of its own however many nobody knows", async () => {
    const note = audit();
    for (let n = 0; n < 100; n += 1) note(context, refusal());
    note(context, known());
    await settle();
    expect(await rows("demo")).toHaveLength(1);
  });

  test("rows that the database refuses are told of and hold nothing up", async () => {
    const note = audit();
    note(context, known({ outcome: "unheard of" as "denied" }));
    await settle();
    expect(logs).toMatchObject([{ metric: AUDIT_FAILURES_METRIC, kept: 0, lost: 1 }]);
    note(context, known());
    await settle();
    expect(await rows("demo")).toHaveLength(1);
  });

  test("the database away: a log line with the metric, and the rows are written when it is back", async () => {
    const note = audit();
    isAway = true;
    note(context, known());
    note(context, refusal());
    await settle();
    expect(logs).toMatchObject([
      { level: "error", message: "audit not written", metric: AUDIT_FAILURES_METRIC, kept: 2, lost: 0 },
    ]);
    isAway = false;
    note(context, known());
    await settle();
    expect([(await rows("demo")).length, (await rows("_system")).length]).toEqual([2, 1]);
    const database = connectPostgres(appUrl, { connectionsMax: 1 });
    for (const tenant of ["demo", "_system"]) {
      const { finding } = await verifyAuditChain(database, {
        tenant,
        anchors: [],
        from: BEFORE_CHAIN,
        isEnough: () => false,
      });
      expect(finding).toBeNull();
    }
    await database.close();
  });
});
