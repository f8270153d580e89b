import { describe, expect, it } from "vitest";
import type { AuditLogView } from "../../contracts/access/audit-api.ts";
import { CSV_HEAD, toCsvLine } from "./audit-csv.ts";
import { toOcsfEvent } from "./audit-ocsf.ts";

const ROW: AuditLogView = {
  id: "7",
  tenant: "demo",
  actor: { type: "user", id: "usr_1", name: "ada" },
  ip: "192.0.2.1",
  action: "write",
  resource: "demo/shop/prod/app.json",
  outcome: "success",
  trace_id: "a".repeat(32),
  summary: "added version 2",
  position: { cluster_id: "c1", epoch: 1, index: 9 },
  created_at: "2026-11-28T12:00:00.123Z",
  seq: 3,
  prev_hash: "0".repeat(64),
  hash: "1".repeat(64),
};
const withSummary = (summary: string): string => toCsvLine({ ...ROW, summary });

/** RFC 4180, read strictly: the cells of a text. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = [[]];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  while (cell.lastIndex < text.length) {
    const match = cell.exec(text);
    if (match === null) throw new Error("no CSV");
    lines.at(-1)?.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === "\r\n") lines.push([]);
  }
  return lines.slice(0, -1);
}

describe("A5 export as CSV", () => {
  it("has a head and as many cells in every line, ended by CR LF", () => {
    const parsed = parseCsv(CSV_HEAD + toCsvLine(ROW) + toCsvLine({ ...ROW, position: null }));
    expect(parsed.map((line) => line.length)).toEqual([18, 18, 18]);
    const cells = Object.fromEntries(parsed[0]?.map((name, i) => [name, parsed[1]?.[i]]) ?? []);
    expect(cells).toMatchObject({ id: "7", actor_name: "ada", index: "9", seq: "3", summary: ROW.summary });
  });

  it.each(['a "quoted" word', "a,b", "two\r\nlines", "", "über 東京", 'a\nb,"c"'])("keeps %j", (summary) => {
    expect(parseCsv(withSummary(summary))[0]).toContain(summary);
  });

  it.each([
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    '=cmd|"/c calc"!A1',
    "\uFF1D1",
    "\uFF201",
  ])("lets no spreadsheet compute %j, in any column", (text) => {
    const line = toCsvLine({
      ...ROW,
      actor: { type: "user", id: text, name: text },
      resource: text,
      summary: text,
    });
    const cells = parseCsv(line)[0] ?? [];
    expect(cells.filter((cell) => cell === `'${text}`)).toHaveLength(4);
    expect(cells.filter((cell) => /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/u.test(cell))).toEqual([]);
  });
});

describe("A5 export as OCSF", () => {
  /** Of what belongs to a tenant. */
  const ID = "demo.01JDQ3V8ZK0000000000000000";
  /** What the schema (1.3.0) asks of every event, and of each class besides. */
  const REQUIRED = [
    "activity_id",
    "category_uid",
    "class_uid",
    "metadata",
    "severity_id",
    "time",
    "type_uid",
  ];
  it.each<[string, Partial<AuditLogView>, Record<string, unknown>, string[]]>([
    [
      "a write of a config",
      {},
      { class_uid: 6003, category_uid: 6, activity_id: 3, severity_id: 1, status_id: 1 },
      ["actor", "api", "src_endpoint"],
    ],
    ["a delete", { action: "delete" }, { class_uid: 6003, activity_id: 4 }, ["actor", "api", "src_endpoint"]],
    [
      "a denied read",
      { action: "read", outcome: "denied" },
      { class_uid: 6003, activity_id: 2, severity_id: 3, status_id: 2 },
      ["api"],
    ],
    [
      "a publish",
      { action: "publish" },
      { class_uid: 6003, activity_id: 99, activity_name: "publish" },
      ["api"],
    ],
    [
      "an operation on the core",
      { tenant: "_system", resource: "_system/cluster" },
      { class_uid: 6003, activity_id: 3 },
      ["api"],
    ],
    [
      "a tenant made",
      { tenant: "_system", resource: "_system/tenants/acme" },
      {
        class_uid: 3004,
        activity_id: 3,
        entity: { uid: "_system/tenants/acme", name: "acme", type: "Tenant" },
      },
      ["entity"],
    ],
    [
      "a tenant deleted",
      { tenant: "_system", resource: "_system/tenants/acme", action: "delete" },
      { class_uid: 3004, activity_id: 4, entity: { name: "acme", type: "Tenant" } },
      ["entity"],
    ],
    [
      "a revoked token",
      { action: "delete", resource: `demo/client-tokens/${ID}` },
      { class_uid: 3004, category_uid: 3, activity_id: 4, entity: { name: ID, type: "Client Token" } },
      ["entity"],
    ],
    [
      "a role deleted",
      { action: "delete", resource: `demo/roles/${ID}` },
      { class_uid: 3004, activity_id: 4, entity: { uid: `demo/roles/${ID}`, name: ID, type: "Role" } },
      ["entity"],
    ],
    [
      "a change of a user group",
      { resource: `demo/user-groups/${ID}` },
      { class_uid: 3004, activity_id: 3, entity: { type: "User Group" } },
      ["entity"],
    ],
    [
      "a change of a user by a tenant",
      { resource: "demo/users/usr_1" },
      { class_uid: 3004, activity_id: 3, entity: { uid: "demo/users/usr_1", name: "usr_1", type: "User" } },
      ["entity"],
    ],
    [
      "a password changed",
      { tenant: "_system", resource: "users/usr_1" },
      { class_uid: 3004, activity_id: 3, entity: { name: "usr_1", type: "User" } },
      ["entity"],
    ],
    [
      "an application made",
      { resource: "demo/shop" },
      { class_uid: 3004, activity_id: 3, entity: { uid: "demo/shop", name: "shop", type: "Application" } },
      ["entity"],
    ],
    [
      "a deletion refused on the tenant as a whole",
      { action: "delete", resource: "demo", outcome: "denied" },
      { class_uid: 6003, activity_id: 4, resources: [{ uid: "demo" }] },
      ["api"],
    ],
    [
      "a change of a role in a row of before",
      { action: "delete", resource: "demo" },
      { class_uid: 6003, activity_id: 4 },
      ["api"],
    ],
    ["a tenant of an entity's name", { tenant: "roles", resource: "roles" }, { class_uid: 6003 }, ["api"]],
    [
      "a tenant named like a method",
      { tenant: "constructor", resource: "constructor" },
      { class_uid: 6003 },
      ["api"],
    ],
    [
      "an application named like an entity",
      { resource: "demo/roles/prod/app.json" },
      { class_uid: 6003 },
      ["api"],
    ],
    ["an environment of such an application", { resource: "demo/users/prod" }, { class_uid: 6003 }, ["api"]],
    ["an export of the audit", { action: "read", resource: "demo/audit-logs" }, { class_uid: 6003 }, ["api"]],
    [
      "an action named like a method",
      { action: "toString" },
      { class_uid: 6003, activity_id: 99, activity_name: "toString" },
      ["api"],
    ],
    [
      "a sign-out",
      { tenant: "_system", action: "delete", resource: "sessions" },
      { class_uid: 3002, activity_id: 2, activity_name: "Logoff" },
      ["user", "service"],
    ],
    [
      "a sign-in",
      { action: "login", resource: "users" },
      { class_uid: 3002, category_uid: 3, activity_id: 1, status_id: 1 },
      ["user", "service"],
    ],
    [
      "a refused sign-in",
      { action: "login", resource: "users", outcome: "failure", actor: { type: "user", id: "", name: "" } },
      {
        class_uid: 3002,
        status_id: 2,
        severity_id: 2,
        user: { name: "anonymous", type_id: 0, type: "Unknown" },
      },
      ["user", "service"],
    ],
  ])("%s", (_name, changes, expected, required) => {
    const event = toOcsfEvent({ ...ROW, ...changes });
    expect(event).toMatchObject(expected);
    expect(event["type_uid"]).toBe(Number(event["class_uid"]) * 100 + Number(event["activity_id"]));
    expect(Object.keys(event)).toEqual(expect.arrayContaining([...REQUIRED, ...required]));
  });

  it("carries who, from where, when, and how it stands in the chain", () => {
    expect(toOcsfEvent(ROW)).toMatchObject({
      time: Date.UTC(2026, 10, 28, 12, 0, 0, 123),
      actor: { user: { uid: "usr_1", name: "ada", type_id: 1 } },
      src_endpoint: { ip: "192.0.2.1" },
      message: "added version 2",
      metadata: {
        version: "1.3.0",
        product: { name: "Conflux", vendor_name: "Conflux" },
        tenant_uid: "demo",
        correlation_uid: ROW.trace_id,
        sequence: 3,
      },
      unmapped: { hash: ROW.hash, prev_hash: ROW.prev_hash, position: ROW.position },
    });
    expect(toOcsfEvent({ ...ROW, ip: "" })["src_endpoint"]).toEqual({ name: "unknown" });
    const token = toOcsfEvent({ ...ROW, actor: { type: "token", id: "t", name: "ci" } });
    expect(token["actor"]).toEqual({ user: { uid: "t", name: "ci", type_id: 99, type: "Client Token" } });
  });
});
