import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { generateSigningJwk, importSigningKey, signClientToken } from "../../adapters/tokens/sign-token.ts";
import { kvBindingName } from "../../contracts/delivery/replica-rpc.ts";
import { bundleWorker } from "../../dev/bundle-worker.ts";
import { BENCH_LABELS, benchContent } from "../workers/bench-config.ts";
import { startWorkerd, type Workerd } from "./workerd.ts";

const ROOT = join(import.meta.dirname, "../..");
/** As deployed; every request arrives in the first. */
const REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-2", "cn-chengdu", "cn-shanghai"] as const;
const [REGION] = REGIONS;
const COMPATIBILITY_DATE = "2026-10-01";
const TOKEN_TTL_S = 24 * 60 * 60;
const HEAD = 'using Workerd = import "/workerd/workerd.capnp";\nconst config :Workerd.Config = ';

/** Questions that the edge Worker asked since it started. */
export interface Calls {
  changes: number;
  lookups: number;
  contents: number;
  kv_gets: number;
  key_sets: number;
}

export const PEER = "hono-hello";

/** A system under load. */
export interface EdgeTarget {
  system: "conflux" | typeof PEER;
  workerd: Workerd;
  port: number;
}

/** The edge Worker in a workerd, and what stands in for the rest of the region beside it. */
export interface EdgeSystem extends EdgeTarget {
  calls(): Promise<Calls>;
}

/** What every request bears, to us and to the peer. */
export interface BenchCredentials {
  jwks: string;
  headers: Readonly<Record<string, string>>;
}

/** A client's token (as the admin Worker signs it) and three labels, among the headers that clients send anyway. */
export async function benchCredentials(): Promise<BenchCredentials> {
  const key = await importSigningKey(await generateSigningJwk());
  const { token } = await signClientToken(key, {
    id: "bench",
    tenant: "demo",
    scopes: ["read:demo/bench/prod/*"],
    nowMs: Date.now(),
    ttlS: TOKEN_TTL_S,
  });
  const labels = Object.entries(BENCH_LABELS).map(([name, value]) => [`x-client-label-${name}`, value]);
  const headers = {
    "user-agent": "conflux-bench",
    accept: "*/*",
    authorization: `Bearer ${token}`,
    ...Object.fromEntries(labels),
  } as Record<string, string>;
  return { jwks: JSON.stringify(key.jwks), headers };
}

/** The edge Worker as it is deployed (the same entry, bundled), its replica, KV and key set a stand-in. */
export async function startEdgeSystem(directory: string, { jwks }: BenchCredentials): Promise<EdgeSystem> {
  const workerd = await startWorkerd({
    directory,
    files: {
      "edge.mjs": (await bundleWorker(join(ROOT, "workers/edge/main.ts"))).text,
      // The queue that is told which configs are fetched, behind an answer now and then.
      "delivery.mjs": "export default () => ({ send: async () => {} });",
      // The platform's counter of requests, which never refuses; clients here send too little to be asked about.
      "client-rate.mjs": "export default () => ({ limit: async () => ({ success: true }) });",
      "stand-in.mjs": (await bundleWorker(join(ROOT, "test/workers/edge-stand-in.ts"))).text,
    },
    sockets: ["edge", "stand-in"],
    config: `${HEAD}(
  services = [(name = "edge", worker = .edge), (name = "stand-in", worker = .standIn)],
  sockets = [
    (name = "edge", address = "127.0.0.1:0", http = (), service = "edge"),
    (name = "stand-in", address = "127.0.0.1:0", http = (), service = "stand-in"),
  ],
  extensions = [(modules = [
    (name = "client-rate", internal = true, esModule = embed "client-rate.mjs"),
    (name = "delivery", internal = true, esModule = embed "delivery.mjs"),
  ])],
);
const edge :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "edge.mjs")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  compatibilityFlags = ["nodejs_compat"],
  bindings = [
    (name = "REPLICA", durableObjectNamespace = (className = "Replica", serviceName = "stand-in")),
    (name = "HUB", durableObjectNamespace = (className = "Replica", serviceName = "stand-in")),
    (name = "${kvBindingName(REGION)}", kvNamespace = (name = "stand-in", entrypoint = "kv")),
    (name = "ADMIN", service = "stand-in"),
    (name = "CORE_URLS", text = ${JSON.stringify(JSON.stringify(["http://127.0.0.1:9"]))}),
    (name = "CORE_SERVICE_KEY", text = "of a core that is never asked here"),
    (name = "DELIVERY", wrapped = (moduleName = "delivery")),
    (name = "CLIENT_RATE", wrapped = (moduleName = "client-rate")),
    (name = "INDEX_SIGNING_KEY", text = "${randomBytes(16).toString("hex")}"),
    (name = "HEAD_TTL_MS", text = "1000"),
    (name = "MAX_STALE_S", text = "3600"),
    (name = "ALLOWED_ORIGINS", text = ""),
    (name = "REGIONS", text = "${REGIONS.join(",")}"),
    (name = "REPLICA_GROUPS", text = "1"),
  ],
);
const standIn :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "stand-in.mjs")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [(name = "JWKS", text = ${JSON.stringify(jwks)}), (name = "REGION", text = "${REGION}")],
  durableObjectNamespaces = [(className = "Replica", uniqueKey = "replica")],
  durableObjectStorage = (inMemory = void),
);
`,
  });
  const callsUrl = `http://127.0.0.1:${workerd.ports.get("stand-in")}/calls`;
  return {
    system: "conflux",
    workerd,
    port: workerd.ports.get("edge") ?? 0,
    calls: async () => (await fetch(callsUrl)).json() as Promise<Calls>,
  };
}

/** One route of Hono that answers a constant of so many bytes, in a workerd of its own. */
export async function startPeer(
  directory: string,
  { path, bytes }: { path: string; bytes: number },
): Promise<EdgeTarget> {
  const workerd = await startWorkerd({
    directory,
    files: {
      "hello.mjs": (await bundleWorker(join(ROOT, "test/workers/hono-hello.ts"))).text,
      "body.json": benchContent(bytes, 0, 1),
    },
    sockets: ["hello"],
    config: `${HEAD}(
  services = [(name = "hello", worker = .hello)],
  sockets = [(name = "hello", address = "127.0.0.1:0", http = (), service = "hello")],
);
const hello :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "hello.mjs")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  bindings = [(name = "ROUTE", text = "${path}"), (name = "BODY", text = embed "body.json")],
);
`,
  });
  return { system: PEER, workerd, port: workerd.ports.get("hello") ?? 0 };
}
