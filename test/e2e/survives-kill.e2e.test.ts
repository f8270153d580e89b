import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { type Place, type Stack, makePlace, processesOf, startStack, until } from "../testing/stack.ts";
import { admin, adminOk, fetchConfig, watchBySocket, watchByStream } from "../testing/stack-client.ts";

/** Writes that each writer must have acknowledged after the last kill, so that the stream is known to have gone on. */
const WRITES_AFTER_KILL = 5;
const WRITERS = 3;
const RETRY_PAUSE_MS = 50;

let place: Place | null = null;
let stack: Stack | null = null;
afterEach(async () => {
  await stack?.stop();
  place?.remove();
  [stack, place] = [null, null];
});

interface Writer {
  name: string;
  id: string;
  /** The version numbers that were acknowledged, with their content. */
  acknowledged: Map<number, string>;
  /** The content that the last acknowledged release of this writer serves, and its index. */
  served: { content: string; index: string };
  stop(): Promise<void>;
}

/** Retries one write, under one idempotency key, until it is acknowledged: what every client is told to do. */
async function write(method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
  const key = crypto.randomUUID();
  return until(async () => {
    if (!stack) throw new Error("no stack");
    const answer = await admin(stack, method, path, body, { "x-idempotency-key": key }).catch(() => null);
    if (answer === null || answer.status === 503) {
      await sleep(RETRY_PAUSE_MS);
      return null;
    }
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.json;
  }, `${method} ${path} is acknowledged`);
}

/** Makes a config and goes on adding versions and releasing each to everybody. */
async function startWriter(i: number): Promise<Writer> {
  const name = `stream-${i}.json`;
  const created = await write("POST", "/mgt/configs", {
    tenant: "demo",
    app: "shop",
    env: "prod",
    name,
    format: "json",
    content: "0",
    release: true,
  });
  const id = String(created["id"]);
  const control = { running: true };
  const writer: Writer = {
    name: `demo/shop/prod/${name}`,
    id,
    acknowledged: new Map([[1, "0"]]),
    served: { content: "0", index: String(created["index"]) },
    stop,
  };
  const loop = (async () => {
    for (let n = 1; control.running; n += 1) {
      const content = String(n);
      const version = await write("POST", `/mgt/configs/${id}/versions`, {
        content,
        description: `write ${n}`,
      });
      const versionId = Number(version["version_id"]);
      writer.acknowledged.set(versionId, content);
      const released = await write("PUT", `/mgt/configs/${id}/releases`, [
        { labels: {}, version_id: versionId, priority: 0 },
      ]);
      writer.served = { content, index: String(released["index"]) };
    }
  })();
  // Looked at in stop().
  loop.catch(() => undefined);
  async function stop(): Promise<void> {
    control.running = false;
    await loop;
  }
  return writer;
}

/** Every acknowledged version has its bytes, numbers have no gap and no double, and the edge serves the last release. */
async function expectAllThere(writers: readonly Writer[]): Promise<void> {
  if (!stack) throw new Error("no stack");
  for (const writer of writers) {
    const latest = Math.max(...writer.acknowledged.keys());
    expect([...writer.acknowledged.keys()].toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: latest }, (_, i) => i + 1),
    );
    for (const [versionId, content] of writer.acknowledged) {
      const path = `/mgt/configs/${writer.id}/versions/${versionId}/content`;
      expect((await adminOk(stack, "GET", path)).text).toBe(content);
    }
    const config = await adminOk(stack, "GET", `/mgt/configs/${writer.id}`);
    expect(config.json["latest_version_id"]).toBe(latest);
    const { content, index } = writer.served;
    const got = await fetchConfig(stack, writer.name, { minIndex: index });
    expect([got.status, got.text]).toEqual([200, content]);
  }
}

const writesOf = (writers: readonly Writer[]): number => Math.min(...writers.map((w) => w.acknowledged.size));

