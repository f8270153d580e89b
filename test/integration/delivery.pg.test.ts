import postgres from "postgres";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { projectFeedBatch } from "../../adapters/postgres/project-feed-batch.ts";
import { ensureTenant } from "../../adapters/postgres/seed-access.ts";
import { sweepDelivery } from "../../adapters/postgres/sweep-delivery.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import type { DeliveryMessage, QueuedReport } from "../../contracts/delivery/delivery-message.ts";
import { consumeDelivery, type QueueMessage } from "../../workers/admin/consume-delivery.ts";
import type { LogLine } from "../../workers/admin/principal.ts";
import { cloneDatabase } from "../testing/postgres.ts";

const CONFIG = "demo/shop/prod/app.json";
const NOW_MS = Date.parse("2026-03-04T12:00:00Z");
const DAY_MS = 24 * 60 * 60 * 1000;

let owner: postgres.Sql;
let database: Database;
let logs: LogLine[];
const closing: (() => Promise<void>)[] = [];
beforeEach(async () => {
  const urls = await cloneDatabase();
  owner = postgres(urls.ownerUrl, { max: 1 });
  database = connectPostgres(urls.appUrl);
  logs = [];
  const [own, used] = [owner, database];
  closing.push(
    () => own.end(),
    () => used.close(),
  );
  const seeding = connectPostgres(urls.ownerUrl);
  for (const tenant of ["demo", "other"]) await ensureTenant(seeding, { tenant, clusterId: "c1" });
  await seeding.close();
});
afterAll(() => Promise.all(closing.map((close) => close())));

/** A message as the queue hands it over, and what became of it. */
function message(body: unknown, attempts = 1) {
  const outcome = { acked: 0, retriedAfterS: [] as number[] };
  const made: QueueMessage = {
    id: crypto.randomUUID(),
    body,
    attempts,
    ack: () => {
      outcome.acked += 1;
    },
    retry: ({ delaySeconds }) => {
      outcome.retriedAfterS.push(delaySeconds);
    },
  };
  return { ...made, outcome };
}
interface Said extends Partial<QueuedReport> {
  client?: string;
  region?: string;
  tenant?: string;
  received_at_ms?: number;
  /** Index of the fetch, in epoch 1 of c1. */
  at?: number;
}
/** A reports message with one report: applied at log index `at`. */
function said({
  client = "pod-1",
  region = "eu",
  tenant = "demo",
  received_at_ms,
  at,
  ...report
}: Said): DeliveryMessage {
  const atMs = report.at_ms ?? NOW_MS;
  return {
    kind: "reports",
    tenant,
    region,
    client_id: client,
    received_at_ms: received_at_ms ?? atMs,
    reports: [
      {
        config: CONFIG,
        version: 1,
        state: "applied",
        reason: null,
        at_ms: atMs,
        position: at === undefined ? null : { cluster_id: "c1", epoch: 1, index: at },
        change_index: null,
        ...report,
      },
    ],
  };
}
async function consume(...bodies: unknown[]) {
  const messages = bodies.map((body) => message(body));
  await consumeDelivery(messages, { database, nowMs: () => NOW_MS, log: (line) => logs.push(line) });
  return messages.map(({ outcome }) => outcome);
}
const ACKED = { acked: 1, retriedAfterS: [] };
const clients = () => owner`select * from delivery_clients order by tenant_id, config, client_id`;
const latencies = async () =>
  (
    await owner`select config, region, day::text, le_ms, samples::int from propagation_latency order by 1, 2, 3, 4`
  ).map((row) => ({ ...row }));
/** A log write of a config: its row in the audit, as the feed's projection makes it. */
const written = (index: number, atMs: number, config = CONFIG) =>
  projectFeedBatch(database, {
    audit: [
      {
        tenant: "demo",
        actor: { type: "user", id: "u", name: "u" },
        ip: "",
        action: "publish",
        resource: config,
        outcome: "success",
        traceId: "",
        summary: "",
        position: { clusterId: "c1", epoch: 1, logIndex: index },
        createdAtMs: atMs,
      },
    ],
    moves: [],
    restores: [],
  });

