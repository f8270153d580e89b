// Over 400 lines: search, export and verification over one app, one database and one set of helpers.
import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MemoryCursorStore } from "../../adapters/memory/memory-cursor-store.ts";
import { appendAuditRows, type AuditRow } from "../../adapters/postgres/append-audit-rows.ts";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { inTransaction } from "../../adapters/postgres/with-tenant.ts";
import { ensureTenant } from "../../adapters/postgres/seed-access.ts";
import { generateSigningJwk, importSigningKey } from "../../adapters/tokens/sign-token.ts";
import { auditLogList, auditVerification } from "../../contracts/access/audit-api.ts";
import type { CorePort } from "../../contracts/core/core-port.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { encodeChainedRow } from "../../domain/access/audit-chain.ts";
import { createHandler } from "../../lambdas/audit-anchor.ts";
import { registerAuditRoutes } from "../../workers/admin/audit-routes.ts";
import type { AuthDeps } from "../../workers/admin/auth-deps.ts";
import { registerAuthRoutes } from "../../workers/admin/auth-routes.ts";
import { testingAdmin, type TestingAdmin } from "../../workers/admin/testing-admin.ts";
import { cloneDatabase } from "../testing/postgres.ts";

type Json = Record<string, unknown>;
let owner: postgres.Sql;
let database: Database;
let admin: TestingAdmin;
beforeAll(async () => {
  const urls = await cloneDatabase();
  owner = postgres(urls.ownerUrl, { max: 2 });
  database = connectPostgres(urls.appUrl);
  const seeding = connectPostgres(urls.ownerUrl);
  await ensureTenant(seeding, { tenant: "demo", clusterId: "c1" });
  await seeding.close();
  admin = testingAdmin();
  registerAuditRoutes(admin.app, authDeps());
});
afterAll(() => Promise.all([owner.end(), database.close()]));

function authDeps(): AuthDeps {
  const unused = (): never => {
    throw new Error("nothing here signs in");
  };
  return {
    signingKey: unused,
    database: () => database,
    release: () => undefined,
    passwords: { verify: unused, hash: unused },
    oidc: unused,
    nowMs: Date.now,
  };
}
const START = Date.UTC(2026, 0, 1);
function row(tenant: string, changes: Partial<AuditRow> = {}): AuditRow {
  return {
    tenant,
    actor: { type: "user", id: "usr_1", name: "ada" },
    ip: "192.0.2.1",
    action: "write",
    resource: `${tenant}/shop/prod/app.json`,
    outcome: "success",
    traceId: "a".repeat(32),
    summary: "added version 2",
    position: null,
    createdAtMs: START,
    ...changes,
  };
}
const append = (rows: AuditRow[]) =>
  inTransaction(database, (tx) => appendAuditRows(tx, rows), { deadlineMs: 20_000 });
const get = (path: string, who = "admin") =>
  admin.send("GET", `/api/v1/audit-logs${path}`, undefined, { authorization: `Bearer ${who}` });
const json = async (path: string, who?: string) => (await (await get(path, who)).json()) as Json;
const items = async (query: string): Promise<Json[]> => (await json(`?${query}`))["items"] as Json[];
const summaries = async (query: string) => (await items(query)).map((item) => item["summary"]);
const lines = (text: string): Json[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Json);

