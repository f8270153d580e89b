import { expect, it } from "vitest";
import type { AuditVerification } from "../contracts/access/audit-api.ts";
import { runCli } from "./run-cli.ts";

const PART: AuditVerification = {
  tenant: "demo",
  verified: 20_000,
  last: { seq: 20_000, hash: "a".repeat(64) },
  complete: false,
  resume_cursor: `20000_${"a".repeat(64)}`,
  anchors: { met: 1, newest: { seq: 20_010, hash: "b".repeat(64), anchored_at: "2026-11-28T12:00:00.000Z" } },
  finding: null,
};
const END: AuditVerification = {
  ...PART,
  verified: 10,
  last: { seq: 20_010, hash: "b".repeat(64) },
  complete: true,
  resume_cursor: null,
};

async function run(args: string[], answers: AuditVerification[]) {
  const ran = { code: -1, out: "", err: "", asked: [] as string[] };
  ran.code = await runCli(["audit", "verify", ...args], {
    env: { CONFLUX_ADMIN_URL: "http://admin.test", CONFLUX_TOKEN: "t1" },
    cwd: "/",
    isTerminal: false,
    out: (text) => (ran.out += `${text}\n`),
    err: (text) => (ran.err += `${text}\n`),
    fetch: async (input) => {
      ran.asked.push(new Request(input).url.replace("http://admin.test/api/v1", ""));
      return Response.json(answers.shift());
    },
  });
  return ran;
}

it("A5 U3 audit verify goes on until the end of the chain and says how it stands", async () => {
  const ran = await run(["--tenant", "demo"], [PART, END]);
  expect([ran.code, ran.err]).toEqual([0, ""]);
  expect(ran.asked).toEqual([
    "/audit-logs/verify?tenant=demo",
    `/audit-logs/verify?tenant=demo&cursor=20000_${"a".repeat(64)}`,
  ]);
  expect(ran.out).toBe(
    "whole: 20010 rows of demo, the last is row 20010\n" +
      "2 anchors of the log fit; the newest is row 20010, anchored 2026-11-28T12:00:00.000Z\n",
  );
});

it("A5 U3 audit verify fails for a chain that was changed, and names the row", async () => {
  const finding = { seq: 7, kind: "removed" as const, detail: "row 7 is not there" };
  const ran = await run([], [{ ...END, finding }]);
  expect(ran.code).toBe(1);
  expect(ran.asked).toEqual(["/audit-logs/verify?"]);
  expect(ran.out).toBe("removed at row 7: row 7 is not there\n");
  expect(ran.err).toContain("the audit of demo is not as it was written: row 7 (removed)");
  const json = await run(["--json"], [PART, { ...END, finding }]);
  expect([json.code, JSON.parse(json.out)]).toEqual([
    1,
    { ...END, finding, verified: 20_010, anchors: { ...END.anchors, met: 2 } },
  ]);
});

it("A5 U3 audit verify says that a chain has no anchor", async () => {
  const ran = await run([], [{ ...END, anchors: { met: 0, newest: null } }]);
  expect([ran.code, ran.out.split("\n")[1]]).toEqual([
    0,
    "the log has no anchor of it yet: a cut tail would not show",
  ]);
});
