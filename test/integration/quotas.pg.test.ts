import postgres from "postgres";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { createUser } from "../../adapters/postgres/create-user.ts";
import { ensureRole, grantRole } from "../../adapters/postgres/grant-role.ts";
import { ensureTenant } from "../../adapters/postgres/seed-access.ts";
import { withTenant } from "../../adapters/postgres/with-tenant.ts";
import { TENANTLESS_REQUESTS_PER_MINUTE_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SlidingWindow } from "../../domain/quota/sliding-window.ts";
import { limitRequests, QUOTA_KEPT_MS } from "../../workers/admin/limit-requests.ts";
import type { RequestWindows } from "../../workers/admin/request-windows.ts";
import { quotasOf } from "../../workers/admin/quotas-of.ts";
import {
  newConfig,
  readProblem,
  testingAdmin,
  type TestingAdmin,
} from "../../workers/admin/testing-admin.ts";
import { cloneDatabase } from "../testing/postgres.ts";

const CLIENTS = 64;
const CONFIGS = "/api/v1/mgt/configs";
const START_MS = 1_700_000_000_000;
/** User -> tenants. */
const USERS: Record<string, string[]> = {
  ada: ["demo"],
  bob: ["other"],
  both: ["demo", "other"],
  nobody: [],
};
let owner: postgres.Sql;
let database: Database;
let nowMs = START_MS;

beforeAll(async () => {
  const urls = await cloneDatabase();
  owner = postgres(urls.ownerUrl, { max: 1 });
  database = connectPostgres(urls.appUrl, { connectionsMax: 20 });
  const seeding = connectPostgres(urls.ownerUrl);
  for (const tenant of ["demo", "other"]) await ensureTenant(seeding, { tenant, clusterId: "c1" });
  for (const [name, tenants] of Object.entries(USERS)) {
    const id = `user-${name}`;
    await withTenant(seeding, "demo", (tx) =>
      createUser(tx, { id, username: name, passwordHash: "$argon2id$x" }),
    );
    for (const tenant of tenants) {
      await withTenant(seeding, tenant, async (tx) => {
        const unique = "R".repeat(26);
        const roleId = await ensureRole(tx, { tenant, name: "any", description: "", unique });
        await grantRole(tx, { tenant, userId: id, roleId });
      });
    }
  }
  await seeding.close();
});
afterAll(async () => {
  await database.close();
  await owner.end();
});
beforeEach(async () => {
  nowMs = START_MS;
  await owner`update tenants set max_configs = default, max_config_size_bytes = default, max_api_requests_per_minute = default`;
});

/** The windows that all isolates share, as far away as a Durable Object. */
function sharedWindows(): RequestWindows & { names: string[] } {
  const held = new Map<string, SlidingWindow>();
  const names: string[] = [];
  return {
    names,
    take: async (name, limit) => {
      await new Promise((resolve) => setImmediate(resolve));
      names.push(name);
      const window = held.get(name) ?? new SlidingWindow();
      held.set(name, window);
      return window.take(nowMs, limit);
    },
  };
}

/** An isolate of the admin Worker with a principal of its token's name, who may do everything in every tenant. */
function isolate(windows: RequestWindows, using: Database = database) {
  const log: Record<string, unknown>[] = [];
  const deps = {
    database: () => using,
    nowMs: () => nowMs,
    windows,
    log: (line: object) => log.push({ ...line }),
  };
  const count = limitRequests(deps);
  const permissions: string[] = [];
  const admin = testingAdmin({
    quotasOf: quotasOf(deps),
    authenticate: async (c, next) => {
      const name = /^Bearer (\w+)$/.exec(c.req.header("authorization") ?? "")?.[1];
      if (name === undefined) throw new ConfluxError("unauthenticated", "no token");
      c.set("principal", {
        actor: { type: "user", id: `user-${name}`, name },
        issuedAtMs: nowMs,
        ip: "",
        allows: async (action, resource) => permissions.push(`${action} ${resource}`) > 0,
        hasEnded: async () => false,
      });
      await count(c, () => next());
    },
  });
  return { ...admin, permissions, uncounted: log };
}
const as = (name: string) => ({ authorization: `Bearer ${name}` });
/** What the log of its core has taken. */
async function writes({ core }: Pick<TestingAdmin, "core">): Promise<number> {
  const { entries } = await core.feed({ after: 0, limit: 1000, wait_ms: 0, view: "full" });
  return entries.length;
}
const list = (admin: Pick<TestingAdmin, "send">, name: string, query = "tenant=demo") =>
  admin.send("GET", `${CONFIGS}?${query}`, undefined, as(name));

