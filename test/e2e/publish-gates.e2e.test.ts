import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, getRaw } from "../testing/stack-client.ts";

const OLD = '{"n":1}';
const NEW = '{"n":2}';
const STAGE_REGION = "cn-chengdu";
const SECRET = "only the two of us know this one";

/** The tenant's service: what it answers, and what it was asked and has found to be signed. */
let decision: unknown = { decision: "wait", reason: "smoke tests run" };
const asked: { type: string; data: Record<string, unknown> }[] = [];
const service = createServer((request, answer) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString()));
  request.on("end", () => {
    const { headers } = request;
    const signed = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
    const signature = createHmac("sha256", SECRET).update(signed).digest("base64");
    if (headers["webhook-signature"] !== `v1,${signature}`) return answer.writeHead(401).end();
    asked.push(JSON.parse(body) as (typeof asked)[number]);
    return answer.writeHead(200).end(JSON.stringify(decision));
  });
});

let stack: Stack;
beforeAll(async () => {
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  stack = await startStack();
});
afterAll(async () => {
  service.close();
  expect(await stack.stop()).toBe(0);
});

/** Begins a plan whose one stage bakes for a moment and asks the service. */
async function publish(name: string): Promise<string> {
  const place = { tenant: "demo", app: "shop", env: "prod", name, format: "json" };
  const created = await adminOk(stack, "POST", "/mgt/configs", { ...place, content: OLD, release: true });
  const { port } = service.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}/gate`;
  const gates = [{ type: "webhook", url, secret: SECRET, on_fail: "abort" }];
  const begun = await adminOk(stack, "POST", `/mgt/configs/${String(created.json["id"])}/publish`, {
    content: NEW,
    strategy: {
      type: "staged",
      stages: [{ name: "chengdu", regions: [STAGE_REGION], bake_minutes: 0.01, gates }],
    },
  });
  return String(begun.json["publish_id"]);
}
interface Shown {
  status: string;
  stages: { gates: { verdict: string; reason: string | null }[] }[];
  stopped_by: { gate: string; reason: string } | null;
}
const show = async (pid: string) =>
  (await admin(stack, "GET", `/mgt/publishes/${pid}`)).json as unknown as Shown;
async function servedIn(region: string, name: string): Promise<string> {
  const { port } = new URL(stack.dev.edge_url);
  const path = `/api/v1/fetch/config/demo/shop/prod/${name}`;
  return (await getRaw(stack, path, { host: `${region}.localhost:${port}` })).text;
}

test("P4 L1 a plan waits for the tenant's service, and goes on when that says yes", async () => {
  const name = "gated.json";
  const pid = await publish(name);
  const waiting = await until(async () => {
    const plan = await show(pid);
    return plan.stages[0]?.gates[0]?.reason === "smoke tests run" && plan;
  }, "the plan has asked");
  expect(waiting.status).toBe("stage1");
  expect(asked.at(-1)).toMatchObject({ type: "publish.gate", data: { publish_id: pid, stage: "chengdu" } });
  decision = { decision: "yes" };
  await until(async () => (await show(pid)).status === "full", "the plan is full");
  await until(async () => (await servedIn("us-east-1", name)) === NEW, "everyone has the new version");
});

test("P5 L1 a plan is taken back when it says no, with its reason in plan and audit", async () => {
  decision = { decision: "no", reason: "smoke tests failed" };
  const name = "refused.json";
  const pid = await publish(name);
  await until(async () => (await show(pid)).status === "aborted", "the plan is aborted");
  expect((await show(pid)).stopped_by).toMatchObject({ gate: "webhook", reason: "smoke tests failed" });
  await until(async () => (await servedIn(STAGE_REGION, name)) === OLD, "the region has the version before");
  const row = await until(async () => {
    const { json } = await adminOk(stack, "GET", "/audit-logs?tenant=demo&limit=200");
    const rows = json["items"] as Record<string, unknown>[];
    return (
      rows.find(({ summary }) => String(summary).includes("gate_failed, webhook: smoke tests failed")) ??
      false
    );
  }, "the audit says why");
  expect(row).toMatchObject({ action: "publish", resource: `demo/shop/prod/${name}` });
});
