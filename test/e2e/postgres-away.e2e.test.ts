import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { dataPaths } from "../../dev/data-directory.ts";
import { loadSecrets } from "../../dev/secrets.ts";
import { testCommand } from "../../domain/command/testing-commands.ts";
import { postgresPids } from "../testing/postgres-processes.ts";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, fetchConfig, watchBySocket } from "../testing/stack-client.ts";

const NAME = "demo/shop/prod/steady.json";
let stack: Stack;
let configId: string;

beforeAll(async () => {
  stack = await startStack();
  const created = await adminOk(stack, "POST", "/mgt/configs", {
    tenant: "demo",
    app: "shop",
    env: "prod",
    name: "steady.json",
    format: "json",
    content: '{"steady": true}',
    release: true,
  });
  configId = String(created.json["id"]);
  await adminOk(stack, "POST", `/mgt/configs/${configId}/versions`, { content: '{"steady": 2}' });
  const index = String(created.json["index"]);
  expect((await fetchConfig(stack, NAME, { minIndex: index })).status).toBe(200);
});
afterAll(() => stack.stop());

/** A change that needs no Postgres: straight to the core, as a Lambda makes one. */
async function changeRules(version: number): Promise<void> {
  const { core_service_key: serviceKey } = loadSecrets(dataPaths(stack.dataDir).secrets);
  const core = new CoreClient({ urls: stack.dev.core_urls, serviceKey, role: "admin" });
  const releases = [{ labels: {}, version_id: version, priority: 0 }];
  await core.propose({
    command: testCommand("put_releases", { config_id: configId, releases }),
    attachments: [],
  });
}
/** What the Workers of the stack have logged. */
const readLog = (): string => readFileSync(join(dataPaths(stack.dataDir).logs, "workers.log"), "utf8");
const writes = [
  [
    "POST",
    "/mgt/configs",
    { tenant: "demo", app: "shop", env: "prod", name: "new.json", format: "json", content: "{}" },
  ],
  ["POST", () => `/mgt/configs/${configId}/versions`, { content: "{}" }],
  ["PUT", () => `/mgt/configs/${configId}/releases`, []],
  ["POST", () => `/mgt/configs/${configId}/rollback`, { version_id: 1 }],
  ["DELETE", () => `/mgt/configs/${configId}`, undefined],
  ["POST", "/auth/client-tokens", { name: "x", scopes: ["read:demo/**"], ttl_seconds: 60 }],
  ["POST", "/auth/login", { username: "admin", password: "x" }],
] as const;

/** Every write is refused as it should be, while fetches and a watch know nothing of it. */
async function expectUnmoved(version: number): Promise<void> {
  const watcher = await watchBySocket(stack, [NAME]);
  await Promise.all(
    writes.map(async ([method, path, body]) => {
      const answer = await admin(stack, method, typeof path === "string" ? path : path(), body);
      expect([answer.status, answer.headers.get("retry-after")], String(path)).toEqual([503, "1"]);
      expect(answer.json).toMatchObject({ code: "unavailable" });
      const traceId = String(answer.json["trace_id"]);
      await until(
        () => readLog().includes(traceId),
        `the log says why ${String(path)} of ${traceId} was not served`,
      );
    }),
  );
  for (let i = 0; i < 20; i += 1) expect((await fetchConfig(stack, NAME)).status).toBe(200);
  await changeRules(version);
  const change = await until(
    () => watcher.messages.find((m) => m.type === "change"),
    "the watch hears of it",
  );
  const after = await fetchConfig(stack, NAME, { minIndex: String(change.index) });
  expect([after.status, after.headers.get("x-config-version")]).toEqual([200, String(version)]);
  // Who looks after the core is told how it is; where its nodes are, nobody can say who may know.
  const status = await admin(stack, "GET", "/mgt/cluster/status");
  expect([status.status, status.json]).toMatchObject([200, { nodes: [{ raft_address: null }] }]);
  watcher.close();
}
async function expectWritable(): Promise<void> {
  await until(
    async () =>
      (await admin(stack, "POST", `/mgt/configs/${configId}/rollback`, { version_id: 1 })).status === 200,
    "writes go on by themselves",
  );
}

describe("A7 without Postgres", () => {
  test("that does not answer (SIGSTOP) admin writes are 503 meanwhile; fetch and watch go on", async () => {
    const pids = postgresPids(stack);
    for (const pid of pids) process.kill(pid, "SIGSTOP");
    try {
      // Postgres goes on only after all of it was answered; how soon that is, `npm run bench -- postgres-away` prints.
      await expectUnmoved(2);
    } finally {
      for (const pid of pids) process.kill(pid, "SIGCONT");
    }
    await expectWritable();
  });

  test("that is killed and not let up again the same, and it recovers by itself", async () => {
    // Held down: the supervisor starts it again, and each time it is stopped at once.
    const first = stack.dev.pids.postgres ?? 0;
    process.kill(first, "SIGKILL");
    const second = await until(() => {
      const { postgres } = stack.dev.pids;
      return postgres !== undefined && postgres !== first && postgres;
    }, "Postgres is started again");
    process.kill(second, "SIGSTOP");
    try {
      await expectUnmoved(2);
    } finally {
      process.kill(second, "SIGCONT");
    }
    await expectWritable();
  });
});
