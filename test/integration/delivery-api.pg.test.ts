import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { ensureTenant } from "../../adapters/postgres/seed-access.ts";
import { PERMISSION_ACTIONS } from "../../domain/access/permits.ts";
import { cloneDatabase } from "../testing/postgres.ts";
import type { AuthDeps } from "../../workers/admin/auth-deps.ts";
import { registerDeliveryRoutes } from "../../workers/admin/delivery-routes.ts";
import {
  newConfig,
  readProblem,
  testingAdmin,
  type TestingAdmin,
} from "../../workers/admin/testing-admin.ts";

type Json = Record<string, unknown>;
const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const DEAD = "/api/v1/mgt/delivery/dead-configs?tenant=demo";

let owner: postgres.Sql;
let database: Database;
/** How far ahead the API's clock is. */
let aheadMs = 0;
beforeAll(async () => {
  const urls = await cloneDatabase();
  owner = postgres(urls.ownerUrl, { max: 1 });
  database = connectPostgres(urls.appUrl);
  const seeding = connectPostgres(urls.ownerUrl);
  for (const tenant of ["demo", "other"]) await ensureTenant(seeding, { tenant, clusterId: "c1" });
  await seeding.close();
});
afterAll(() => Promise.all([owner.end(), database.close()]));

function admin(used: Database = database): TestingAdmin {
  const testing = testingAdmin();
  const deps: Pick<AuthDeps, "database" | "nowMs"> = {
    database: () => used,
    nowMs: () => Date.now() + aheadMs,
  };
  registerDeliveryRoutes(testing.app, deps);
  return testing;
}
async function create(testing: TestingAdmin, name: string, changes: Json = {}): Promise<string> {
  const answer = await testing.send(
    "POST",
    "/api/v1/mgt/configs",
    newConfig({ name, release: true, ...changes }),
  );
  expect(answer.status).toBe(201);
  return String(((await answer.json()) as Json)["id"]);
}
async function addVersion(testing: TestingAdmin, id: string): Promise<void> {
  const body = { content: '{"again":true}', description: "" };
  expect((await testing.send("POST", `/api/v1/mgt/configs/${id}/versions`, body)).status).toBe(201);
}
async function get(testing: TestingAdmin, path: string, token = "admin"): Promise<Json> {
  const answer = await testing.send("GET", path, undefined, { authorization: `Bearer ${token}` });
  expect([path, answer.status]).toEqual([path, 200]);
  return (await answer.json()) as Json;
}
interface Client {
  id: string;
  region?: string;
  version?: number;
  state?: string;
  running?: number | null;
  agoMs?: number;
}
async function insertClients(config: string, clients: Client[]): Promise<void> {
  for (const { id, region = "eu", version = 1, state = "applied", running = version, agoMs = 0 } of clients) {
    await owner`insert into delivery_clients values ('demo', ${config}, ${id}, ${region}, ${version}, ${state}, null, ${running},
      'c1', 1, 7, ${new Date(Date.now() - agoMs)}, ${new Date(Date.now() - agoMs)})`;
  }
}
const fetched = (config: string, region: string, atMs: number) =>
  owner`insert into config_fetches values ('demo', ${config}, ${region}, ${new Date(atMs)})
    on conflict (tenant_id, config, region) do update set last_fetched_at = excluded.last_fetched_at`;