describe("E16 the newest report of a client stays", () => {
  const first = said({ at: 10, version: 1, at_ms: NOW_MS });
  const second = said({ at: 20, version: 2, at_ms: NOW_MS + 1000, region: "us" });
  const third = said({
    at: 30,
    version: 3,
    at_ms: NOW_MS + 2000,
    state: "rejected",
    reason: "schema",
    region: "us",
  });

  test("in whatever order, how often and how bundled they come", async () => {
    const orders = [
      [[first], [second], [third]],
      [[first, second, third]],
      [[third], [second], [first]],
      [[second, third], [first], [second, third]],
      [[first], [first, second], [first, second, third], [first]],
    ];
    for (const batches of orders) {
      await owner`delete from delivery_clients`;
      for (const batch of batches) expect(await consume(...batch)).toEqual(batch.map(() => ACKED));
      const rows = await clients();
      expect(rows).toHaveLength(1);
      expect(rows[0]).toMatchObject({
        tenant_id: "demo",
        config: CONFIG,
        client_id: "pod-1",
        region: "us",
        version_id: 3,
        state: "rejected",
        reason: "schema",
        log_index: "30",
        reported_at: new Date(NOW_MS + 2000),
        seen_at: new Date(NOW_MS + 2000),
      });
    }
  });

  test("what it runs is what it applied last, also after it refused the next one", async () => {
    await consume(first, second);
    await consume(third);
    expect(await clients()).toMatchObject([{ version_id: 3, state: "rejected", running_version_id: 2 }]);
    await consume(said({ at: 40, version: 1, at_ms: NOW_MS + 3000 }));
    expect(await clients()).toMatchObject([
      { version_id: 1, state: "applied", running_version_id: 1, reason: null },
    ]);
  });

  test("a repetition writes nothing, and a later sign of life only when it was seen", async () => {
    await consume(first);
    const before = await owner`select xmin::text, ctid::text from delivery_clients`;
    await consume(first);
    expect(await owner`select xmin::text, ctid::text from delivery_clients`).toEqual(before);
    await consume(said({ at: 10, version: 1, at_ms: NOW_MS, received_at_ms: NOW_MS + 60_000 }));
    expect(await clients()).toMatchObject([
      { reported_at: new Date(NOW_MS), seen_at: new Date(NOW_MS + 60_000), version_id: 1 },
    ]);
  });

  test("a clock in the future does not hold the row for ever", async () => {
    await consume(said({ version: 1, at_ms: NOW_MS + 365 * DAY_MS, received_at_ms: NOW_MS }));
    await consume(said({ version: 2, at_ms: NOW_MS + 1000 }));
    expect(await clients()).toMatchObject([{ version_id: 2, reported_at: new Date(NOW_MS + 1000) }]);
  });

  test("two consumers at once lose nothing and do not wait for each other for ever", async () => {
    const bodies = (from: number) =>
      Array.from({ length: 30 }, (_, i) =>
        said({ client: `pod-${i % 10}`, at: from + i, version: from + i }),
      );
    const outcomes = await Promise.all([
      consume(...bodies(1)),
      consume(...bodies(31).toReversed()),
      consume(...bodies(1)),
    ]);
    expect(outcomes.flat()).toEqual(Array.from({ length: 90 }, () => ACKED));
    expect((await clients()).map((row) => row["version_id"])).toEqual(
      Array.from({ length: 10 }, (_, i) => 51 + i),
    );
  });
});

