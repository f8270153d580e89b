import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk } from "../testing/stack-client.ts";

const PROJECT_DIR = join(import.meta.dirname, "../..");
const run = promisify(execFile);
type Row = Record<string, unknown>;
interface Verification {
  verified: number;
  finding: unknown;
  last: { seq: number };
  anchors: { met: number; newest: { seq: number } | null };
}

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
});

async function rowOf(query: string, traceId: string | null): Promise<Row> {
  return until(async () => {
    const { json } = await adminOk(stack, "GET", `/audit-logs?limit=200&${query}`);
    return (json["items"] as Row[]).find((row) => row["trace_id"] === traceId) ?? null;
  }, `the audit has the row of ${traceId}`);
}
async function exported(query: string): Promise<string> {
  const response = await fetch(`${stack.dev.admin_url}/api/v1/audit-logs/export?${query}`, {
    headers: { authorization: `Bearer ${stack.dev.admin_token}` },
  });
  expect(response.status).toBe(200);
  return response.text();
}
async function verify(tenant: string): Promise<Verification> {
  const { stdout } = await run(
    join(PROJECT_DIR, "cli/conflux"),
    ["audit", "verify", "--tenant", tenant, "--json"],
    {
      env: { PATH: "/usr/bin:/bin", CONFLUX_DATA_DIR: stack.dataDir },
    },
  );
  return JSON.parse(stdout) as Verification;
}

test("A5 U3 what is done and what is refused is in the audit, which is whole, anchored in the log, and can be taken away", async () => {
  const config = {
    tenant: "demo",
    app: "shop",
    env: "prod",
    name: "audited.json",
    format: "json",
    content: "{}",
  };
  const done = await adminOk(stack, "POST", "/mgt/configs", config);
  const taken = await admin(stack, "POST", "/mgt/configs", config);
  const wrong = await admin(stack, "POST", "/mgt/configs", { ...config, name: "other.json", content: "{" });
  const nobody = await admin(stack, "GET", "/mgt/configs?tenant=demo", undefined, {
    authorization: "Bearer x.y.z",
  });
  const stranger = await admin(stack, "GET", "/mgt/configs?tenant=no-such-tenant");
  expect([taken, wrong, nobody, stranger].map(({ status }) => status)).toEqual([409, 400, 401, 403]);
  const trace = (answer: { headers: Headers }) => answer.headers.get("x-trace-id");
  const resource = "demo/shop/prod/audited.json";
  expect(await rowOf("tenant=demo", trace(done))).toMatchObject({
    outcome: "success",
    resource,
    position: { epoch: 1 },
  });
  expect(await rowOf("tenant=demo&outcome=failure", trace(taken))).toMatchObject({
    action: "write",
    resource,
  });
  expect((await rowOf("tenant=demo&outcome=failure", trace(wrong)))["summary"]).toContain(
    "400 validation_failed at /content",
  );
  const anonymous = await rowOf("tenant=_system&outcome=denied", trace(nobody));
  expect(anonymous).toMatchObject({ actor: { id: "" }, action: "read" });
  expect(await rowOf("tenant=_system&outcome=denied", trace(stranger))).toMatchObject({ action: "list" });

  for (const tenant of ["demo", "_system"]) {
    const { items } = (await adminOk(stack, "GET", `/audit-logs?tenant=${tenant}&limit=200`)).json as {
      items: Row[];
    };
    const seq = Math.max(...items.map((row) => Number(row["seq"])));
    const whole = await until(async () => {
      const answer = await verify(tenant);
      expect(answer.finding).toBeNull();
      return (answer.anchors.newest?.seq ?? 0) >= seq ? answer : null;
    }, `the audit of ${tenant} is anchored`);
    expect(whole.verified).toBe(whole.last.seq);
    expect(whole.anchors.met).toBeGreaterThan(0);
  }

  const lines = (await exported("tenant=demo"))
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
  const bySeq = lines.toSorted((a, b) => Number(a["seq"]) - Number(b["seq"]));
  for (const [i, row] of bySeq.entries()) {
    if (i > 0) expect(row["prev_hash"]).toBe(bySeq[i - 1]?.["hash"]);
  }
  expect(lines.some((row) => row["trace_id"] === trace(done))).toBe(true);
  expect(await exported("tenant=demo&format=csv")).toContain(`,write,${resource},failure,`);
  expect(await exported("tenant=_system&format=ocsf&outcome=denied")).toContain('"class_uid":6003');
});
