import type { DeliveryMessage } from "../../contracts/delivery/delivery-message.ts";
import {
  readHubShards,
  readReplicaGroups,
  replicaName,
  type RegionReplicaRpc,
} from "../../contracts/delivery/replica-rpc.ts";

/** Bindings of the edge Worker (wrangler.toml). */
export interface EdgeEnv {
  /** RegionReplica objects of the watch Worker. */
  REPLICA: DurableObjectNamespace;
  /** WatchHub objects of the watch Worker. */
  HUB: DurableObjectNamespace;
  /** The admin Worker: its JWKS. */
  ADMIN: Pick<Fetcher, "fetch">;
  /** The queue of delivery reports, which the admin Worker empties. */
  DELIVERY: Pick<Queue<DeliveryMessage>, "send">;
  /** JSON list of the core's base URLs: the last place to ask when the region is away. */
  CORE_URLS: string;
  CORE_SERVICE_KEY: string;
  /** Presents the client certificate that the core's load balancer asks for; absent where there is none before it. */
  CORE_TLS?: Pick<Fetcher, "fetch">;
  /** Counts requests of a client at this location, in windows of RATE_WINDOW_MS; nobody is limited without it. */
  CLIENT_RATE?: RateLimit;
  /** Shared with the admin Worker; signs positions in the log. */
  INDEX_SIGNING_KEY: string;
  /** How long a head counts as fresh after it was checked. */
  HEAD_TTL_MS?: string | number;
  /** How long a head is served after the replica was last heard. */
  MAX_STALE_S?: string | number;
  /** Comma list; the first is the default region. */
  REGIONS: string;
  /** Replicas a region, by groups of edge locations; the same as the watch Worker's. 1 when left out. */
  REPLICA_GROUPS?: string;
  /** Hub shards a region; the same as the watch Worker's. 4 when left out. */
  HUB_SHARDS?: string;
  /** Comma list of origins (`https://app.example.com`) whose pages may watch, besides the edge's own; none when left out. */
  ALLOWED_ORIGINS?: string;
  /** One namespace a region (`kvBindingName`). */
  [kv: `KV_${string}`]: KVNamespace | undefined;
}

export interface Settings {
  headTtlMs: number;
  maxStaleMs: number;
  regions: readonly string[];
  allowedOrigins: ReadonlySet<string>;
  replicaGroups: number;
  hubShards: number;
}

const HEAD_TTL_DEFAULT_MS = 1000;
const MAX_STALE_DEFAULT_S = 3600;

/** Reads the settings among the bindings; a `RangeError` names the one that makes no sense. */
export function readSettings(env: EdgeEnv): Settings {
  const regions = commaList(env.REGIONS);
  if (regions.length === 0) throw new RangeError("REGIONS names no region");
  return {
    headTtlMs: positive("HEAD_TTL_MS", env.HEAD_TTL_MS, HEAD_TTL_DEFAULT_MS),
    maxStaleMs: positive("MAX_STALE_S", env.MAX_STALE_S, MAX_STALE_DEFAULT_S) * 1000,
    regions,
    allowedOrigins: new Set(commaList(env.ALLOWED_ORIGINS ?? "").map(requireOrigin)),
    replicaGroups: readReplicaGroups(env.REPLICA_GROUPS),
    hubShards: readHubShards(env.HUB_SHARDS),
  };
}

/** The replica of a region for a group of locations. Stubs are I/O objects of one request, so one is made for each call. */
export function replicaOf(env: EdgeEnv, region: string, group: number): RegionReplicaRpc {
  // The namespace is typed without its class, which lives in another Worker; the contract is RegionReplicaRpc.
  return env.REPLICA.getByName(replicaName(region, group)) as unknown as RegionReplicaRpc;
}

function commaList(list: string): string[] {
  return list
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
}

/** Refuses what a browser would never send as its origin: a path, a default port, capital letters, "*". */
function requireOrigin(origin: string): string {
  if (URL.parse(origin)?.origin === origin) return origin;
  throw new RangeError(`ALLOWED_ORIGINS names what is no origin: ${origin}`);
}

function positive(name: string, value: string | number | undefined, fallback: number): number {
  const n = value === undefined ? fallback : Number(value);
  if (!Number.isFinite(n) || n < 0) throw new RangeError(`${name} is not a number of at least 0: ${value}`);
  return n;
}
