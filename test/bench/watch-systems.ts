import { createHash, randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { CoreClient } from "../../adapters/core-client/core-client.ts";
import { generateSigningJwk, importSigningKey, signClientToken } from "../../adapters/tokens/sign-token.ts";
import { kvBindingName } from "../../contracts/delivery/replica-rpc.ts";
import { bundleWorker } from "../../dev/bundle-worker.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import { CORE_SERVICE_KEY, makeCoreProcesses } from "../testing/core-processes.ts";
import { startEtcdCluster } from "./etcd-cluster.ts";
import type { WatchLoadPlan } from "./watch-load-plan.ts";
import { startWorkerd, type Workerd } from "./workerd.ts";

const ROOT = join(import.meta.dirname, "../..");
const REGION = "us-east-1";
/** A process of workerd needs two file descriptors a socket, and 20,000 is a usual limit. */
const SOCKETS_PER_PROCESS_MAX = 9_000;
const CONFIG = "watched.json";
const COMPATIBILITY_DATE = "2026-10-01";
const TOKEN_TTL_S = 24 * 60 * 60;
const CORE_NODES = [1, 2, 3];
const HEAD = 'using Workerd = import "/workerd/workerd.capnp";\nconst config :Workerd.Config = ';
/** As long as ours, so that both send the same number of bytes. */
const MESSAGE = JSON.stringify({
  type: "change",
  config: `demo/shop/prod/${CONFIG}`,
  version: 2,
  index: `c1.1.1000.${"x".repeat(22)}`,
  deleted: false,
  jitter_ms: 5000,
});

/** A system whose watchers are counted, and the process that holds their connections. */
export interface WatchSystem {
  name: string;
  plan: Pick<WatchLoadPlan, "ports" | "path" | "headers" | "publish">;
  /** Of what holds the connections. */
  pids: readonly number[];
  stop(): Promise<void>;
}

const processesFor = (watchers: number): number => Math.ceil(watchers / SOCKETS_PER_PROCESS_MAX);

/** So many of `start`, each with a number; those that run are stopped when one does not start. */
async function startSeveral(count: number, start: (i: number) => Promise<Workerd>): Promise<Workerd[]> {
  const started: Workerd[] = [];
  try {
    for (let i = 0; i < count; i += 1) started.push(await start(i));
    return started;
  } catch (error) {
    await stopAll(started);
    throw error;
  }
}

async function stopAll(workerds: readonly Workerd[]): Promise<void> {
  await Promise.all(workerds.map((workerd) => workerd.stop()));
}

/**
 * Three core nodes (processes, disks, mutual TLS), and edge and watch as they are deployed in a workerd; a second region,
 * in a workerd of its own, where one process cannot hold the sockets.
 */
export async function startConflux(directory: string, watchers: number): Promise<WatchSystem> {
  const cores = await makeCoreProcesses();
  try {
    await cores.found(CORE_NODES);
    const configId = await createConfig(cores.client(CORE_NODES));
    const key = await importSigningKey(await generateSigningJwk());
    const { token } = await signClientToken(key, {
      id: "bench",
      tenant: "demo",
      scopes: ["read:demo/shop/prod/*"],
      nowMs: Date.now(),
      ttlS: TOKEN_TTL_S,
    });
    const urls = CORE_NODES.map((id) => cores.url(id));
    const jwks = JSON.stringify(key.jwks);
    const regions = await startSeveral(processesFor(watchers), (i) =>
      startRegion(join(directory, `region-${i}`), { urls, jwks }),
    );
    return {
      name: "conflux",
      pids: regions.map(({ pid }) => pid),
      plan: {
        ports: regions.map(({ ports }) => ports.get("edge") ?? 0),
        path: `/api/v1/watch?config=demo/shop/prod/${CONFIG}`,
        headers: { authorization: `Bearer ${token}` },
        publish: { via: "core", urls, serviceKey: CORE_SERVICE_KEY, configId },
      },
      stop: async () => {
        await stopAll(regions);
        await cores.close();
      },
    };
  } catch (error) {
    await cores.close();
    throw error;
  }
}

/** A config with two versions, the first released. */
async function createConfig(core: CoreClient): Promise<string> {
  const [one, two] = ['{"side":1}', '{"side":2}'].map((text) => Buffer.from(text)) as [Buffer, Buffer];
  const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  const releases = [{ labels: {}, version_id: 1, priority: 0 }];
  const made = await core.propose<"create_config">({
    command: testCommand("create_config", testConfigPayload(CONFIG, sha256(one), { releases })),
    attachments: [one],
  });
  const { id } = made.result.config;
  await core.propose<"create_version">({
    command: testCommand("create_version", {
      config_id: id,
      content: { attachment: 0, sha256: sha256(two) },
      format: null,
      schema: null,
      description: "two",
    }),
    attachments: [two],
  });
  return id;
}

async function startRegion(
  directory: string,
  { urls, jwks }: { urls: readonly string[]; jwks: string },
): Promise<Workerd> {
  const disk = join(directory, "objects");
  mkdirSync(disk, { recursive: true });
  const indexKey = randomBytes(16).toString("hex");
  const kv = `(name = "${kvBindingName(REGION)}", kvNamespace = (name = "stand-in", entrypoint = "kv"))`;
  return startWorkerd({
    directory,
    files: {
      "edge.mjs": (await bundleWorker(join(ROOT, "workers/edge/main.ts"))).text,
      "watch.mjs": (await bundleWorker(join(ROOT, "workers/watch/main.ts"))).text,
      "stand-in.mjs": (await bundleWorker(join(ROOT, "test/workers/watch-stand-in.ts"))).text,
    },
    sockets: ["edge"],
    config: `${HEAD}(
  services = [
    (name = "edge", worker = .edge),
    (name = "watch", worker = .watch),
    (name = "stand-in", worker = .standIn),
    (name = "objects", disk = (path = "${disk}", writable = true)),
    (name = "internet", network = (allow = ["private"])),
  ],
  sockets = [(name = "edge", address = "127.0.0.1:0", http = (), service = "edge")],
);
const edge :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "edge.mjs")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  
  bindings = [
    (name = "REPLICA", durableObjectNamespace = (className = "RegionReplica", serviceName = "watch")),
    (name = "HUB", durableObjectNamespace = (className = "WatchHub", serviceName = "watch")),
    ${kv},
    (name = "ADMIN", service = "stand-in"),
    (name = "CORE_URLS", text = ${JSON.stringify(JSON.stringify(urls))}),
    (name = "CORE_SERVICE_KEY", text = "${CORE_SERVICE_KEY}"),
    (name = "INDEX_SIGNING_KEY", text = "${indexKey}"),
    (name = "REGIONS", text = "${REGION}"),
  ],
);
const watch :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "watch.mjs")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  
  bindings = [
    (name = "REPLICA", durableObjectNamespace = "RegionReplica"),
    (name = "HUB", durableObjectNamespace = "WatchHub"),
    ${kv},
    (name = "CORE_URLS", text = ${JSON.stringify(JSON.stringify(urls))}),
    (name = "CORE_SERVICE_KEY", text = "${CORE_SERVICE_KEY}"),
    (name = "INDEX_SIGNING_KEY", text = "${indexKey}"),
    (name = "REGIONS", text = "${REGION}"),
  ],
  durableObjectNamespaces = [
    (className = "RegionReplica", uniqueKey = "replica", enableSql = true),
    (className = "WatchHub", uniqueKey = "hub", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
);
const standIn :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "stand-in.mjs")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [(name = "JWKS", text = ${JSON.stringify(jwks)})],
);
`,
  });
}

/** One hibernating object (a process) that sends what it is told to all its sockets. */
export async function startBareObject(directory: string, watchers: number): Promise<WatchSystem> {
  const bundle = (await bundleWorker(join(ROOT, "test/workers/bare-broadcast.ts"))).text;
  const objects = await startSeveral(processesFor(watchers), (i) =>
    startWorkerd({
      directory: join(directory, `bare-${i}`),
      files: { "bare.mjs": bundle },
      sockets: ["bare"],
      config: BARE_CONFIG,
    }),
  );
  const ports = objects.map((object) => object.ports.get("bare") ?? 0);
  return {
    name: "bare-do",
    pids: objects.map(({ pid }) => pid),
    plan: { ports, path: "/", headers: {}, publish: { via: "http", ports, body: MESSAGE } },
    stop: () => stopAll(objects),
  };
}

const BARE_CONFIG = `${HEAD}(
  services = [(name = "bare", worker = .bare)],
  sockets = [(name = "bare", address = "127.0.0.1:0", http = (), service = "bare")],
);
const bare :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "bare.mjs")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [(name = "ROOM", durableObjectNamespace = "Broadcast")],
  durableObjectNamespaces = [(className = "Broadcast", uniqueKey = "room", enableSql = true)],
  durableObjectStorage = (inMemory = void),
);
`;

/** Three nodes; watchers and writes at the leader. Null where etcd is not installed. */
export async function startEtcd(directory: string): Promise<WatchSystem | null> {
  mkdirSync(directory, { recursive: true });
  const cluster = await startEtcdCluster(directory);
  if (cluster === null) return null;
  const leader = await cluster.leader();
  const port = Number(new URL(leader.url).port);
  return {
    name: "etcd",
    pids: [leader.process.pid],
    plan: { ports: [port], path: "", headers: {}, publish: { via: "etcd", port } },
    stop: () => cluster.stop(),
  };
}