describe("E16 propagation", () => {
  const CHANGED_MS = NOW_MS + 10_000;
  const old = said({ at: 10, version: 1 });
  /** Applied `ms` after the change at index 20. */
  const applied = (ms: number, changes: Said = {}) =>
    said({
      at: 25,
      version: 2,
      change_index: 20,
      at_ms: CHANGED_MS + ms,
      received_at_ms: CHANGED_MS + ms + 100,
      ...changes,
    });
  const sample = (le_ms: number, samples = 1) => ({
    config: CONFIG,
    region: "eu",
    day: "2026-03-04",
    le_ms,
    samples,
  });

  test("is measured from the log entry to the client, once, however often it is told", async () => {
    await written(20, CHANGED_MS);
    await consume(old, said({ client: "pod-2", at: 10 }));
    await consume(applied(180));
    await consume(applied(180), applied(180));
    expect(await latencies()).toEqual([sample(250)]);
    await consume(applied(200, { client: "pod-2" }));
    expect(await latencies()).toEqual([sample(250, 2)]);
  });

  test("is not measured of a client that starts, that ran the version already, or that refused it", async () => {
    await written(20, CHANGED_MS);
    await consume(applied(180, { client: "starts" }));
    await consume(said({ client: "ran", at: 10, version: 2 }));
    await consume(applied(180, { client: "ran" }));
    await consume(said({ client: "refuses", at: 10 }));
    await consume(applied(180, { client: "refuses", state: "rejected" }));
    await consume(said({ client: "knew", at: 22 }));
    await consume(applied(180, { client: "knew" }));
    expect(await latencies()).toEqual([]);
    expect(await clients()).toHaveLength(4);
  });

  test.each([
    ["a little before the change: at once", -3000, 100, [sample(50)]],
    ["a little after it arrived: when it arrived", 3000, 400, [sample(500)]],
    ["an hour behind: nothing", -3_600_000, 100, []],
    ["an hour ahead: nothing", 3_600_000, 100, []],
  ])("with a clock %s", async (_, atMs, receivedMs, expected) => {
    await written(20, CHANGED_MS);
    await consume(old);
    await consume(applied(atMs, { received_at_ms: CHANGED_MS + receivedMs }));
    expect(await latencies()).toEqual(expected);
    expect(await clients()).toMatchObject([{ version_id: 2 }]);
  });

  test("waits for the audit to come to the change, and goes on without it in the end", async () => {
    await consume(old);
    expect(await consume(applied(180))).toEqual([{ acked: 0, retriedAfterS: [2] }]);
    expect(await clients()).toMatchObject([{ version_id: 1 }]);
    await written(20, CHANGED_MS);
    expect(await consume(applied(180))).toEqual([ACKED]);
    expect(await latencies()).toEqual([sample(250)]);

    const late = message(said({ at: 35, version: 3, change_index: 30, at_ms: CHANGED_MS + 99_000 }), 11);
    await consumeDelivery([late], { database, nowMs: () => NOW_MS, log: () => undefined });
    expect(late.outcome).toEqual(ACKED);
    expect(await clients()).toMatchObject([{ version_id: 3 }]);
    expect(await latencies()).toEqual([sample(250)]);
  });

  test("takes no other config's change for its own, and waits for none that the audit has passed", async () => {
    await written(20, CHANGED_MS, "demo/shop/prod/another.json");
    await consume(old);
    expect(await consume(applied(180))).toEqual([ACKED]);
    expect(await latencies()).toEqual([]);
  });
});

describe("E16 fetches", () => {
  const fetched = (region: string, ...times: [string, number][]): DeliveryMessage => ({
    kind: "fetches",
    region,
    fetched: times,
  });
  const rows = async () =>
    (await owner`select tenant_id, config, region, last_fetched_at from config_fetches order by 1, 2, 3`).map(
      (row) => [
        row["config"] as string,
        row["region"] as string,
        (row["last_fetched_at"] as Date).getTime() - NOW_MS,
      ],
    );

  test("the latest time of each region stays, and each tenant gets its own", async () => {
    const one = fetched("eu", [CONFIG, NOW_MS + 2000], ["other/a/e/n", NOW_MS + 1]);
    const two = fetched("eu", [CONFIG, NOW_MS + 1000]);
    for (const batch of [[one, two], [two], [one], [fetched("us", [CONFIG, NOW_MS])]]) {
      expect(await consume(...batch)).toEqual(batch.map(() => ACKED));
    }
    expect(await rows()).toEqual([
      [CONFIG, "eu", 2000],
      [CONFIG, "us", 0],
      ["other/a/e/n", "eu", 1],
    ]);
    const [row] = await owner`select tenant_id from config_fetches where config = 'other/a/e/n'`;
    expect(row?.["tenant_id"]).toBe("other");
  });
});

describe("E16 A2 tenants", () => {
  test("a message writes into its own tenant alone, and one of a tenant that is gone is dropped", async () => {
    const forged = said({ tenant: "demo", config: "other/shop/prod/app.json", at: 1 });
    const gone = said({ tenant: "gone", config: "gone/shop/prod/app.json", at: 1 });
    const theirs = said({ tenant: "other", config: "other/shop/prod/app.json", at: 1 });
    expect(await consume(forged, gone, theirs, said({ at: 1 }))).toEqual([ACKED, ACKED, ACKED, ACKED]);
    expect((await clients()).map((row) => [row["tenant_id"], row["config"]])).toEqual([
      ["demo", CONFIG],
      ["other", "other/shop/prod/app.json"],
    ]);
  });
});

