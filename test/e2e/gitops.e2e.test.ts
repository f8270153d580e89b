import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "../../cli/run-cli.ts";
import { type Stack, startStack } from "../testing/stack.ts";
import { admin, adminOk, type Answer, fetchConfig } from "../testing/stack-client.ts";

const EXAMPLE = join(import.meta.dirname, "../../examples/gitops");
let stack: Stack;
const repository = mkdtempSync(join(tmpdir(), "conflux-gitops-"));
beforeAll(async () => {
  cpSync(EXAMPLE, repository, { recursive: true });
  stack = await startStack();
});
afterAll(async () => {
  rmSync(repository, { recursive: true });
  expect(await stack.stop()).toBe(0);
});

/** A command line in the repository, as the workflow runs it. */
async function conflux(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const ran = { code: -1, out: "", err: "" };
  const { admin_url, admin_token } = stack.dev;
  ran.code = await runCli(args, {
    env: { CONFLUX_ADMIN_URL: admin_url, CONFLUX_TOKEN: admin_token },
    cwd: repository,
    isTerminal: false,
    out: (text) => {
      ran.out += `${text}\n`;
    },
    err: (text) => {
      ran.err += `${text}\n`;
    },
    fetch,
  });
  return ran;
}
const indexNow = async (): Promise<string> => {
  const place = { tenant: "demo", app: "probe", env: "x", name: `n${performance.now()}`, format: "text" };
  return String((await adminOk(stack, "POST", "/mgt/configs", { ...place, content: "" })).json["index"]);
};
const served = async (name: string, labels: Record<string, string> = {}): Promise<string> => {
  const answer = await fetchConfig(stack, name, { labels, minIndex: await indexNow() });
  return answer.status === 200 ? answer.text : String(answer.status);
};

test("C13 U3 the example repository: planned, applied, changed by hand, changed in Git, pruned, exported", async () => {
  const planned = await conflux("apply", "prod", "--dry-run");
  expect([planned.code, planned.err]).toEqual([2, ""]);
  expect(planned.out).toContain("+ shop/prod/checkout.yaml create");
  expect(await served("demo/shop/prod/checkout.yaml")).toBe("404");
  expect(await conflux("apply", "prod")).toMatchObject({ code: 0, err: "" });
  expect(await conflux("apply", "staging")).toMatchObject({ code: 0, err: "" });
  expect(await conflux("apply", "prod", "--dry-run", "--prune")).toMatchObject({ code: 0 });
  const content = readFileSync(join(repository, "prod/checkout.yaml"), "utf8");
  expect(await served("demo/shop/prod/checkout.yaml")).toBe(content);
  expect(await served("demo/shop/staging/checkout.yaml")).toContain("debugger");
  expect(await served("demo/shop/prod/limits.json")).toContain("10");
  expect(await served("demo/shop/prod/limits.json", { canary: "true" })).toContain("20");

  const { items } = (await adminOk(stack, "GET", "/mgt/configs?tenant=demo&app=shop&env=prod")).json as {
    items: { id: string; name: string; latest_version_id: number }[];
  };
  const limits = items.find(({ name }) => name === "limits.json");
  expect(limits?.latest_version_id).toBe(2);
  await adminOk(stack, "PUT", `/mgt/configs/${limits?.id}/releases`, [{ version_id: 2 }]);
  const drifted = await conflux("apply", "prod", "--dry-run");
  expect(drifted.code).toBe(1);
  expect(drifted.out).toContain("changed by hand: releases");
  expect((await conflux("apply", "prod")).err).toContain("conflict");
  expect(await served("demo/shop/prod/limits.json")).toContain("20");
  expect((await conflux("apply", "prod", "--force")).code).toBe(0);
  expect(await served("demo/shop/prod/limits.json")).toContain("10");

  writeFileSync(join(repository, "prod/checkout.yaml"), "timeout_ms: 900\n");
  const wrong = await conflux("apply", "prod");
  expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining("/configs/0/content")]);
  writeFileSync(join(repository, "prod/checkout.yaml"), "timeout_ms: 900\nretries: 1\n");
  const json = await conflux("apply", "prod", "--dry-run", "--json");
  const { plan } = JSON.parse(json.out) as { plan: string };
  expect((await conflux("apply", "prod", "--if-plan", "0".repeat(64))).err).toContain("precondition_failed");
  expect((await conflux("apply", "prod", "--if-plan", plan)).code).toBe(0);
  expect(await served("demo/shop/prod/checkout.yaml")).toBe("timeout_ms: 900\nretries: 1\n");

  for (const file of readdirSync(join(repository, "prod")))
    if (file.startsWith("limits.json")) rmSync(join(repository, "prod", file));
  const orphan = await conflux("apply", "prod", "--dry-run");
  expect([orphan.code, orphan.out]).toEqual([0, expect.stringContaining("--prune deletes it")]);
  expect((await conflux("apply", "prod", "--prune")).code).toBe(0);
  expect(await served("demo/shop/prod/limits.json")).toBe("404");
  expect(await served("demo/shop/staging/checkout.yaml")).toContain("debugger");

  const scope = ["--tenant", "demo", "--app", "shop", "--env", "prod", "--bundle", "shop-prod"];
  expect((await conflux("export", ...scope, "--dir", "again")).code).toBe(0);
  expect(readFileSync(join(repository, "again/checkout.yaml"), "utf8")).toBe("timeout_ms: 900\nretries: 1\n");
  // The stack has configs of its own there, which no bundle owns yet.
  expect((await conflux("apply", "again", "--dry-run")).out).toContain("no bundle owns it");
  expect((await conflux("apply", "again", "--adopt")).code).toBe(0);
  expect((await conflux("apply", "again", "--dry-run", "--prune")).code).toBe(0);
  expect((await conflux("apply", "--dry-run")).code).toBe(1);
  expect((await conflux("apply", "nowhere")).err).toContain("nowhere");
});

