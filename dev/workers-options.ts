import { join } from "node:path";
import { kvBindingName } from "../contracts/delivery/replica-rpc.ts";

/** What the workers host is told by its first message. */
export interface WorkersConfig {
  regions: string[];
  edgePort: number;
  adminPort: number;
  /** KV, Durable Objects and the rest persist here. */
  persistDir: string;
  databaseUrl: string;
  /** As in Settings. */
  clientRate: number | null;
  /** Plain values, by binding name, of each Worker. */
  bindings: Record<"edge" | "watch" | "admin", Record<string, string>>;
}

export interface WorkerSources {
  edge: string;
  watch: string;
  admin: string;
}

export const WORKER_ENTRIES: WorkerSources = {
  edge: join(import.meta.dirname, "edge-entry.ts"),
  watch: join(import.meta.dirname, "../workers/watch/main.ts"),
  admin: join(import.meta.dirname, "admin-entry.ts"),
};

/** The same date and flags as in the Workers' wrangler configuration. */
const RUNTIME = { compatibilityDate: "2026-10-01", compatibilityFlags: ["nodejs_compat"], modules: true };
const LOOPBACK = "127.0.0.1";
const DELIVERY_QUEUE = "conflux-delivery";
/** As in workers/admin/wrangler.toml, but without waiting for a batch to fill. */
const DELIVERY_CONSUMER = {
  maxBatchSize: 100,
  maxBatchTimeout: 0.2,
  maxRetries: 100,
  deadLetterQueue: "conflux-delivery-dead",
};

/**
 * Options of one Miniflare with the three Workers. The edge and the admin Worker each listen on a socket of their own,
 * so that no dispatcher stands between a client and the code that will be deployed.
 */
export function workersOptions(config: WorkersConfig, sources: WorkerSources) {
  const kvNamespaces = Object.fromEntries(
    config.regions.map((region) => [kvBindingName(region), `kv-${region}`]),
  );
  const durableObjects = {
    REPLICA: { className: "RegionReplica", scriptName: "watch", useSQLite: true },
    HUB: { className: "WatchHub", scriptName: "watch", useSQLite: true },
  };
  return {
    // Without this Miniflare asks the internet where it is.
    cf: false,
    host: LOOPBACK,
    port: 0,
    resourcePersistencePath: config.persistDir,
    telemetry: { enabled: false },
    logRequests: false,
    workers: [
      {
        ...RUNTIME,
        name: "edge",
        script: sources.edge,
        bindings: config.bindings.edge,
        kvNamespaces,
        durableObjects,
        serviceBindings: { ADMIN: "admin" },
        queueProducers: { DELIVERY: { queueName: DELIVERY_QUEUE } },
        ...(config.clientRate === null
          ? {}
          : {
              ratelimits: {
                CLIENT_RATE: { namespace_id: "1", simple: { limit: config.clientRate, period: 10 as const } },
              },
            }),
        unsafeDirectSockets: [{ host: LOOPBACK, port: config.edgePort }],
      },
      {
        ...RUNTIME,
        name: "watch",
        script: sources.watch,
        bindings: config.bindings.watch,
        kvNamespaces,
        durableObjects,
      },
      {
        ...RUNTIME,
        name: "admin",
        script: sources.admin,
        bindings: config.bindings.admin,
        durableObjects: { REQUEST_WINDOW: { className: "RequestWindow", useSQLite: true } },
        hyperdrives: { HYPERDRIVE: config.databaseUrl },
        queueConsumers: { [DELIVERY_QUEUE]: DELIVERY_CONSUMER },
        unsafeDirectSockets: [{ host: LOOPBACK, port: config.adminPort }],
      },
    ],
  };
}