describe("A6 max_api_requests_per_minute", () => {
  test("is exact with 64 clients at once on two isolates, and another tenant goes on", async () => {
    const windows = sharedWindows();
    const isolates = [isolate(windows), isolate(windows)] as const;
    // So that each knows the quota: sixty-four first readings at once are the database's test, not this one.
    for (const one of isolates) expect((await list(one, "ada")).status).toBe(200);
    const clients = Array.from({ length: CLIENTS }, async (_, client) => {
      const answers: Response[] = [];
      for (let i = 0; i < 4; i += 1)
        answers.push(await list(isolates[(client + i) % 2] ?? isolates[0], "ada"));
      return answers;
    });
    const answers = (await Promise.all(clients)).flat();
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(118);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(CLIENTS * 4 - 118);
    for (const answer of refused) {
      expect(answer.headers.get("retry-after")).toBe("60");
      expect(await readProblem(answer)).toMatchObject({ code: "rate_limited" });
    }
    expect((await list(isolates[0], "bob")).status).toBe(200);
  });

  test("Retry-After is the truth: nothing before, and room then", async () => {
    await owner`update tenants set max_api_requests_per_minute = 2 where tenant_id = 'demo'`;
    const admin = isolate(sharedWindows());
    await list(admin, "ada");
    nowMs += 20_500;
    await list(admin, "ada");
    nowMs += 100;
    const refused = await list(admin, "ada");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "40"]);
    nowMs += 39_399;
    expect((await list(admin, "ada")).headers.get("retry-after")).toBe("1");
    nowMs += 1;
    expect((await list(admin, "ada")).status).toBe(200);
    expect((await list(admin, "ada")).headers.get("retry-after")).toBe("21");
  });

  test("stands before the permission and the handler, behind authentication, and counts no public route", async () => {
    await owner`update tenants set max_api_requests_per_minute = 0 where tenant_id = 'demo'`;
    const windows = sharedWindows();
    const admin = isolate(windows);
    expect((await admin.send("GET", CONFIGS, undefined, { authorization: "" })).status).toBe(401);
    expect((await admin.send("GET", "/healthz", undefined, as("ada"))).status).toBe(200);
    expect((await admin.send("GET", "/openapi.json", undefined, as("ada"))).status).toBe(200);
    expect(windows.names).toEqual([]);
    const refused = await admin.send("POST", CONFIGS, newConfig(), as("ada"));
    expect(refused.status).toBe(429);
    expect(admin.permissions).toEqual([]);
    expect(await writes(admin)).toBe(0);
    // What is full is not asked again before it has room.
    expect((await list(admin, "ada")).status).toBe(429);
    expect(windows.names).toEqual(["tenant/demo"]);
  });

  test("a changed quota counts after some seconds", async () => {
    await owner`update tenants set max_api_requests_per_minute = 1 where tenant_id = 'demo'`;
    const admin = isolate(sharedWindows());
    expect((await list(admin, "ada")).status).toBe(200);
    await owner`update tenants set max_api_requests_per_minute = 2 where tenant_id = 'demo'`;
    expect((await list(admin, "ada")).status).toBe(429);
    nowMs += QUOTA_KEPT_MS;
    expect((await list(admin, "ada")).status).toBe(200);
  });

  test("a request counts once, for a tenant of its caller", async () => {
    const windows = sharedWindows();
    const admin = isolate(windows);
    const id = `other.${"0".repeat(26)}`;
    await list(admin, "ada", "tenant=other");
    await list(admin, "both", "tenant=other");
    await list(admin, "both", "tenant=third");
    await admin.send("GET", `${CONFIGS}/${id}`, undefined, as("both"));
    await admin.send("GET", `${CONFIGS}/cfg-c1-1`, undefined, as("both"));
    await list(admin, "nobody");
    await list(admin, "unheard");
    const [ada, ...others] = windows.names;
    expect(ada).toBe("tenant/demo");
    expect(others).toEqual([
      "tenant/other",
      "tenant/demo",
      "tenant/other",
      "tenant/demo",
      "user/user-nobody",
      "user/user-unheard",
    ]);
  });

  test("a tenant that uses its own quota up keeps nobody from another one", async () => {
    await owner`update tenants set max_api_requests_per_minute = 1 where tenant_id = 'demo'`;
    const admin = isolate(sharedWindows());
    expect((await list(admin, "both", "tenant=demo")).status).toBe(200);
    expect((await list(admin, "both", "tenant=demo")).status).toBe(429);
    // Names no tenant: the next one of the caller's own has room.
    expect((await admin.send("GET", `${CONFIGS}/cfg-c1-1`, undefined, as("both"))).status).toBe(404);
    // The remedy is the installation's business.
    expect((await admin.send("GET", "/api/v1/mgt/cluster/status", undefined, as("both"))).status).toBe(200);
    expect((await list(admin, "both", "tenant=other")).status).toBe(200);
  });

  test("A7 who asks how the cluster is is counted alone, and answered while Postgres is away", async () => {
    const nowhere = connectPostgres("postgres://conflux_app@127.0.0.1:1/none");
    const windows = sharedWindows();
    const admin = isolate(windows, nowhere);
    const status = await admin.send("GET", "/api/v1/mgt/cluster/status", undefined, as("ada"));
    expect([status.status, windows.names]).toEqual([200, ["user/user-ada"]]);
    expect((await list(admin, "ada")).status).toBe(503);
    await nowhere.close();
  });

  test("who belongs to no tenant is counted alone", async () => {
    const admin = isolate(sharedWindows());
    expect((await list(admin, "nobody")).status).toBe(200);
    const answers = await Promise.all(
      Array.from({ length: TENANTLESS_REQUESTS_PER_MINUTE_MAX + 4 }, () => list(admin, "nobody")),
    );
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(5);
    expect((await list(admin, "unheard")).status).toBe(200);
    expect((await list(admin, "ada")).status).toBe(200);
  });

  test("a session that has ended is counted alone, and uses up no tenant's quota", async () => {
    await owner`update tenants set max_api_requests_per_minute = 1 where tenant_id = 'demo'`;
    const windows = sharedWindows();
    const admin = isolate(windows);
    for (const change of ["is_active = false", `tokens_not_before = to_timestamp(${START_MS / 1000 + 60})`]) {
      await owner.unsafe(`update users set ${change} where username = 'ada'`);
      await list(admin, "ada");
      await owner`update users set is_active = true, tokens_not_before = 'epoch' where username = 'ada'`;
      nowMs += QUOTA_KEPT_MS;
    }
    expect(windows.names).toEqual(["user/user-ada", "user/user-ada"]);
    expect((await list(admin, "ada")).status).toBe(200);
  });

  test("a window that is away refuses nobody, and the log says how many passed", async () => {
    const admin = isolate({ take: () => Promise.reject(new Error("moved")) });
    for (let i = 0; i < 200; i += 1) expect((await list(admin, "ada")).status).toBe(200);
    nowMs += 1000;
    expect((await list(admin, "ada")).status).toBe(200);
    expect(admin.uncounted).toMatchObject([
      { level: "warn", window: "tenant/demo", requests: 1, reason: "moved" },
      { requests: 200 },
    ]);
  });

  test("A7 without the database a request is 503, and not counted for anybody", async () => {
    const nowhere = connectPostgres("postgres://conflux_app@127.0.0.1:1/none");
    const windows = sharedWindows();
    const answer = await list(isolate(windows, nowhere), "ada");
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(windows.names).toEqual([]);
    await nowhere.close();
  });
});

