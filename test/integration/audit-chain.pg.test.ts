import postgres from "postgres";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { appendAuditRows, type AuditRow } from "../../adapters/postgres/append-audit-rows.ts";
import { connectPostgres, type Database } from "../../adapters/postgres/connect.ts";
import { listAuditHeads } from "../../adapters/postgres/list-audit-heads.ts";
import { migrate } from "../../adapters/postgres/migrate.ts";
import { projectFeedBatch } from "../../adapters/postgres/project-feed-batch.ts";
import { readAuditChain } from "../../adapters/postgres/read-audit-chain.ts";
import { verifyAuditChain } from "../../adapters/postgres/verify-audit-chain.ts";
import { inTransaction, withTenant } from "../../adapters/postgres/with-tenant.ts";
import { CHAIN_START } from "../../domain/access/audit-chain.ts";
import { BEFORE_CHAIN, type ChainPlace } from "../../domain/access/verify-chain.ts";
import { olderDatabase } from "../testing/older-database.ts";
import { cloneDatabase, MIGRATIONS_DIRECTORY } from "../testing/postgres.ts";

let owner: postgres.Sql;
let app: postgres.Sql;
let database: Database;
beforeAll(async () => {
  const urls = await cloneDatabase();
  owner = postgres(urls.ownerUrl, { max: 2 });
  app = postgres(urls.appUrl, { max: 2 });
  database = connectPostgres(urls.appUrl, { connectionsMax: 32 });
});
afterAll(() => Promise.all([owner.end(), app.end(), database.close()]));

function auditRow(tenant: string, changes: Partial<AuditRow> = {}): AuditRow {
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
    createdAtMs: Date.UTC(2026, 10, 28, 12, 0, 0, 123),
    ...changes,
  };
}
const append = (rows: AuditRow[]): Promise<number> =>
  inTransaction(database, (tx) => appendAuditRows(tx, rows), { deadlineMs: 20_000 });
const verify = (tenant: string, anchors: ChainPlace[] = [], from = BEFORE_CHAIN) =>
  verifyAuditChain(database, { tenant, anchors, from, isEnough: () => false });
const chain = (tenant: string) =>
  withTenant(database, tenant, (tx) => readAuditChain(tx, { tenant, after: 0, limit: 10_000 }));
const at = (n: number) => ({ clusterId: "c1", epoch: 1, logIndex: n });

describe("A5 the audit is one chain a tenant", () => {
  test("numbers are dense, each row names the hash before it, and both sides compute the same hashes", async () => {
    await append([
      auditRow("one", { summary: "über 東京 \u{1F600} a\u0000b \uD800", ip: "" }),
      auditRow("two", { position: at(1) }),
      auditRow("one", { position: at(2), createdAtMs: -1, actor: { type: "system", id: "", name: "" } }),
    ]);
    await append([auditRow("one")]);
    const rows = await chain("one");
    expect(rows.map((row) => row.seq)).toEqual([1, 2, 3]);
    expect(rows.map((row) => row.prevHash)).toEqual([CHAIN_START, rows[0]?.hash, rows[1]?.hash]);
    expect(rows[0]?.summary).toBe("über 東京 \u{1F600} a\uFFFDb \uFFFD");
    expect(rows[1]?.createdAtMicros).toBe("-1000");
    for (const tenant of ["one", "two"]) {
      const { finding, complete, rows: verified } = await verify(tenant);
      expect({ finding, complete, verified }).toEqual({
        finding: null,
        complete: true,
        verified: tenant === "one" ? 3 : 1,
      });
    }
  });

  test("1,000 appends from 32 connections over four tenants and the system's verify, whatever order they name them in", async () => {
    const tenants = ["c-1", "c-2", "c-3", "c-4", "_system"];
    await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => {
        const [a = "", b = ""] = [tenants[n % 5], tenants[(n * 3 + 1) % 5]];
        return append([auditRow(a, { summary: `n ${n}` }), ...(n % 10 === 0 ? [auditRow(b)] : [])]);
      }),
    );
    let rows = 0;
    for (const tenant of tenants) {
      const verified = await verify(tenant);
      expect(verified.finding).toBeNull();
      expect(verified.place.seq).toBe(verified.rows);
      rows += verified.rows;
    }
    expect(rows).toBe(1_100);
  }, 120_000);

  test("batches that come twice, at once and in parts add nothing and leave the chain whole", async () => {
    const batch = Array.from({ length: 450 }, (_, n) =>
      auditRow(n % 3 === 0 ? "p-2" : "p-1", { position: at(n + 1) }),
    );
    const project = async (audit: typeof batch): Promise<number> =>
      (await projectFeedBatch(database, { audit, moves: [], restores: [] })).audit;
    const counts = await Promise.all([project(batch), project(batch.slice(100, 300)), project(batch)]);
    expect(counts.reduce((sum, n) => sum + n, 0)).toBe(450);
    expect(await project(batch)).toBe(0);
    const before = await chain("p-1");
    expect(await project([...batch, auditRow("p-1", { position: at(451) })])).toBe(1);
    expect((await chain("p-1")).slice(0, -1)).toEqual(before);
    for (const tenant of ["p-1", "p-2"]) expect((await verify(tenant)).finding).toBeNull();
  });

  test("what is rolled back leaves no gap", async () => {
    await append([auditRow("r")]);
    const undone = inTransaction(database, async (tx) => {
      await appendAuditRows(tx, [auditRow("r"), auditRow("r")]);
      throw new Error("undo");
    });
    await expect(undone).rejects.toThrow("undo");
    await append([auditRow("r")]);
    expect((await chain("r")).map((row) => row.seq)).toEqual([1, 2]);
    expect((await verify("r")).finding).toBeNull();
  });
});

