import { connect as connectSocket, createServer, type Server, type Socket } from "node:net";
import { sql } from "drizzle-orm";
import { afterEach, describe, expect, test } from "vitest";
import { cloneDatabase, startPostgres } from "../../test/testing/postgres.ts";
import { connectPostgres, type Database } from "./connect.ts";
import { findUserForLogin } from "./find-user-for-login.ts";
import { inTransaction, STATEMENT_TIMEOUT_MS, withTenant } from "./with-tenant.ts";

const UNAVAILABLE = { name: "ConfluxError", code: "unavailable" };
const opened: Database[] = [];
const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((database) => database.close()));
  for (const server of servers.splice(0)) server.close();
});
function connect(url: string): Database {
  const database = connectPostgres(url);
  opened.push(database);
  return database;
}
async function listen(onConnection: (socket: Socket) => void): Promise<string> {
  const server = createServer(onConnection).listen(0, "127.0.0.1");
  servers.push(server);
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return `postgres://conflux_app@127.0.0.1:${address.port}/conflux`;
}

describe("A7 Postgres away is unavailable, and never a wait", () => {
  test("nobody listens", async () => {
    const url = await listen(() => undefined);
    servers.splice(0).forEach((server) => server.close());
    await expect(findUserForLogin(connect(url), "ada")).rejects.toMatchObject(UNAVAILABLE);
  });

  test("it accepts and says nothing", async () => {
    const sockets: Socket[] = [];
    const url = await listen((socket) => sockets.push(socket));
    await expect(findUserForLogin(connect(url), "ada")).rejects.toMatchObject(UNAVAILABLE);
    for (const socket of sockets) socket.destroy();
  });

  test("it hangs up", async () => {
    const url = await listen((socket) => socket.destroy());
    await expect(findUserForLogin(connect(url), "ada")).rejects.toMatchObject(UNAVAILABLE);
  });

  test("it stops in the middle, and a new connection after its end is refused", async () => {
    const server = await startPostgres();
    const database = connect(server.url);
    await inTransaction(database, (tx) => tx.execute(sql`select 1`));
    const slow = inTransaction(database, (tx) => tx.execute(sql`select pg_sleep(1)`));
    const outcome = expect(slow).rejects.toMatchObject(UNAVAILABLE);
    await server.stop();
    await outcome;
    await expect(inTransaction(database, (tx) => tx.execute(sql`select 1`))).rejects.toMatchObject(
      UNAVAILABLE,
    );
  });

  test("a connection cut in the middle of a transaction costs that one, every time", async () => {
    const target = new URL((await cloneDatabase()).appUrl);
    const cut: Socket[] = [];
    const url = new URL(
      await listen((socket) => {
        const upstream = connectSocket(Number(target.port), target.hostname);
        cut.push(socket, upstream);
        for (const end of [socket, upstream]) end.on("error", () => undefined);
        socket.pipe(upstream).pipe(socket);
      }),
    );
    url.pathname = target.pathname;
    const database = connect(url.href);
    for (let round = 0; round < 10; round += 1) {
      const broken = inTransaction(database, async (tx) => {
        await tx.execute(sql`select 1`);
        for (const socket of cut.splice(0)) socket.destroy();
        await tx.execute(sql`select 2`);
      });
      await expect(broken).rejects.toMatchObject(UNAVAILABLE);
      const rows = await inTransaction(database, (tx) => tx.execute(sql`select 3 as three`));
      expect(rows[0]).toEqual({ three: 3 });
    }
  });

  test("a statement over its time is cancelled on the server and the connection goes on", async () => {
    const database = connect((await cloneDatabase()).appUrl);
    const seconds = (STATEMENT_TIMEOUT_MS * 10) / 1000;
    await expect(
      inTransaction(database, (tx) => tx.execute(sql`select pg_sleep(${seconds})`)),
    ).rejects.toMatchObject(UNAVAILABLE);
    const rows = await inTransaction(database, (tx) => tx.execute(sql`select 1 as one`));
    expect(rows[0]).toEqual({ one: 1 });
  });
});

describe("withTenant", () => {
  test("what the function throws comes out as it is, and nothing it did stays", async () => {
    const database = connect((await cloneDatabase()).ownerUrl);
    const boom = new Error("boom: connect the dots");
    await expect(
      withTenant(database, "demo", async (tx) => {
        await tx.execute(sql`insert into clusters (id) values ('c9')`);
        throw boom;
      }),
    ).rejects.toBe(boom);
    const rows = await inTransaction(database, (tx) => tx.execute(sql`select 1 from clusters`));
    expect(rows).toHaveLength(0);
  });
});
