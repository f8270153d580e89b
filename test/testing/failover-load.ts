import { setTimeout as sleep } from "node:timers/promises";
import { type Stack, until } from "./stack.ts";
import { admin, adminOk, fetchConfig } from "./stack-client.ts";

const RETRY_PAUSE_MS = 20;
const FETCH_PAUSE_MS = 10;
/** Writes begun after a kill and acknowledged, after which writing is said to go on. */
const WRITES_AFTER_KILL = 20;
const SERVED_CONFIG = "demo/shop/prod/app.json";

interface Writer {
  id: string;
  /** Contents in the order acknowledged: version n is `contents[n - 1]`. */
  contents: string[];
}

/** Writers that each add versions to a config of their own, and a client that fetches all the while. */
export interface FailoverLoad {
  /** Kills the leading core node with SIGKILL; answers the longest time without an acknowledged write afterwards. */
  killLeader(): Promise<number>;
  /** Kills a node that follows. */
  killFollower(): Promise<void>;
  /** Stops writing and fetching. Throws what went wrong with either. */
  stop(): Promise<LoadReport>;
  /** Compares what is there with what was acknowledged: answers every difference in words. */
  differences(): Promise<string[]>;
}
export interface LoadReport {
  acknowledged: number;
  fetches: number;
  failedFetches: string[];
}

interface ClusterStatus {
  leader_id: number | null;
  nodes: { node_id: number; match_index: number; healthy: boolean }[];
}

/** Starts `writers` writers, whose configs begin with `name`, and waits until each has written. */
export async function startFailoverLoad(
  stack: Stack,
  writers: number,
  name = "writer",
): Promise<FailoverLoad> {
  const state = {
    running: true,
    acknowledged: [] as { beganAtMs: number; atMs: number }[],
    fetches: 0,
    failedFetches: [] as string[],
  };
  const made = await Promise.all(
    Array.from({ length: writers }, (_, i) => createConfig(stack, `${name}-${i}.json`)),
  );
  const loops = Promise.all([
    ...made.map(async (writer) => {
      while (state.running) state.acknowledged.push(await addVersion(stack, writer));
    }),
    fetchOn(stack, state),
  ]);
  // Looked at in stop().
  loops.catch(() => undefined);
  await until(() => made.every(({ contents }) => contents.length > 1), "every writer has written");

  const killNode = async (nodeId: number): Promise<number> => {
    const pid = stack.dev.pids.core[nodeId - 1] ?? 0;
    if (pid <= 1) throw new Error(`node ${nodeId} has no pid`);
    process.kill(pid, "SIGKILL");
    const killedAtMs = performance.now();
    await until(() => {
      const later = state.acknowledged.filter(({ beganAtMs }) => beganAtMs > killedAtMs);
      return later.length >= WRITES_AFTER_KILL;
    }, `writes go on without node ${nodeId}`);
    const gapMs = longestGap([
      killedAtMs,
      ...state.acknowledged.map((a) => a.atMs).filter((at) => at > killedAtMs),
    ]);
    await until(() => ![0, pid].includes(stack.dev.pids.core[nodeId - 1] ?? 0), `node ${nodeId} runs again`);
    await wholeCluster(stack);
    return gapMs;
  };
  return {
    killLeader: async () => killNode((await wholeCluster(stack)).leader_id ?? 0),
    killFollower: async () => {
      const { leader_id, nodes } = await wholeCluster(stack);
      await killNode(nodes.find(({ node_id }) => node_id !== leader_id)?.node_id ?? 0);
    },
    stop: async () => {
      state.running = false;
      await loops;
      return {
        acknowledged: state.acknowledged.length,
        fetches: state.fetches,
        failedFetches: state.failedFetches,
      };
    },
    differences: async () => (await Promise.all(made.map((writer) => compare(stack, writer)))).flat(),
  };
}