describe("E16 A7 what cannot be written comes again", () => {
  test("with Postgres away the whole batch waits, longer each time, and nothing is lost", async () => {
    const away = connectPostgres("postgres://conflux_app:app@127.0.0.1:1/none");
    const messages = [1, 2, 5, 90].map((attempts) => message(said({ at: 1 }), attempts));
    await consumeDelivery(messages, { database: away, nowMs: () => NOW_MS, log: (line) => logs.push(line) });
    await away.close();
    expect(messages.map(({ outcome }) => outcome)).toEqual(
      [5, 10, 80, 300].map((s) => ({ acked: 0, retriedAfterS: [s] })),
    );
    expect(await consume(...messages.map(({ body }) => body))).toEqual(messages.map(() => ACKED));
  });

  test("with Postgres away the tenants of a large batch are not all tried", async () => {
    const away = connectPostgres("postgres://conflux_app:app@127.0.0.1:1/none");
    const tenants = Array.from({ length: 50 }, (_, n) => `t${n}`);
    const messages = tenants.map((tenant) => message(said({ tenant, config: `${tenant}/a/e/n`, at: 1 })));
    await consumeDelivery(messages, { database: away, nowMs: () => NOW_MS, log: (line) => logs.push(line) });
    await away.close();
    expect(messages.every(({ outcome }) => outcome.acked === 0 && outcome.retriedAfterS.length === 1)).toBe(
      true,
    );
    expect(logs).toHaveLength(3);
  });

  test("a message that can never be written keeps no other back", async () => {
    const unreadable = { kind: "reports", tenant: "demo" };
    const impossible = said({ at: 1, client: "pod-2", version: 0 });
    const outcomes = await consume(
      said({ at: 1 }),
      unreadable,
      impossible,
      "junk",
      said({ at: 1, client: "pod-3" }),
    );
    expect(outcomes.map(({ acked }) => acked)).toEqual([1, 0, 0, 0, 1]);
    expect(outcomes.flatMap(({ retriedAfterS }) => retriedAfterS)).toEqual([5, 5, 5]);
    expect((await clients()).map((row) => row["client_id"])).toEqual(["pod-1", "pod-3"]);
    expect(logs.filter(({ level }) => level === "error").length).toBeGreaterThanOrEqual(3);
  });
});

describe("E16 nothing is kept for ever", () => {
  test("old rows go with the next write, and the longest silent clients make room", async () => {
    await owner`insert into config_fetches values ('demo', 'demo/a/e/old', 'eu', ${new Date(NOW_MS - 401 * DAY_MS)})`;
    await owner`insert into config_fetches values ('demo', 'demo/a/e/new', 'eu', ${new Date(NOW_MS - 399 * DAY_MS)})`;
    await owner`insert into propagation_latency values ('demo', ${CONFIG}, 'eu', '2026-02-01', 50, 1), ('demo', ${CONFIG}, 'eu', '2026-02-02', 50, 1)`;
    await consume(said({ client: "old", at: 1, at_ms: NOW_MS - 31 * DAY_MS }));
    await consume(...[3, 1, 2].map((n) => said({ client: `pod-${n}`, at: 1, at_ms: NOW_MS - n * 1000 })));
    expect((await clients()).map((row) => row["client_id"])).toEqual(["pod-1", "pod-2", "pod-3"]);
    expect((await owner`select config from config_fetches`).map((row) => row["config"])).toEqual([
      "demo/a/e/new",
    ]);
    expect((await latencies()).map(({ day }: { day?: string }) => day)).toEqual(["2026-02-02"]);
    const of = { nowMs: NOW_MS, configsWithNewClients: [CONFIG], clientsMax: 2 };
    await withTenant(database, "demo", (tx) => sweepDelivery(tx, "demo", of));
    expect((await clients()).map((row) => row["client_id"])).toEqual(["pod-1", "pod-2"]);
  });
});