const TRIES_MAX = 20;
/**
 * As every client is told to: what cannot be answered for now is asked again after `Retry-After`. One machine writes 500
 * documents for each of five regions meanwhile, and an edge waits for an index no longer than a second.
 */
async function patiently(ask: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    const answer = await ask();
    if (answer.status !== 503 || tries === TRIES_MAX) return answer;
    await sleep(Number(answer.headers.get("retry-after")) * 1000);
  }
}

test("C13 500 configs go through the whole stack in one entry, twice, and out again", async () => {
  const configs = Array.from({ length: 500 }, (_, i) => ({
    name: `c${String(i).padStart(3, "0")}`,
    format: "json",
    content: JSON.stringify({ i, filling: "x".repeat(1_000) }),
    releases: [{ version: "bundle" }],
  }));
  const body = { bundle: { id: "bulk", tenant: "demo", app: "bulk", env: "prod" }, configs };
  const apply = (what: object, key: string): Promise<Answer> =>
    patiently(() => admin(stack, "POST", "/mgt/apply", what, { "x-idempotency-key": key }));
  const applied = await apply(body, "first");
  expect(applied.json).toMatchObject({ has_changes: true });
  const index = String(applied.json["index"]);
  const some = await patiently(() => fetchConfig(stack, "demo/bulk/prod/c499", { minIndex: index }));
  expect(JSON.parse(some.text)).toMatchObject({ i: 499 });
  const again = await apply(body, "again");
  expect(again.json).toMatchObject({ has_changes: false });
  const exported = await patiently(() =>
    admin(stack, "GET", "/mgt/export?tenant=demo&app=bulk&env=prod&bundle=bulk"),
  );
  expect(exported.json["configs"]).toEqual(configs);
  const many = Array.from({ length: 1_001 }, (_, i) => ({ ...configs[0], name: `m${i}` }));
  const refused = await apply({ ...body, configs: many }, "many");
  expect([refused.status, refused.json["code"]]).toEqual([400, "validation_failed"]);
});