describe("A6 max_configs and max_config_size_bytes", () => {
  test("64 creations at once make exactly as many configs as there may be; a deletion makes room", async () => {
    await owner`update tenants set max_configs = 10 where tenant_id = 'demo'`;
    const admin = isolate(sharedWindows());
    const create = (name: string) => admin.send("POST", CONFIGS, newConfig({ name }), as("ada"));
    const answers = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => create(`c${i}`)));
    const made = answers.filter(({ status }) => status === 201);
    expect(made).toHaveLength(10);
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused).toHaveLength(CLIENTS - 10);
    const problem = await readProblem(refused[0] ?? new Response());
    expect(problem).toMatchObject({
      code: "quota_exceeded",
      detail: expect.stringContaining("max_configs is 10"),
    });
    const [first = new Response()] = made;
    const { id } = (await first.json()) as { id: string };
    expect((await admin.send("DELETE", `${CONFIGS}/${id}`, undefined, as("ada"))).status).toBe(200);
    const again = await Promise.all(Array.from({ length: 8 }, (_, i) => create(`d${i}`)));
    expect(again.filter(({ status }) => status === 201)).toHaveLength(1);
    expect((await list(admin, "ada", "tenant=demo&limit=200")).status).toBe(200);
    const elsewhere = newConfig({ tenant: "other", name: "c0" });
    expect((await admin.send("POST", CONFIGS, elsewhere, as("bob"))).status).toBe(201);
  });

  test("content over the size is refused on every way in, and exactly the size is not", async () => {
    await owner`update tenants set max_config_size_bytes = 16 where tenant_id = 'demo'`;
    const admin = isolate(sharedWindows());
    const send = (path: string, body: object) => admin.send("POST", path, body, as("ada"));
    const text = { format: "text", content: "x".repeat(16) };
    const created = await send(CONFIGS, newConfig(text));
    expect(created.status).toBe(201);
    const { id } = (await created.json()) as { id: string };
    const content = "é".repeat(8) + "x";
    const strategy = { type: "all" };
    const before = await writes(admin);
    for (const [path, body] of [
      [CONFIGS, newConfig({ ...text, name: "large", content })],
      [
        CONFIGS,
        newConfig({ ...text, name: "large", content: undefined, content_base64: btoa("x".repeat(17)) }),
      ],
      [`${CONFIGS}/${id}/versions`, { content }],
      [`${CONFIGS}/${id}/publish`, { content, description: "", strategy }],
    ] as const) {
      const refused = await send(path, body);
      expect(refused.status, path).toBe(413);
      expect(await readProblem(refused)).toMatchObject({
        code: "payload_too_large",
        errors: [{ path: "/content", message: "17 bytes; max_config_size_bytes is 16" }],
      });
    }
    expect(await writes(admin)).toBe(before);
  });

  test("a core that is being upgraded and knows no limit yet takes new configs without", async () => {
    const admin = isolate(sharedWindows());
    const propose = admin.core.propose.bind(admin.core);
    const older = (input: Parameters<typeof propose>[0]) =>
      "max_configs" in input.command.payload
        ? Promise.reject(new ConfluxError("upgrade_in_progress", "config_limit is not taken yet"))
        : propose(input);
    admin.core.propose = older as typeof admin.core.propose;
    expect((await admin.send("POST", CONFIGS, newConfig(), as("ada"))).status).toBe(201);
    expect(admin.logs).toMatchObject([{ level: "warn", tenant: "demo" }]);
  });

  test("A7 nothing is created while nobody can read the quota", async () => {
    const nowhere = connectPostgres("postgres://conflux_app@127.0.0.1:1/none");
    const admin = testingAdmin({ quotasOf: quotasOf({ database: () => nowhere }) });
    expect((await admin.send("POST", CONFIGS, newConfig())).status).toBe(503);
    expect(await writes(admin)).toBe(0);
    await nowhere.close();
  });
});