describe("E16 how a config is delivered", () => {
  test("a config that nobody has told of has nothing, and no rate", async () => {
    const testing = admin();
    const id = await create(testing, "silent.json");
    expect(await get(testing, `/api/v1/mgt/configs/${id}/delivery`)).toEqual({
      config_id: id,
      namespace: { tenant: "demo", app: "shop", env: "prod" },
      name: "silent.json",
      clients: 0,
      default_version: 1,
      adoption_rate: null,
      clients_by_version: [],
      last_fetched_at: null,
      last_fetched: [],
      propagation: {
        samples: 0,
        p50_ms: null,
        p99_ms: null,
        buckets: expect.arrayContaining([{ le_ms: null, count: 0 }]) as unknown,
      },
    });
  });

  test("clients by version and region, adoption, last fetches and the histogram", async () => {
    const testing = admin();
    const id = await create(testing, "told.json");
    await addVersion(testing, id);
    const config = "demo/shop/prod/told.json";
    await insertClients(config, [
      { id: "a" },
      { id: "b" },
      { id: "c", region: "us" },
      { id: "d", version: 2, state: "rejected", running: 1 },
      { id: "e", version: 2, state: "error", running: null },
      { id: "f", version: 2 },
    ]);
    const fetchedMs = Date.now();
    await fetched(config, "eu", fetchedMs);
    await fetched(config, "us", fetchedMs + 5);
    // Of another config of this name, that was deleted.
    await fetched(config, "cn", fetchedMs - DAY_MS);
    const day = new Date().toISOString().slice(0, 10);
    await owner`insert into propagation_latency values ('demo', ${config}, 'eu', ${day}, 100, 98),
      ('demo', ${config}, 'us', ${day}, 250, 1), ('demo', ${config}, 'us', ${day}, 2147483647, 1),
      ('demo', ${config}, 'us', '2020-01-01', 50, 5000)`;
    const delivery = await get(testing, `/api/v1/mgt/configs/${id}/delivery`);
    expect(delivery).toMatchObject({
      clients: 6,
      default_version: 1,
      adoption_rate: 4 / 6,
      clients_by_version: [
        { version: 2, region: "eu", applied: 1, rejected: 1, error: 1, clients: 3 },
        { version: 1, region: "eu", applied: 2, rejected: 0, error: 0, clients: 2 },
        { version: 1, region: "us", applied: 1, rejected: 0, error: 0, clients: 1 },
      ],
      last_fetched_at: new Date(fetchedMs + 5).toISOString(),
      last_fetched: [{ region: "eu" }, { region: "us" }],
      propagation: { samples: 100, p50_ms: 76, p99_ms: 250 },
    });
    const { buckets } = delivery["propagation"] as { buckets: { le_ms: number | null; count: number }[] };
    expect(buckets.slice(0, 3)).toEqual([
      { le_ms: 50, count: 0 },
      { le_ms: 100, count: 98 },
      { le_ms: 250, count: 99 },
    ]);
    expect(buckets.slice(-2)).toEqual([
      { le_ms: 3_600_000, count: 99 },
      { le_ms: null, count: 100 },
    ]);
  });

  test("reports on versions that there are not count nowhere", async () => {
    const testing = admin();
    const id = await create(testing, "claimed.json");
    await insertClients("demo/shop/prod/claimed.json", [
      { id: "true" },
      { id: "false", version: 99 },
      { id: "half", state: "rejected", running: 2 },
    ]);
    const path = `/api/v1/mgt/configs/${id}/delivery`;
    const told = async () => {
      const { clients, adoption_rate, clients_by_version } = await get(testing, path);
      const { items } = (await get(testing, `${path}/clients`)) as { items: Json[] };
      return [
        clients,
        adoption_rate,
        (clients_by_version as Json[]).length,
        items.map((i) => i["client_id"]),
      ];
    };
    expect(await told()).toEqual([1, 1, 1, ["true"]]);
    // Once the version is there, so is its client.
    await addVersion(testing, id);
    expect(await told()).toEqual([2, 0.5, 1, ["half", "true"]]);
  });

  test("who was silent for longer than asked is left out", async () => {
    const testing = admin();
    const id = await create(testing, "hours.json");
    await insertClients("demo/shop/prod/hours.json", [{ id: "a" }]);
    aheadMs = 25 * HOUR_MS;
    const path = `/api/v1/mgt/configs/${id}/delivery`;
    expect([
      (await get(testing, path))["clients"],
      (await get(testing, `${path}?seen_within_hours=26`))["clients"],
    ]).toEqual([0, 1]);
    aheadMs = 0;
  });
});

describe("E16 the clients of a config", () => {
  test("are listed in pages and by version, state and region, with a signed index", async () => {
    const testing = admin();
    const id = await create(testing, "fleet.json");
    await addVersion(testing, id);
    const path = `/api/v1/mgt/configs/${id}/delivery/clients`;
    await insertClients("demo/shop/prod/fleet.json", [
      { id: "pod-1" },
      { id: "pod-2", region: "us" },
      { id: "pod-3", version: 2, state: "rejected", running: 1 },
      { id: "pod ä", version: 2 },
    ]);
    const ids = async (query: string) =>
      ((await get(testing, `${path}?${query}`))["items"] as Json[]).map((item) => item["client_id"]);
    const first = await get(testing, `${path}?limit=3`);
    expect((first["items"] as Json[]).map((item) => item["client_id"])).toEqual(["pod ä", "pod-1", "pod-2"]);
    expect(await ids(`limit=3&cursor=${encodeURIComponent(String(first["next_cursor"]))}`)).toEqual([
      "pod-3",
    ]);
    expect(await ids("version=2")).toEqual(["pod ä", "pod-3"]);
    expect(await ids("version=2&state=rejected")).toEqual(["pod-3"]);
    expect(await ids("region=us")).toEqual(["pod-2"]);
    expect(await ids("region=nowhere")).toEqual([]);
    const [rejected] = (await get(testing, `${path}?state=rejected`))["items"] as Json[];
    expect(rejected).toMatchObject({
      client_id: "pod-3",
      version: 2,
      running_version: 1,
      state: "rejected",
      reason: null,
    });
    expect(rejected?.["index"]).toMatch(/^c1\.1\.7\.[\w-]+$/);
  });
});