describe("A5 nobody can choose a place or a hash", () => {
  const insert = (columns: string, values: string) =>
    app.begin(async (tx) => {
      await tx`select set_config('conflux.tenant_id', 'f', true)`;
      await tx.unsafe(`insert into audit_logs (tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome,
        trace_id, summary, created_at${columns}) values ('f', 'user', '', '', '', 'write', '', 'success', '', '', now()${values})`);
    });

  test.each([
    [", seq", ", 7"],
    [", hash", ", '\\x00'"],
    [", prev_hash", ", '\\x00'"],
  ])("the application may not even name %s", async (columns, values) => {
    await expect(insert(columns, values)).rejects.toMatchObject({ code: "42501" });
  });

  test("a temporary table in the audit's name is not taken for it", async () => {
    await insert("", "");
    await app.begin(async (tx) => {
      await tx`create temporary table audit_logs (tenant_id text, cluster_id text, epoch int, log_index bigint, seq bigint, hash bytea) on commit drop`;
      await tx`insert into pg_temp.audit_logs values ('f', null, null, null, 99, decode(repeat('11', 32), 'hex'))`;
      await tx`select set_config('conflux.tenant_id', 'f', true)`;
      await tx`insert into public.audit_logs (tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome,
        trace_id, summary, created_at) values ('f', 'user', '', '', '', 'write', '', 'success', '', '', now())`;
    });
    expect((await chain("f")).map((row) => row.seq)).toEqual([1, 2]);
    expect((await verify("f")).finding).toBeNull();
  });

  test("the owner's own inserts get their place from the database, whatever they name", async () => {
    await owner`insert into audit_logs (tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome, trace_id, summary, created_at, seq, prev_hash, hash)
      values ('f', 'user', '', '', '', 'write', '', 'success', '', '', now(), 77, '\\x00', '\\x00')`;
    expect((await chain("f")).map((row) => row.seq)).toEqual([1, 2, 3]);
    expect((await verify("f")).finding).toBeNull();
  });

  test("A2 heads show where chains end and no row; another tenant's chain is empty", async () => {
    await append([auditRow("h-1"), auditRow("h-1"), auditRow("h-2")]);
    const heads = await listAuditHeads(database, { after: "h-", limit: 2 });
    expect(heads.map(({ tenant, seq }) => [tenant, seq])).toEqual([
      ["h-1", 2],
      ["h-2", 1],
    ]);
    expect(heads[0]?.hash).toBe((await chain("h-1"))[1]?.hash);
    expect(await listAuditHeads(database, { after: "h-1", limit: 1 })).toEqual(heads.slice(1));
    expect(await listAuditHeads(database, { after: "zzz", limit: 10 })).toEqual([]);
    const stranger = await withTenant(database, "h-2", (tx) =>
      readAuditChain(tx, { tenant: "h-1", after: 0, limit: 10 }),
    );
    expect(stranger).toEqual([]);
  });
});