/** Waits until there is a leader and every node is heard of. */
export function wholeCluster(stack: Stack): Promise<ClusterStatus> {
  return until(async () => {
    const answer = await admin(stack, "GET", "/mgt/cluster/status").catch(() => null);
    if (answer?.status !== 200) return null;
    const status = answer.json as unknown as ClusterStatus;
    const isWhole = status.nodes.every(({ healthy, match_index }) => healthy && match_index > 0);
    return status.leader_id !== null && isWhole ? status : null;
  }, "the cluster is whole");
}

function longestGap(timesMs: readonly number[]): number {
  const sorted = timesMs.toSorted((a, b) => a - b);
  return Math.max(...sorted.slice(1).map((at, i) => at - (sorted[i] ?? at)));
}

/** Retries one write, under one idempotency key, until it is acknowledged: what every client is told to do. */
async function write(stack: Stack, path: string, body: unknown): Promise<Record<string, unknown>> {
  const key = crypto.randomUUID();
  const refusals: string[] = [];
  const send = async (): Promise<Record<string, unknown> | null> => {
    const beganAtMs = performance.now();
    const refused = async (why: string): Promise<null> => {
      refusals.push(`after ${Math.round(performance.now() - beganAtMs)} ms ${why}`);
      await sleep(RETRY_PAUSE_MS);
      return null;
    };
    let answer;
    try {
      answer = await admin(stack, "POST", path, body, { "x-idempotency-key": key });
    } catch (error) {
      return await refused(String(error));
    }
    if (answer.status === 503) return await refused(answer.text);
    if (answer.status >= 300) throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  };
  try {
    return await until(send, `POST ${path} is acknowledged`, 60_000);
  } catch (cause) {
    throw new Error(`refused ${refusals.length} times, at last: ${refusals.slice(-5).join("; ")}`, { cause });
  }
}

async function createConfig(stack: Stack, name: string): Promise<Writer> {
  const created = await write(stack, "/mgt/configs", {
    tenant: "demo",
    app: "failover",
    env: "prod",
    name,
    format: "json",
    content: "1",
  });
  return { id: String(created["id"]), contents: ["1"] };
}

async function addVersion(stack: Stack, writer: Writer): Promise<{ beganAtMs: number; atMs: number }> {
  const beganAtMs = performance.now();
  const content = String(writer.contents.length + 1);
  const answer = await write(stack, `/mgt/configs/${writer.id}/versions`, { content, description: "load" });
  if (answer["version_id"] !== writer.contents.length + 1) {
    throw new Error(`${writer.id}: write ${content} became version ${String(answer["version_id"])}`);
  }
  writer.contents.push(content);
  return { beganAtMs, atMs: performance.now() };
}

async function fetchOn(
  stack: Stack,
  state: { running: boolean; fetches: number; failedFetches: string[] },
): Promise<void> {
  while (state.running) {
    state.fetches += 1;
    try {
      const { status } = await fetchConfig(stack, SERVED_CONFIG);
      if (status !== 200) state.failedFetches.push(`status ${status}`);
    } catch (error) {
      state.failedFetches.push(String(error));
    }
    await sleep(FETCH_PAUSE_MS);
  }
}

/** Lost, doubled or changed versions of one writer's config. */
async function compare(stack: Stack, writer: Writer): Promise<string[]> {
  const found: string[] = [];
  const config = await adminOk(stack, "GET", `/mgt/configs/${writer.id}`);
  if (config.json["latest_version_id"] !== writer.contents.length) {
    const latest = String(config.json["latest_version_id"]);
    found.push(`${writer.id}: ${writer.contents.length} acknowledged, latest ${latest}`);
  }
  for (const [i, content] of writer.contents.entries()) {
    const path = `/mgt/configs/${writer.id}/versions/${i + 1}/content`;
    const { text } = await adminOk(stack, "GET", path);
    if (text !== content) found.push(`${path}: ${text} instead of ${content}`);
  }
  return found;
}