describe("A5 search", () => {
  beforeAll(() =>
    append([
      row("search", { summary: "1" }),
      row("search", { summary: "2", createdAtMs: START + 1000, resource: "search/shop/prod/a_b.json" }),
      row("search", {
        summary: "3",
        createdAtMs: START + 2000,
        resource: "search/shop/dev/a.json",
        outcome: "denied",
      }),
      row("search", {
        summary: "4",
        createdAtMs: START + 3000,
        resource: "search/shop",
        action: "delete",
        outcome: "failure",
      }),
      row("search", {
        summary: "5",
        createdAtMs: START + 4000,
        actor: { type: "token", id: "t9", name: "usr_1" },
      }),
      row("search-2", { summary: "another tenant's" }),
    ]),
  );

  test.each([
    ["", ["5", "4", "3", "2", "1"]],
    ["&user=ada", ["4", "3", "2", "1"]],
    ["&user=usr_1", ["5", "4", "3", "2", "1"]],
    ["&user=t9", ["5"]],
    ["&action=delete", ["4"]],
    ["&outcome=denied", ["3"]],
    ["&outcome=success", ["5", "2", "1"]],
    ["&outcome=failure&action=write", []],
    ["&resource=search/shop", ["4"]],
    ["&resource=search/shop/prod/a_b.json", ["2"]],
    ["&resource=search/shop/prod/*", ["5", "2", "1"]],
    ["&resource=search/shop/**", ["5", "3", "2", "1"]],
    ["&resource=search/*/dev/*", ["3"]],
    ["&resource=*/shop/dev/**", ["3"]],
    ["&resource=search/shop/prod/a.b.json", []],
    ["&resource=search/sh*", []],
    ["&from=2026-01-01T00:00:01Z&to=2026-01-01T00:00:03Z", ["3", "2"]],
  ])("%s", async (query, expected) => {
    expect(await summaries(`tenant=search${query}`)).toEqual(expected);
  });

  test("pages neither repeat nor leave out what was there, while rows come in at both ends", async () => {
    await append(
      Array.from({ length: 25 }, (_, n) => row("pages", { summary: `${n}`, createdAtMs: START + (n >> 2) })),
    );
    const seen: unknown[] = [];
    let cursor = "";
    for (let n = 0; ; n += 1) {
      const page = auditLogList.parse(await json(`?tenant=pages&limit=4${cursor}`));
      seen.push(...page.items.map(({ summary }) => summary));
      // A new act, and one that the projection brings late.
      await append([row("pages", { summary: "new", createdAtMs: START + 1000 + n })]);
      await append([row("pages", { summary: "late", createdAtMs: START + n })]);
      if (page.next_cursor === null) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    const old = seen.filter((summary) => summary !== "late");
    expect(old).toEqual(Array.from({ length: 25 }, (_, n) => `${24 - n}`));
  });

  test("each filter has an index that a search of a large tenant uses", async () => {
    await owner`
      insert into audit_logs (tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome, trace_id, summary, created_at)
      select 'large', 'user', 'u' || n % 500, 'n' || n % 500, '', (array['write', 'delete', 'read'])[1 + (n % 100 = 0)::int + (n % 200 = 0)::int],
        'large/app' || n % 300 || '/prod/x', case when n % 1000 = 0 then 'denied' else 'success' end, '', '', now() - n * interval '1 second'
      from generate_series(1, 12000) n`;
    await owner`analyze audit_logs`;
    const plan = async (condition: string) =>
      (
        await owner.unsafe(
          `explain select * from audit_logs where tenant_id = 'large' and ${condition} order by created_at desc, id desc limit 51`,
        )
      )
        .map((line) => String(line["QUERY PLAN"]))
        .join("\n");
    expect(await plan("actor_id = 'u7'")).toContain("audit_logs_actor");
    expect(await plan("actor_name = 'n7'")).toContain("audit_logs_actor_name");
    expect(await plan("outcome = 'denied' and outcome <> 'success'")).toContain("audit_logs_not_done");
    expect(await plan("action = 'read'")).toContain("audit_logs_action");
    expect(await plan("resource ~>=~ 'large/app7/' and resource ~<~ 'large/app7/\u{10FFFF}'")).toContain(
      "audit_logs_resource",
    );
    expect(await plan("true")).toContain("audit_logs_newest");
  });
});

describe("A5 export", () => {
  beforeAll(() =>
    append(
      Array.from({ length: 1_203 }, (_, n) => row("export", { summary: `n ${n}`, createdAtMs: START + n })),
    ),
  );

  test("as JSON lines it has every row, oldest first, and enough to compute the hashes from", async () => {
    const response = await get("/export?tenant=export&action=write");
    expect(response.headers.get("content-type")).toBe("application/x-ndjson; charset=utf-8");
    expect(response.headers.get("content-disposition")).toBe('attachment; filename="audit-export.jsonl"');
    const rows = lines(await response.text());
    expect(rows.map((one) => one["summary"])).toEqual(Array.from({ length: 1_203 }, (_, n) => `n ${n}`));
    for (const [i, one] of rows.entries()) {
      if (i > 0) expect(one["prev_hash"]).toBe(rows[i - 1]?.["hash"]);
    }
    const one = rows[700] ?? {};
    const actor = one["actor"] as { type: string; id: string; name: string };
    const text = (name: string): string => String(one[name]);
    const encoded = encodeChainedRow(
      {
        tenant: text("tenant"),
        seq: Number(one["seq"]),
        prevHash: text("prev_hash"),
        hash: "",
        id: Number(one["id"]),
        actorType: actor.type,
        actorId: actor.id,
        actorName: actor.name,
        ip: text("ip"),
        action: text("action"),
        resource: text("resource"),
        outcome: text("outcome"),
        traceId: text("trace_id"),
        summary: text("summary"),
        clusterId: null,
        epoch: null,
        logIndex: null,
        createdAtMicros: String(Date.parse(text("created_at")) * 1000),
      },
      (value) => new TextEncoder().encode(value),
    );
    const digest = await crypto.subtle.digest("SHA-256", encoded);
    expect(Buffer.from(digest).toString("hex")).toBe(one["hash"]);
  });

  test("as CSV and as OCSF it has as many", async () => {
    const csv = await (await get("/export?tenant=export&format=csv&action=write")).text();
    expect(csv.split("\r\n")).toHaveLength(1_203 + 2);
    const ocsf = lines(await (await get("/export?tenant=export&format=ocsf&action=write")).text());
    expect(ocsf).toHaveLength(1_203);
    expect(ocsf[0]).toMatchObject({ class_uid: 6003, type_uid: 600_303, time: START });
  });

  test("takes the filters of a search, and an empty file is one", async () => {
    const some = lines(
      await (
        await get("/export?tenant=export&from=2026-01-01T00:00:00.100Z&to=2026-01-01T00:00:00.103Z")
      ).text(),
    );
    expect(some.map((one) => one["summary"])).toEqual(["n 100", "n 101", "n 102"]);
    expect(await (await get("/export?tenant=export&user=nobody")).text()).toBe("");
    expect(await (await get("/export?tenant=export&user=nobody&format=csv")).text()).toMatch(
      /^id,tenant,.*\r\n$/,
    );
    expect((await get("/export?tenant=export&format=xml")).status).toBe(400);
  });

  test("reads a page when it is taken and no sooner; a reader that leaves ends it", async () => {
    let transactions = 0;
    let released = 0;
    const counting = testingAdmin();
    const deps = authDeps();
    registerAuditRoutes(counting.app, {
      ...deps,
      database: (c) => ((transactions += 1), deps.database(c)),
      release: () => (released += 1),
    });
    const response = await counting.send("GET", "/api/v1/audit-logs/export?tenant=export");
    const reader = response.body?.getReader();
    // The row about the export itself, and the first page.
    expect([transactions, released]).toEqual([2, 0]);
    await reader?.read();
    await reader?.read();
    expect(transactions).toBe(3);
    await reader?.cancel();
    expect([transactions, released]).toEqual([3, 1]);
  });

  test("is itself audited, and is not done when that fails", async () => {
    const [about] = await items("tenant=export&action=read&limit=1");
    expect(about).toMatchObject({
      actor: { id: "user-admin" },
      resource: "export/audit-logs",
      summary: expect.stringMatching(/^exported the audit as/) as unknown,
    });
    await owner.unsafe(`
      create function refuse_read() returns trigger language plpgsql as $$
      begin if new.action = 'read' then raise exception 'full'; end if; return new; end $$;
      create trigger zz_refuse after insert on audit_logs for each row execute function refuse_read()`);
    try {
      expect((await get("/export?tenant=export")).status).toBe(500);
    } finally {
      await owner`drop trigger zz_refuse on audit_logs`;
    }
  });
});

test("A4 search, export and verification need the permission list on the tenant", async () => {
  for (const path of ["", "/export", "/verify"]) {
    expect((await get(`${path}?tenant=demo`, "reader")).status, path).toBe(403);
    expect((await get(`${path}?tenant=other`, "tenant")).status, path).toBe(403);
    expect((await get(`${path}?tenant=_system`, "tenant")).status, path).toBe(403);
    expect((await get(`${path}?tenant=demo`)).status, path).toBe(200);
  }
});

test("A5 a write that Postgres alone decides is not done when its row cannot be added", async () => {
  await owner`insert into users (id, username, password_hash) values ('user-admin', 'admin', '$argon2id$x')`;
  const key = await importSigningKey(await generateSigningJwk());
  const writing = testingAdmin();
  registerAuthRoutes(writing.app, { ...authDeps(), signingKey: () => Promise.resolve(key) });
  const token = { name: "web", scopes: ["read:demo/shop/prod/*"], ttl_seconds: 60 };
  const issue = () => writing.send("POST", "/api/v1/auth/client-tokens", token);
  const count = async () => (await owner`select 1 from client_tokens`).length;
  await owner.unsafe(`
    create function refuse_tokens() returns trigger language plpgsql as $$
    begin if new.summary like 'issued%' then raise exception 'full'; end if; return new; end $$;
    create trigger zz_refuse after insert on audit_logs for each row execute function refuse_tokens()`);
  expect((await issue()).status).toBe(500);
  expect(await count()).toBe(0);
  await owner`drop trigger zz_refuse on audit_logs`;
  expect((await issue()).status).toBe(201);
  expect(await count()).toBe(1);
});

const cursors = new MemoryCursorStore(Date.now);
/** The anchor function, on the core of the tests. */
const anchoring = (core: Pick<CorePort, "propose" | "getAuditAnchors"> = admin.core) => {
  const told: Json[] = [];
  const handler = createHandler({
    core,
    database,
    cursors,
    newTraceId: () => "b".repeat(32),
    log: (line) => told.push(line),
  });
  return { told, run: () => handler({}, { getRemainingTimeInMillis: () => 60_000 }) };
};
const asOwner = (statements: string[]) =>
  owner.begin(async (tx) => {
    await tx`alter table audit_logs disable trigger append_only`;
    for (const statement of statements) await tx.unsafe(statement);
    await tx`alter table audit_logs enable trigger append_only`;
  });

describe("A5 anchors and verification", () => {
  test("ends of chains are anchored, once, and the verification tells of them", async () => {
    await append(Array.from({ length: 7 }, () => row("anchored")));
    expect(await json("/verify?tenant=anchored")).toMatchObject({
      tenant: "anchored",
      verified: 7,
      complete: true,
      resume_cursor: null,
      anchors: { met: 0, newest: null },
      finding: null,
    });
    const { run } = anchoring();
    expect((await run()).anchored).toBeGreaterThan(0);
    expect(await run()).toMatchObject({ anchored: 0, faults: [] });
    await append([row("anchored")]);
    expect(await run()).toMatchObject({ anchored: 1, faults: [] });
    const answer = await json("/verify?tenant=anchored");
    expect(answer).toMatchObject({ verified: 8, anchors: { met: 2, newest: { seq: 8 } }, finding: null });
    expect((await json("/verify?tenant=_system", "operator"))["code"]).toBe("forbidden");
    expect(await json("/verify?tenant=_system")).toMatchObject({ finding: null });
  });

  test("two runs at once anchor the same", async () => {
    await append([row("twice"), row("twice")]);
    const runs = await Promise.all([anchoring().run(), anchoring().run()]);
    expect(runs.every(({ faults }) => faults.length === 0)).toBe(true);
    expect((await admin.core.getAuditAnchors("twice")).anchors.map(({ seq }) => seq)).toEqual([2]);
  });

  test("a cut tail shows to both, is not anchored, and does not keep others from being", async () => {
    await append([row("cut"), row("cut"), row("cut")]);
    await anchoring().run();
    await asOwner(["delete from audit_logs where tenant_id = 'cut' and seq > 1"]);
    await append([row("zz-other")]);
    expect(await json("/verify?tenant=cut")).toMatchObject({ finding: { seq: 2, kind: "truncated" } });
    const { run, told } = anchoring();
    await expect(run()).rejects.toMatchObject({
      code: "conflict",
      message: "The audit is not as it was written: cut from row 3 (truncated).",
    });
    expect(told).toMatchObject([{ level: "error", message: "audit chain broken", tenant: "cut" }]);
    expect((await admin.core.getAuditAnchors("zz-other")).anchors).toHaveLength(1);
    // Written on over the cut: the anchored row is another one now.
    await append([row("cut"), row("cut"), row("cut")]);
    await expect(anchoring().run()).rejects.toThrow("cut from row 3 (replaced)");
    expect(await json("/verify?tenant=cut")).toMatchObject({ finding: { seq: 3, kind: "replaced" } });
    expect((await admin.core.getAuditAnchors("cut")).anchors.map(({ seq }) => seq)).toEqual([3]);
    await asOwner(["delete from audit_logs where tenant_id = 'cut'"]);
    expect(await json("/verify?tenant=cut")).toMatchObject({ finding: { seq: 1, kind: "truncated" } });
  });

  test("a row changed since the newest anchor is found before it is anchored", async () => {
    await append([row("since"), row("since")]);
    await anchoring().run();
    await append([row("since"), row("since"), row("since")]);
    await asOwner(["update audit_logs set ip = '203.0.113.9' where tenant_id = 'since' and seq = 4"]);
    await expect(anchoring().run()).rejects.toThrow("since from row 4 (changed)");
    expect((await admin.core.getAuditAnchors("since")).anchors.map(({ seq }) => seq)).toEqual([2]);
    await asOwner(["delete from audit_logs where tenant_id = 'since'"]);
  });

  test("a chain longer than one request goes on by its cursor; a cursor of its own making is refused", async () => {
    await owner`
      insert into audit_logs (tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome, trace_id, summary, created_at)
      select 'longer', 'user', 'u', 'u', '', 'write', 'longer', 'success', '', '', now() from generate_series(1, 20600) n`;
    let verified = 0;
    let requests = 0;
    for (let cursor = ""; ; requests += 1) {
      const part = auditVerification.parse(await json(`/verify?tenant=longer${cursor}`));
      expect(part.finding).toBeNull();
      verified += part.verified;
      if (part.resume_cursor === null) break;
      cursor = `&cursor=${part.resume_cursor}`;
    }
    expect(verified).toBe(20_600);
    expect(requests).toBeGreaterThan(0);
    for (const bad of ["x", "1_2", `1_${"g".repeat(64)}`]) {
      expect((await get(`/verify?tenant=longer&cursor=${bad}`)).status, bad).toBe(400);
    }
    const wrong = await json(`/verify?tenant=longer&cursor=5_${"0".repeat(64)}`);
    expect(wrong["finding"]).toMatchObject({ seq: 5, kind: "changed" });
  });

  test("A7 the core or Postgres away: 503, and nothing is called whole; the function fails", async () => {
    const away = new ConfluxError("unavailable", "no core", { retryAfterS: 1 });
    const coreless = testingAdmin();
    coreless.core.getAuditAnchors = () => Promise.reject(away);
    registerAuditRoutes(coreless.app, authDeps());
    expect((await coreless.send("GET", "/api/v1/audit-logs/verify?tenant=demo")).status).toBe(503);
    await expect(
      anchoring({ propose: () => Promise.reject(away), getAuditAnchors: () => Promise.reject(away) }).run(),
    ).rejects.toBe(away);
    const nowhere = connectPostgres("postgres://conflux_app@127.0.0.1:1/none");
    const postgresless = testingAdmin();
    registerAuditRoutes(postgresless.app, { ...authDeps(), database: () => nowhere });
    for (const path of ["", "/export", "/verify"]) {
      const answer = await postgresless.send("GET", `/api/v1/audit-logs${path}?tenant=demo`);
      expect(answer.status, path).toBe(503);
    }
    await nowhere.close();
  });
});