/** What somebody with the owner's rights might do to rows 1 to 10 of a tenant, and what must be said of it. */
const TAMPERINGS: [string, string[], { seq: number; kind: string }][] = [
  [
    "a summary is changed",
    ["update audit_logs set summary = 'x' where T and seq = 4"],
    { seq: 4, kind: "changed" },
  ],
  [
    "a time is moved by a microsecond",
    ["update audit_logs set created_at = created_at + interval '1 us' where T and seq = 4"],
    { seq: 4, kind: "changed" },
  ],
  [
    "NULL becomes an empty text",
    ["update audit_logs set cluster_id = '', epoch = 0, log_index = 0 where T and seq = 4"],
    { seq: 4, kind: "changed" },
  ],
  [
    "a letter moves from one column to the next",
    ["update audit_logs set actor_id = 'usr_', actor_name = '1ada' where T and seq = 4"],
    { seq: 4, kind: "changed" },
  ],
  [
    "a hash is changed",
    ["update audit_logs set hash = sha256('x') where T and seq = 4"],
    { seq: 4, kind: "changed" },
  ],
  [
    "a row is changed and hashed anew",
    [
      "update audit_logs set summary = 'x' where T and seq = 4",
      "update audit_logs a set hash = conflux_audit_hash(a) where T and seq = 4",
    ],
    { seq: 4, kind: "changed" },
  ],
  [
    "a row is removed in the middle",
    ["delete from audit_logs where T and seq = 4"],
    { seq: 4, kind: "removed" },
  ],
  ["the first row is removed", ["delete from audit_logs where T and seq = 1"], { seq: 1, kind: "removed" }],
  [
    "two rows change places",
    [
      "update audit_logs set seq = 99 where T and seq = 4",
      "update audit_logs set seq = 4 where T and seq = 7",
      "update audit_logs set seq = 7 where T and seq = 99",
    ],
    { seq: 4, kind: "reordered" },
  ],
  [
    "two neighbours change places",
    [
      "update audit_logs set seq = 99 where T and seq = 4",
      "update audit_logs set seq = 4 where T and seq = 5",
      "update audit_logs set seq = 5 where T and seq = 99",
    ],
    { seq: 4, kind: "reordered" },
  ],
  ["the tail is cut", ["delete from audit_logs where T and seq > 8"], { seq: 9, kind: "truncated" }],
  ["everything is removed", ["delete from audit_logs where T"], { seq: 1, kind: "truncated" }],
];