describe("E16 dead configs", () => {
  test("were there all the time and never fetched in it, in pages", async () => {
    const testing = admin();
    for (const name of ["alive", "dead-1", "dead-2", "dead-3", "late"])
      await create(testing, `${name}.json`, { app: "old" });
    const names = ["alive", "dead-2", "late"].map((name) => `demo/old/prod/${name}.json`);
    aheadMs = 40 * DAY_MS;
    const nowMs = Date.now() + aheadMs;
    for (const [i, days] of [1, 31, 29].entries()) await fetched(names[i] ?? "", "eu", nowMs - days * DAY_MS);
    const list = async (query: string) => {
      const page = await get(testing, `${DEAD}&app=old&${query}`);
      return {
        names: (page["items"] as Json[]).map((item) => item["name"]),
        cursor: page["next_cursor"] as string | null,
      };
    };
    expect(await list("not_fetched_days=30")).toEqual({
      names: ["dead-1.json", "dead-2.json", "dead-3.json"],
      cursor: null,
    });
    expect((await list("not_fetched_days=32")).names).toEqual(["dead-1.json", "dead-3.json"]);
    // Younger than that, all of them.
    expect((await list("not_fetched_days=41")).names).toEqual([]);
    const pages: unknown[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof list>> = await list(
        `not_fetched_days=30&limit=1${cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`}`,
      );
      pages.push(...page.names);
      expect(page.names.length).toBeLessThanOrEqual(1);
      cursor = page.cursor;
    } while (cursor !== null);
    expect(pages).toEqual(["dead-1.json", "dead-2.json", "dead-3.json"]);
    const [dead] = (await get(testing, `${DEAD}&app=old&not_fetched_days=30&env=prod`))["items"] as Json[];
    expect(dead).toMatchObject({
      namespace: { tenant: "demo", app: "old", env: "prod" },
      last_fetched_at: null,
    });
    aheadMs = 0;
  });
});

describe("E16 A4 delivery is for who may see it", () => {
  test("a config that the caller may not read has none, and foreign tenants list none", async () => {
    const testing = admin();
    const id = await create(testing, "secret.json");
    const paths = [`/api/v1/mgt/configs/${id}/delivery`, `/api/v1/mgt/configs/${id}/delivery/clients`];
    for (const path of paths) {
      const as = (token: string) =>
        testing.send("GET", path, undefined, { authorization: `Bearer ${token}` });
      expect([
        (await as("reader")).status,
        (await as("stranger")).status,
        (await as("nobody")).status,
      ]).toEqual([200, 404, 401]);
    }
    const dead = (token: string, query = "") =>
      testing.send("GET", DEAD + query, undefined, { authorization: `Bearer ${token}` });
    expect([
      (await dead("stranger")).status,
      (await dead("reader")).status,
      (await dead("reader", "&app=shop")).status,
      (await dead("nobody")).status,
    ]).toEqual([403, 403, 200, 401]);
  });

  test.each([
    ["/delivery?seen_within_hours=0", "/query/seen_within_hours"],
    ["/delivery?seen_within_hours=721", "/query/seen_within_hours"],
    ["/delivery?propagation_days=31", "/query/propagation_days"],
    ["/delivery?color=red", "/query/color"],
    ["/delivery/clients?version=0", "/query/version"],
    ["/delivery/clients?version=2147483648", "/query/version"],
    ["/delivery/clients?state=done", "/query/state"],
    ["/delivery/clients?region=%00", "/query/region"],
    ["/delivery/clients?cursor=%00", "/query/cursor"],
    ["/delivery/clients?limit=201", "/query/limit"],
  ])("%s is refused with its place", async (path, at) => {
    const testing = admin();
    const id = await create(testing, "refused.json");
    const answer = await testing.send("GET", `/api/v1/mgt/configs/${id}${path}`);
    const problem = await readProblem(answer);
    expect([answer.status, problem.code, problem.errors?.[0]?.path]).toEqual([400, "validation_failed", at]);
  });

  test.each(["&not_fetched_days=0", "&not_fetched_days=366", "&env=a/b", "&cursor=", "&cursor=junk"])(
    "dead-configs%s is refused",
    async (query) => {
      expect((await admin().send("GET", DEAD + query)).status).toBe(400);
    },
  );

  test("A7 with Postgres away it answers 503, and a config that is not there stays 404", async () => {
    const away = connectPostgres("postgres://conflux_app:app@127.0.0.1:1/none");
    const testing = admin(away);
    const id = await create(testing, "away.json");
    const answer = await testing.send("GET", `/api/v1/mgt/configs/${id}/delivery`);
    expect([answer.status, (await readProblem(answer)).code]).toEqual([503, "unavailable"]);
    expect((await testing.send("GET", "/api/v1/mgt/configs/none/delivery")).status).toBe(404);
    await away.close();
  });

  test("U5 the OpenAPI document has the routes, each with its permission", async () => {
    const document = await get(admin(), "/openapi.json");
    const paths = document["paths"] as Record<string, Record<string, Json>>;
    const found = Object.entries(paths).filter(([path]) => path.includes("/delivery"));
    expect(found.map(([path]) => path)).toHaveLength(3);
    for (const [, item] of found) {
      const permission = item["get"]?.["x-conflux-access"] as { action: string };
      expect(PERMISSION_ACTIONS).toContain(permission.action);
    }
  });
});
