import { sql } from "drizzle-orm";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cloneDatabase } from "../../test/testing/postgres.ts";
import { type SlowProxy, startSlowProxy } from "../../test/testing/slow-proxy.ts";
import { connectPostgres } from "./connect.ts";
import { pingPostgres } from "./ping-postgres.ts";
import { WaitingRoom } from "./waiting-room.ts";
import { inTransaction } from "./with-tenant.ts";

const PLACES = 8;
const REQUESTS = 200;
/** Longer than any request waits. */
const SLOW_MS = 5000;
const FULL = "Too many requests wait for the database.";

let proxy: SlowProxy;
let url: string;
let ownerUrl: string;
let room: WaitingRoom;

beforeEach(async () => {
  const urls = await cloneDatabase();
  ({ ownerUrl } = urls);
  const target = new URL(urls.appUrl);
  proxy = await startSlowProxy({ host: target.hostname, port: Number(target.port) });
  target.port = String(proxy.port);
  url = target.href;
  room = new WaitingRoom(PLACES);
});
afterEach(() => proxy.close());

/** A request of the admin Worker: a client of its own for one transaction. Answers "ok" or why it was refused. */
async function request(statement = "select 1"): Promise<string> {
  const database = connectPostgres(url, { waitingRoom: room });
  try {
    await inTransaction(database, (tx) => tx.execute(sql.raw(statement)));
    return "ok";
  } catch (error) {
    expect(error).toMatchObject({ code: "unavailable", retryAfterS: 1 });
    return (error as Error).message;
  } finally {
    await database.close();
  }
}

describe("A7 a database that is slow", () => {
  test("is waited for by so many requests and no more; the others are refused before any of those ends", async () => {
    proxy.delayMs = SLOW_MS;
    const ended: string[] = [];
    const requests = Array.from({ length: REQUESTS }, async () => ended.push(await request()));
    await Promise.all(requests);
    expect(ended.slice(0, REQUESTS - PLACES).every((why) => why === FULL)).toBe(true);
    const waited = ended.slice(REQUESTS - PLACES);
    expect(waited).toHaveLength(PLACES);
    expect(waited.every((why) => why !== FULL && why !== "ok")).toBe(true);
    expect(proxy.peak()).toBeLessThanOrEqual(PLACES);
  });

  test("does not gather connections while requests keep coming, and serves as before once it is well", async () => {
    proxy.delayMs = SLOW_MS;
    for (let round = 0; round < 3; round += 1) {
      const answers = await Promise.all(Array.from({ length: 4 * PLACES }, () => request()));
      expect(answers.filter((why) => why === FULL)).toHaveLength(3 * PLACES);
    }
    // Those of a round and those that the round before is still closing.
    expect(proxy.peak()).toBeLessThanOrEqual(2 * PLACES);
    proxy.delayMs = 0;
    const answers = await Promise.all(Array.from({ length: PLACES }, () => request()));
    expect(answers).toEqual(Array.from({ length: PLACES }, () => "ok"));
  });

  test("because of a lock is left by the statement's timeout, on the server too", async () => {
    const owner = postgres(ownerUrl, { max: 1 });
    const released = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const holder = owner.begin(async (tx) => {
      await tx`lock table tenants in access exclusive mode`;
      locked.resolve();
      await released.promise;
    });
    await locked.promise;
    const answers = await Promise.all(
      Array.from({ length: 2 * PLACES }, () => request("select * from tenants")),
    );
    expect(answers.filter((why) => why === FULL)).toHaveLength(PLACES);
    expect(answers).not.toContain("ok");
    released.resolve();
    await holder;
    const waiting = await owner`
      select 1 from pg_stat_activity where usename = 'conflux_app' and datname = current_database() and state <> 'idle'`;
    expect(waiting).toHaveLength(0);
    expect(await request("select * from tenants")).toBe("ok");
    await owner.end();
  });

  test("makes the readiness probe say so, and not hang", async () => {
    expect(await pingPostgres(url)).toBe(true);
    proxy.delayMs = SLOW_MS;
    await expect(pingPostgres(url)).rejects.toMatchObject({ code: "unavailable" });
  });
});
