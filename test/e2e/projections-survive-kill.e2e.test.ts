import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import postgres from "postgres";
import { afterEach, expect, test } from "vitest";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { envelopeSchema, openEnvelope } from "../../adapters/kms/envelope.ts";
import { KmsKeyService } from "../../adapters/kms/kms-key-service.ts";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { adminOk, fetchConfig } from "../testing/stack-client.ts";

const WRITERS = 3;
/** Writes acknowledged after each kill before the next one. */
const WRITES_BETWEEN = 5;
const CATCH_UP_MS_MAX = 60_000;

let stack: Stack | null = null;
let sql: postgres.Sql | null = null;
afterEach(async () => {
  await sql?.end();
  await stack?.stop();
  [stack, sql] = [null, null];
});

const json = (file: string): Record<string, string | number> =>
  JSON.parse(readFileSync(join(stack?.dataDir ?? "", file), "utf8")) as Record<string, string | number>;

/** Goes on creating configs through the admin API; every answer is an acknowledged write. */
function startWriter(running: Stack, i: number) {
  const writer = { names: [] as string[], stop: () => Promise.resolve() };
  const control = { isRunning: true };
  const loop = (async () => {
    for (let n = 0; control.isRunning; n += 1) {
      const body = { tenant: "demo", app: "shop", env: "prod", format: "json", content: "{}" };
      const name = `p-${i}-${n}.json`;
      await adminOk(running, "POST", "/mgt/configs", { ...body, name });
      writer.names.push(`demo/shop/prod/${name}`);
    }
  })();
  // Looked at in stop().
  loop.catch(() => undefined);
  writer.stop = async () => {
    control.isRunning = false;
    await loop;
  };
  return writer;
}

/** The index of every entry that the core's feed holds. */
async function feedIndexes(running: Stack): Promise<number[]> {
  const serviceKey = String(json("secrets.json")["core_service_key"]);
  const core = new CoreClient({ urls: running.dev.core_urls, serviceKey, role: "lambda" });
  const indexes: number[] = [];
  for (;;) {
    const after = indexes.at(-1) ?? 0;
    const { entries } = await core.feed({ after, limit: 500, wait_ms: 0, view: "full" });
    if (entries.length === 0) return indexes;
    indexes.push(...entries.map((entry) => entry.index));
  }
}

/** Every projected row, as often as it is there. */
async function projectedRows(): Promise<{ index: number; resource: string }[]> {
  sql ??= postgres({
    host: "127.0.0.1",
    port: Number(json("memo.json")["postgres_port"]),
    username: "postgres",
    password: String(json("secrets.json")["postgres_password"]),
    database: "conflux",
    max: 1,
  });
  return sql<{ index: number; resource: string }[]>`
    select log_index::int as index, resource from audit_logs where log_index is not null order by 1`;
}

test("L0 kill -9 of dynalite, the KMS and the Lambda runner during writes: every write has one row", async () => {
  const running = await startStack();
  stack = running;
  const writers = Array.from({ length: WRITERS }, (_, i) => startWriter(running, i));
  const acknowledged = () => writers.flatMap((writer) => writer.names);
  const writesGoOn = (what: string) => {
    const wanted = acknowledged().length + WRITES_BETWEEN * WRITERS;
    return until(() => acknowledged().length >= wanted, `writes go on after ${what}`);
  };
  await writesGoOn("the start");
  for (const part of ["dynalite", "lambda", "kms", "dynalite", "lambda"] as const) {
    const pid = running.dev.pids[part] ?? 0;
    expect(pid, part).toBeGreaterThan(1);
    process.kill(pid, "SIGKILL");
    await writesGoOn(`the kill of ${part}`);
    await until(() => {
      const again = running.dev.pids[part] ?? 0;
      return again > 0 && again !== pid;
    }, `${part} is in dev.json again`);
  }
  await Promise.all(writers.map((writer) => writer.stop()));
  const wanted = await feedIndexes(running);
  await until(
    async () => (await projectedRows()).at(-1)?.index === wanted.at(-1),
    "rows catch up",
    CATCH_UP_MS_MAX,
  );
  const rows = await projectedRows();
  expect(rows.map((row) => row.index)).toEqual(wanted);
  const created = rows.map((row) => row.resource).filter((resource) => /\/p-\d+-\d+\.json$/.test(resource));
  expect(created.toSorted()).toEqual(acknowledged().toSorted());
});

test("K1 the signing key stands nowhere in the data directory, and a token it signed is good", async () => {
  stack = await startStack();
  const { dataDir, dev } = stack;
  const keys = new KmsKeyService({
    url: `http://127.0.0.1:${json("memo.json")["kms_port"]}`,
    region: "us-east-1",
    credentials: {
      accessKeyId: String(json("secrets.json")["kms_access_key_id"]),
      secretAccessKey: "local",
    },
  });
  const envelope = envelopeSchema.parse(json("token-signing-key.json"));
  const opened = await openEnvelope(keys, envelope, { purpose: "token-signing-key" });
  const { d } = JSON.parse(Buffer.from(opened).toString()) as { d: string };
  expect(d).toMatch(/^[A-Za-z0-9_-]{43}$/);
  await expect(openEnvelope(keys, envelope, { purpose: "another" })).rejects.toMatchObject({
    code: "validation_failed",
  });
  const found = filesBelow(dataDir).filter((path) => {
    const bytes = readFileSync(path);
    return [d, Buffer.from(d, "base64url")].some((secret) => bytes.includes(secret));
  });
  expect(found).toEqual([]);
  expect((await fetchConfig(stack, "demo/shop/prod/app.json", { token: dev.client_token })).status).toBe(200);
});

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
}
