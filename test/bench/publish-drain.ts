/** Plans that all come due at once, moved on by the function that AWS starts each minute. */
import { memoryPublishGates } from "../../adapters/memory/memory-publish-gate.ts";
import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { connectDynamoDb } from "../../adapters/dynamodb/connect-dynamodb.ts";
import { createMissingTables } from "../../adapters/dynamodb/create-tables.ts";
import { DynamoDbLeaseStore } from "../../adapters/dynamodb/dynamodb-lease-store.ts";
import { LEASES_TABLE } from "../../contracts/dynamodb/tables.ts";
import { testCommand, testConfigPayload, testRule } from "../../domain/command/testing-commands.ts";
import { BAKE_MINUTES_MIN } from "../../domain/limits.ts";
import { createHandler } from "../../lambdas/publish-stage.ts";
import type { PublishStageReport } from "../../lambdas/support/advance-due-publishes.ts";
import { CoreCluster } from "../testing/core-cluster.ts";
import { freePorts } from "../testing/free-ports.ts";
import { type Figure, figure } from "./figures.ts";

const SERVICE_KEY = "publish-bench-service-key-publish-bench-key";
const LOADERS = 64;
/** How long an invocation of the deployed function may take (cdk/function-definitions.ts). */
const TIMEOUT_MS = 50_000;
const MINUTE_MS = 60_000;
const DYNAMODB_ENDPOINT = join(import.meta.dirname, "../../dev/dynamodb-endpoint.ts");

export interface DrainPlan {
  plans: number;
  runs: number;
}

/**
 * Three core nodes and the DynamoDB stand-in, processes of their own; the function in this one. Each run begins a plan of one
 * stage for each of the configs, waits until all have baked, and invokes the function as its schedule does, with the
 * deployed timeout: how many plans a second it moved while it worked, and how many the first invocation moved, which is what
 * a minute moves.
 */
export async function benchPublishDrain({ plans, runs }: DrainPlan): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "conflux-publish-bench-"));
  const cluster = await CoreCluster.start({ directory, serviceKey: SERVICE_KEY });
  const dynamoDb = await startDynamoDb(join(directory, "dynamodb"));
  try {
    const core = clientOf(cluster, "admin");
    const configs = await createConfigs(core, plans);
    const perSecond: number[] = [];
    const inMinute: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      await beginPlans(core, configs, run);
      const drained = await drain(cluster, dynamoDb.endpoint, plans);
      perSecond.push(drained.perSecond);
      inMinute.push(drained.inMinute);
    }
    const key = { bench: "publish", case: `${plans} plans due at once`, system: "conflux" };
    return [
      figure({ ...key, metric: "plans_per_s", unit: "plans/s" }, perSecond),
      figure({ ...key, metric: "plans_in_first_minute", unit: "plans" }, inMinute),
    ];
  } finally {
    dynamoDb.stop();
    await cluster.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function startDynamoDb(path: string) {
  const [port = 0] = await freePorts(1);
  const child = fork(DYNAMODB_ENDPOINT, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const ready = new Promise((resolve) => child.once("message", resolve));
  child.send({ port, path });
  await ready;
  const endpoint = {
    url: `http://127.0.0.1:${port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "bench", secretAccessKey: "bench" },
  };
  await createMissingTables(connectDynamoDb(endpoint), [LEASES_TABLE]);
  return { endpoint, stop: () => child.kill() };
}

const clientOf = (cluster: CoreCluster, role: "admin" | "lambda"): CoreClient =>
  new CoreClient({ urls: cluster.urls, serviceKey: SERVICE_KEY, role });

const contentOf = (run: number) => {
  const bytes = Buffer.from(`{"run":${run}}`);
  return { bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
};

/** Ids of configs whose version 1 is the default. */
function createConfigs(core: CoreClient, count: number): Promise<string[]> {
  const { bytes, sha256 } = contentOf(-1);
  return eachAtOnce(count, async (i) => {
    const payload = testConfigPayload(`plan-${i}.json`, sha256, { releases: [testRule(1)] });
    const made = await core.propose({
      command: testCommand("create_config", payload),
      attachments: [bytes],
    });
    return made.result.config.id;
  });
}

/** Begins a plan for each config and waits until the last one has baked. */
async function beginPlans(core: CoreClient, configs: readonly string[], run: number): Promise<void> {
  const { bytes, sha256 } = contentOf(run);
  const stage = { name: "one", regions: ["cn-chengdu"], labels: null, bake_minutes: BAKE_MINUTES_MIN };
  await eachAtOnce(configs.length, async (i) => {
    const payload = {
      config_id: configs[i] ?? "",
      content: { attachment: 0, sha256 },
      version_id: null,
      description: "",
      strategy: "staged" as const,
      form: 2 as const,
      stages: [stage],
    };
    await core.propose({ command: testCommand("start_publish", payload), attachments: [bytes] });
  });
  await sleep(BAKE_MINUTES_MIN * MINUTE_MS);
}

/** Invokes the function until every plan has been moved on. */
async function drain(
  cluster: CoreCluster,
  endpoint: Parameters<typeof connectDynamoDb>[0],
  plans: number,
): Promise<{ perSecond: number; inMinute: number }> {
  const handler = createHandler({
    core: clientOf(cluster, "lambda"),
    leases: new DynamoDbLeaseStore(connectDynamoDb(endpoint), Date.now),
    // These plans have none.
    gates: memoryPublishGates(() => ({ verdict: "holds" })),
    nowMs: Date.now,
    random: Math.random,
    log: (line) => console.error(JSON.stringify(line)),
    newId: () => crypto.randomUUID().replaceAll("-", ""),
  });
  const moved: number[] = [];
  let workedMs = 0;
  let left = plans;
  while (left > 0) {
    const startMs = performance.now();
    const until = { getRemainingTimeInMillis: () => startMs + TIMEOUT_MS - performance.now() };
    const { advanced } = (await handler({}, until)) as PublishStageReport;
    workedMs += performance.now() - startMs;
    if (advanced === 0) throw new Error(`${left} plans are not moved on`);
    moved.push(advanced);
    left -= advanced;
  }
  return { perSecond: (plans / workedMs) * 1000, inMinute: moved[0] ?? 0 };
}

/** `work` for 0 to `count` - 1, LOADERS at a time; answers in that order. */
async function eachAtOnce<T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> {
  const answers: T[] = [];
  let next = 0;
  const loader = async (): Promise<void> => {
    while (next < count) {
      const i = next++;
      answers[i] = await work(i);
    }
  };
  await Promise.all(Array.from({ length: LOADERS }, loader));
  return answers;
}
