import type { RegionReplicaRpc, WatchHubRpc } from "../../contracts/delivery/replica-rpc.ts";
import { kvBindingName } from "../../contracts/delivery/replica-rpc.ts";

/** Bindings of the watch Worker, besides one KV namespace a region (`kvBindingName`). */
export interface WatchEnv {
  REPLICA: DurableObjectNamespace<RegionReplicaRpc & Rpc.DurableObjectBranded>;
  HUB: DurableObjectNamespace<WatchHubRpc & Rpc.DurableObjectBranded>;
  /** JSON list of the core's base URLs. */
  CORE_URLS: string;
  CORE_SERVICE_KEY: string;
  /** Presents the client certificate that the core's load balancer asks for; absent where there is none before it. */
  CORE_TLS?: Pick<Fetcher, "fetch">;
  /** Signs the `index` that clients are given; the same key as the edge's. */
  INDEX_SIGNING_KEY: string;
  /** Comma-separated. */
  REGIONS: string;
  /** Replicas a region, by groups of edge locations; the same as the edge's. 1 when left out. */
  REPLICA_GROUPS?: string;
  /** Hub shards a region; the same as the edge's. 4 when left out. */
  HUB_SHARDS?: string;
}

/** The KV namespace of `region`. Throws when the Worker was deployed without its binding. */
export function regionKv(env: WatchEnv, region: string): KVNamespace {
  const name = kvBindingName(region);
  const kv = (env as unknown as Record<string, KVNamespace | undefined>)[name];
  if (kv === undefined) throw new Error(`KV binding ${name} of region ${region} is missing`);
  return kv;
}

/** The regions this deployment serves, in order. */
export function regionsOf(env: WatchEnv): string[] {
  return env.REGIONS.split(",")
    .map((region) => region.trim())
    .filter((region) => region !== "");
}

const NAME_KEY = "object_name";

/**
 * An object's name, the region in it and its number of several (shard or group) (`replicaName`, `hubName`). Remembered in the object's
 * storage, because the platform does not always tell an object its name when an alarm wakes it.
 */
export function objectIdentity(ctx: DurableObjectState): { name: string; region: string; part: number } {
  const known = ctx.storage.kv.get<string>(NAME_KEY);
  const name = ctx.id.name ?? known;
  const region = name?.split(":")[1];
  if (name === undefined || region === undefined) throw new Error("the object was not addressed by its name");
  if (known !== name) ctx.storage.kv.put(NAME_KEY, name);
  return { name, region, part: Number(name.split(":")[2] ?? 0) };
}