async function writesGoOn(writers: readonly Writer[], what: string): Promise<void> {
  const before = writesOf(writers);
  await until(() => writesOf(writers) >= before + WRITES_AFTER_KILL, `writes go on after ${what}`, 60_000);
}

test("R3 E12 kill -9 of the core, of workerd, of Postgres and of the Lambda during writes loses nothing acknowledged", async () => {
  stack = await startStack();
  const writers = await Promise.all(Array.from({ length: WRITERS }, (_, i) => startWriter(i)));
  await writesGoOn(writers, "the start");
  for (const part of ["core", "workerd", "workers_host", "postgres", "lambda", "core"] as const) {
    const pids = stack.dev.pids;
    const pid = part === "core" ? pids.core[0] : pids[part];
    expect(pid, part).toBeGreaterThan(1);
    process.kill(pid ?? 0, "SIGKILL");
    await writesGoOn(writers, `the kill of ${part}`);
    await until(() => {
      const now = stack?.dev.pids;
      const again = part === "core" ? now?.core[0] : now?.[part];
      return again !== undefined && again > 0 && again !== pid;
    }, `${part} is in dev.json again`);
  }
  await Promise.all(writers.map((w) => w.stop()));
  await expectAllThere(writers);
});

test("SIGKILL of the supervisor: the next start reaps what is left and serves the same", async () => {
  place = await makePlace();
  stack = await startStack({ place });
  const writers = await Promise.all(Array.from({ length: WRITERS }, (_, i) => startWriter(i)));
  await writesGoOn(writers, "the start");
  const { pids } = stack.dev;
  await stack.kill();
  const earlier = [pids.workerd, pids.workers_host, pids.lambda, pids.postgres ?? 0, ...pids.core];
  stack = await startStack({ place });
  const now = new Set(processesOf(place.dataDir).map((p) => p.pid));
  expect(earlier.filter((pid) => now.has(pid))).toEqual([]);
  await writesGoOn(writers, "the second start");
  await Promise.all(writers.map((w) => w.stop()));
  await expectAllThere(writers);
  expect(await stack.stop()).toBe(0);
  expect(processesOf(place.dataDir)).toEqual([]);
  stack = await startStack({ place });
  await expectAllThere(writers);
});

test("A7 E9 with Postgres stopped fetches and watches go on, new ones too, and the admin API says so quickly", async () => {
  stack = await startStack();
  const name = "demo/shop/prod/app.json";
  expect((await fetchConfig(stack, name)).status).toBe(200);
  const watchers = [await watchBySocket(stack, [name]), await watchByStream(stack, [name])];
  const { json: configs } = await adminOk(stack, "GET", "/mgt/configs?tenant=demo&name_prefix=app.json");
  const id = (configs["items"] as { id: string }[])[0]?.id ?? "";
  const pid = stack.dev.pids.postgres ?? 0;
  process.kill(pid, "SIGSTOP");
  try {
    expect((await fetchConfig(stack, name)).status).toBe(200);
    const answer = await admin(stack, "GET", "/mgt/configs?tenant=demo");
    expect([answer.status, answer.json["code"]]).toEqual([503, "unavailable"]);
    watchers.push(await watchBySocket(stack, [name]), await watchByStream(stack, [name]));
    expect((await fetchConfig(stack, name)).status).toBe(200);
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await until(async () => {
    if (!stack) return false;
    return (await admin(stack, "GET", "/mgt/configs?tenant=demo")).status === 200;
  }, "the admin API answers again");
  await adminOk(stack, "DELETE", `/mgt/configs/${id}`);
  await until(
    () => watchers.every((watcher) => watcher.messages.some(({ type }) => type === "change")),
    "those who watched before and those who came meanwhile hear of the next change",
  );
  for (const watcher of watchers) {
    expect(watcher.messages.map(({ type }) => type)).toEqual(["hello", "change"]);
    watcher.close();
  }
});