describe("A5 the verifier names what somebody with the owner's rights did", () => {
  const tamper = async (tenant: string, statements: string[]): Promise<void> => {
    await owner.begin(async (tx) => {
      await tx`alter table audit_logs disable trigger append_only`;
      for (const statement of statements)
        await tx.unsafe(statement.replaceAll(" T", ` tenant_id = '${tenant}'`));
      await tx`alter table audit_logs enable trigger append_only`;
    });
  };
  const tenRows = async (tenant: string): Promise<ChainPlace[]> => {
    await append(Array.from({ length: 10 }, (_, n) => auditRow(tenant, { summary: `row ${n + 1}` })));
    expect((await verify(tenant)).finding).toBeNull();
    return (await chain(tenant)).map(({ seq, hash }) => ({ seq, hash }));
  };

  test.each(TAMPERINGS)("%s", async (what, statements, expected) => {
    const tenant = `t-${what.replaceAll(" ", "-")}`;
    const rows = await tenRows(tenant);
    const anchors = rows.filter(({ seq }) => seq === 6 || seq === 10);
    expect(await verify(tenant, anchors)).toMatchObject({ finding: null, anchorsMet: 2 });
    await tamper(tenant, statements);
    expect(await verify(tenant, anchors)).toMatchObject({ complete: true, finding: expected });
  });

  /** Writes the chain anew from row 4 on, so that it fits together. */
  const rewrite = async (tenant: string): Promise<void> => {
    await tamper(tenant, ["update audit_logs set summary = 'nothing happened' where T and seq = 4"]);
    for (let seq = 4; seq <= 10; seq += 1) {
      await tamper(tenant, [
        `update audit_logs set prev_hash = (select hash from audit_logs where T and seq = ${seq - 1}) where T and seq = ${seq}`,
        `update audit_logs a set hash = conflux_audit_hash(a) where T and seq = ${seq}`,
      ]);
    }
  };
  test("a chain that was written anew fits together, and is not the one that the log has anchored", async () => {
    const rows = await tenRows("rewritten");
    await rewrite("rewritten");
    expect((await verify("rewritten")).finding).toBeNull();
    const anchors = rows.filter(({ seq }) => seq === 2 || seq === 6 || seq === 10);
    expect(await verify("rewritten", anchors)).toMatchObject({
      anchorsMet: 1,
      place: { seq: 5 },
      finding: { seq: 6, kind: "replaced" },
    });
  });

  test("a cut tail over which the application has written on is found by its anchor", async () => {
    const rows = await tenRows("regrown");
    await tamper("regrown", ["delete from audit_logs where T and seq > 8"]);
    await append([auditRow("regrown"), auditRow("regrown"), auditRow("regrown")]);
    expect((await verify("regrown")).finding).toBeNull();
    expect((await verify("regrown", rows.slice(9))).finding).toMatchObject({ seq: 10, kind: "replaced" });
  });
});

test("L9 A5 rows from before the chain are chained in the order in which they were added, by an owner who is no superuser", async () => {
  const server = inject("postgresUrl");
  const { role, url, inside, superuser } = await olderDatabase(server, "0010");
  await inside`
    insert into audit_logs (tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome, trace_id, summary, created_at)
    select 't' || n % 2, 'user', '', '', '', 'write', '', 'success', '', 'n ' || n, now() - n * interval '1 ms' from generate_series(1, 7) n`;
  await migrate({ url: url.href, directory: MIGRATIONS_DIRECTORY });
  const migrated = connectPostgres(url.href.replace(role, "conflux_app:app"), { connectionsMax: 1 });
  const rows = await withTenant(migrated, "t1", (tx) =>
    readAuditChain(tx, { tenant: "t1", after: 0, limit: 10 }),
  );
  expect(rows.map(({ seq, summary }) => [seq, summary])).toEqual([
    [1, "n 1"],
    [2, "n 3"],
    [3, "n 5"],
    [4, "n 7"],
  ]);
  await inTransaction(migrated, (tx) => appendAuditRows(tx, [auditRow("t0"), auditRow("t1")]));
  for (const tenant of ["t0", "t1"]) {
    const verified = await verifyAuditChain(migrated, {
      tenant,
      anchors: [],
      from: BEFORE_CHAIN,
      isEnough: () => false,
    });
    expect(verified).toMatchObject({ finding: null, rows: tenant === "t0" ? 4 : 5 });
  }
  await Promise.all([superuser.end(), inside.end(), migrated.close()]);
});

test("A5 a chain of 100,000 rows is verified a page at a time, and goes on from where it ended", async () => {
  await owner`
    insert into audit_logs (tenant_id, actor_type, actor_id, actor_name, ip, action, resource, outcome, trace_id, summary, created_at)
    select 'long', 'user', 'u', 'u', '', 'write', 'long/a/e/n', 'success', '', 'row ' || n, now() from generate_series(1, 100000) n`;
  let from: ChainPlace = BEFORE_CHAIN;
  let pages = 0;
  let widest = 0;
  for (;;) {
    const part = await verifyAuditChain(database, {
      tenant: "long",
      anchors: [],
      from,
      isEnough: (rows) => rows >= 20_000,
    });
    expect(part.finding).toBeNull();
    widest = Math.max(widest, part.rows);
    from = part.place;
    pages += 1;
    if (part.complete) break;
  }
  expect({ seq: from.seq, pages, widest }).toEqual({ seq: 100_000, pages: 6, widest: 20_000 });
}, 120_000);
