import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, describe, expect, it } from "vitest";
import {
  checkMigrations,
  deploymentSteps,
  measureWorker,
  refuseIncomplete,
  REQUIRED_VARIABLES,
  WORKER_GZIP_KIB_MAX,
} from "./deployment-steps.ts";
import { smokeTest } from "./smoke-test.ts";
import {
  bindingNames,
  exampleValues,
  namesRead,
  readWranglerEnvironment,
  WORKER_NAMES,
  OPTIONAL_SECRETS,
  WORKER_SECRETS,
} from "./wrangler-files.ts";

const ENVIRONMENTS = ["production", "staging"];
const everyWorker = WORKER_NAMES.flatMap((worker) => ENVIRONMENTS.map((env) => [worker, env] as const));

describe("L8 the deployment", () => {
  it("goes from what others need to those who need it, and tries the whole at the end", () => {
    const names = deploymentSteps({ environment: "production", variables: {} }).map(({ name }) => name);
    expect(names).toEqual([
      "migrations",
      "secrets",
      "infrastructure",
      "conflux-watch",
      "conflux-edge",
      "conflux-admin",
      "smoke test",
    ]);
  });

  it("is refused in one sentence while variables are missing, and while examples are left", async () => {
    const none = refuseIncomplete({ environment: "production", variables: {} });
    await expect(none).rejects.toThrow(/^A deployment needs these variables.*CLOUDFLARE_API_TOKEN.*\.$/);
    const variables = Object.fromEntries(Object.keys(REQUIRED_VARIABLES).map((name) => [name, "x"]));
    const examples = refuseIncomplete({ environment: "production", variables });
    await expect(examples).rejects.toThrow(/cdk\.json coreDomain.*workers\/admin\/wrangler\.toml HYPERDRIVE/);
  });

  it("ends with 1 and that sentence, and touches nothing", async () => {
    const run = promisify(execFile)(process.execPath, [join(import.meta.dirname, "main.ts")], {
      env: { PATH: process.env["PATH"] },
    });
    await expect(run).rejects.toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^A deployment needs/) as unknown,
    });
  });
});

describe("L7 Workers are given what they read", () => {
  it.each(everyWorker)(
    "conflux-%s in %s: bindings and secrets are exactly what the code reads",
    (worker, env) => {
      const file = readWranglerEnvironment(worker, env);
      const regions = (file.vars["REGIONS"] ?? "").split(",");
      const secrets = [...WORKER_SECRETS[worker], ...OPTIONAL_SECRETS[worker]];
      expect([...bindingNames(file), ...secrets].toSorted()).toEqual(namesRead(worker, regions));
    },
  );

  it.each(WORKER_NAMES)(
    "conflux-%s is bound alike in every environment, and to nothing of production",
    (worker) => {
      const production = readWranglerEnvironment(worker, "production");
      const staging = readWranglerEnvironment(worker, "staging");
      expect(bindingNames(staging)).toEqual(bindingNames(production));
      expect(staging.name).toBe(`${production.name}-staging`);
      const targets = (text: typeof production): string[] =>
        [
          ...JSON.stringify(text).matchAll(
            /"(?:id|certificate_id|script_name|service|queue|dead_letter_queue)":"([^"]+)"/g,
          ),
        ].map((m) => m[1]!);
      expect(targets(staging).filter((id) => targets(production).includes(id))).toEqual([]);
    },
  );

  it.each(ENVIRONMENTS)("edge and watch share one KV namespace a region in %s", (env) => {
    const [edge, watch] = [readWranglerEnvironment("edge", env), readWranglerEnvironment("watch", env)];
    expect(edge.kv_namespaces).toEqual(watch.kv_namespaces);
    expect(new Set(edge.kv_namespaces.map((kv) => kv["id"])).size).toBe(5);
    for (const { script_name } of edge.durable_objects.bindings) expect(script_name).toBe(watch.name);
  });

  it.each(ENVIRONMENTS)("E16 what the edge queues is what the admin Worker empties in %s", (env) => {
    const [edge, admin] = [readWranglerEnvironment("edge", env), readWranglerEnvironment("admin", env)];
    const [consumer] = admin.queues.consumers;
    expect(edge.queues.producers).toEqual([{ binding: "DELIVERY", queue: consumer?.queue }]);
    expect(admin.queues.consumers).toHaveLength(1);
    expect(consumer?.dead_letter_queue).toMatch(/^conflux-delivery-dead/);
  });

  it("a value of the example is found", () => {
    expect(exampleValues("admin", "production").map((value) => value.split(" = ")[0])).toEqual([
      "HYPERDRIVE",
      "CORE_TLS",
      "CORE_URLS",
      "PASSWORD_HASH_URL",
    ]);
  });

  it.each(WORKER_NAMES)("the bundle of conflux-%s keeps its bound", async (worker) => {
    const { gzipKib } = await measureWorker(worker, "production");
    expect(gzipKib).toBeGreaterThan(0);
    expect(gzipKib).toBeLessThanOrEqual(WORKER_GZIP_KIB_MAX[worker]);
  });
});

describe("L9 migrations are checked before a database is asked", () => {
  let directory: string;
  afterEach(() => rmSync(directory, { recursive: true }));
  const check = (files: Record<string, string>) => {
    directory = mkdtempSync(join(tmpdir(), "conflux-migrations-"));
    for (const [name, sql] of Object.entries(files)) writeFileSync(join(directory, name), sql);
    return checkMigrations(directory);
  };

  it("answers their names", async () => {
    await expect(check({ "0001_a.sql": "select 1;", "0002_b.sql": "select 2;" })).resolves.toHaveLength(2);
  });

  it.each([
    ["a gap", { "0001_a.sql": "", "0003_b.sql": "" }, /0003_b\.sql should have the number 2/],
    ["a number twice", { "0001_a.sql": "", "0001_b.sql": "" }, /same number/],
    ["an own transaction", { "0001_a.sql": "select 1;\nCOMMIT;\n" }, /ends its own transaction/],
    ["an open body", { "0001_a.sql": "do $$ begin" }, /open \$\$/],
  ])("%s is refused", async (_name, files, message) => {
    await expect(check(files as Record<string, string>)).rejects.toThrow(message);
  });
});

describe("L8 the smoke test", () => {
  let server: Server | null = null;
  afterEach(() => {
    server?.close();
    server = null;
  });
  const serve = async (status: (path: string) => number): Promise<string> => {
    const made = createServer((request, response) => response.writeHead(status(request.url ?? "")).end());
    server = made;
    await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(made.address() as AddressInfo).port}`;
  };

  it("passes a whole system", async () => {
    const url = await serve((path) => (path.startsWith("/api") ? 401 : 200));
    await expect(smokeTest({ edgeUrl: url, adminUrl: url })).resolves.toHaveLength(3);
  });

  it("names what answers wrongly, or not at all", async () => {
    const url = await serve((path) => (path === "/readyz" ? 503 : 200));
    await expect(smokeTest({ edgeUrl: url, adminUrl: url })).rejects.toThrow(`${url}/readyz answered 503`);
    await new Promise((resolve) => server?.close(resolve));
    await expect(smokeTest({ edgeUrl: url, adminUrl: url })).rejects.toThrow("does not answer");
  });
});
