/**
 * What the edge and the watch hubs ask of a region's replica, and what a replica tells a hub.
 * The Durable Object classes live in workers/watch; these interfaces are all that other Workers know of them.
 */

/** Where a replica stands. `age_ms`: since it last heard from the core (0 while its long poll is open and healthy). */
export interface ReplicaPosition {
  cluster_id: string;
  epoch: number;
  index: number;
  age_ms: number;
}

/** A name of the region's head: which document it has now, or a tombstone. */
export interface HeadEntry {
  /** `tenant/app/env/name` */
  name: string;
  /** Hash of the compiled document, under `d/{tenant}/{doc}` in KV; null: deleted or never there. */
  doc: string | null;
  /** Index of the change that made this entry; 0 for a name never seen. */
  index: number;
  /** Highest version the document can serve; what a watch event announces. */
  version: number;
}

export interface Revocation {
  jti: string;
  expires_at_ms: number;
}

export interface HeadChanges extends ReplicaPosition {
  /** The newest entry of every name that changed after `since`, ascending by index. */
  entries: HeadEntry[];
  revocations: Revocation[];
  /** Tokens issued before are refused, whoever they are for; 0 when none are. */
  tokens_not_before_ms: number;
  /** The delta is too large, reaches past the tombstones or is of another epoch: forget everything and start at `index`. */
  dropped: boolean;
}

export interface HeadLookup extends ReplicaPosition {
  /** In the order asked for; a name never seen is answered with `doc: null, index: 0`. */
  entries: HeadEntry[];
  /** False when `min_index` was not reached within `wait_ms`. */
  reached: boolean;
}

export interface NamespacePage extends ReplicaPosition {
  entries: HeadEntry[];
  next_cursor: string | null;
}

export interface RegionReplicaRpc {
  /** `since: 0` answers no entries, all live revocations, and the present position. */
  changesSince(input: { cluster_id: string; epoch: number; since: number }): Promise<HeadChanges>;
  lookup(input: { names: string[]; min_index?: number; wait_ms?: number }): Promise<HeadLookup>;
  listNamespace(input: { namespace: string; cursor: string | null; limit: number }): Promise<NamespacePage>;
  /** The bytes of a document or large variant that KV does not (yet) show; null when the replica has none. */
  content(input: { tenant: string; key: string }): Promise<ArrayBuffer | null>;
  /** Starts the follow loop when it is not running; also what cron calls. Idempotent. */
  ensureFollowing(): Promise<ReplicaPosition>;
  /** A hub shard asks to be told of changes; repeated by the hub while it has sockets. */
  registerHub(input: { hub: string }): Promise<ReplicaPosition>;
}

/** One change as a hub fans it out. */
export interface HubChange {
  config: string;
  version: number;
  index: number;
  deleted: boolean;
}

export interface WatchHubRpc {
  publish(input: {
    cluster_id: string;
    epoch: number;
    changes: HubChange[];
    revocations: Revocation[];
    /** As in HeadChanges. */
    tokens_not_before_ms: number;
    index: number;
    /** The replica started over: clients must refetch. */
    resync: boolean;
  }): Promise<void>;
}

/** Object names: replicas by region and group of edge locations, hubs by region and shard. */
export const replicaName = (region: string, group: number): string =>
  group === 0 ? `replica:${region}` : `replica:${region}:${group}`;
/** Replicas of one region at most; each follows the core's feed by itself. */
export const REPLICA_GROUPS_MAX = 32;
/** Hub shards of one region at most; every change of the region is told to each that has watchers. */
export const HUB_SHARDS_MAX = 128;
const HUB_SHARDS_DEFAULT = 4;

/**
 * `REPLICA_GROUPS` of a Worker's bindings: replicas a region, so that its isolates do not all ask one object; 1 when left
 * out. Throws a `RangeError` for what is no whole number from 1 to REPLICA_GROUPS_MAX.
 */
export function readReplicaGroups(value: string | undefined): number {
  return readCount("REPLICA_GROUPS", value ?? "1", REPLICA_GROUPS_MAX);
}

/**
 * `HUB_SHARDS` of a Worker's bindings: hubs over which a region's watchers are spread; 4 when left out. Another number
 * moves new connections alone: a hub is found by its name, so one past a lowered number serves its watchers until they go.
 * Throws a `RangeError` for what is no whole number from 1 to HUB_SHARDS_MAX.
 */
export function readHubShards(value: string | undefined): number {
  return readCount("HUB_SHARDS", value ?? String(HUB_SHARDS_DEFAULT), HUB_SHARDS_MAX);
}

function readCount(name: string, value: string, max: number): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1 && count <= max) return count;
  throw new RangeError(`${name} is no whole number from 1 to ${max}: ${value}`);
}

export const hubName = (region: string, shard: number): string => `hub:${region}:${shard}`;
/** The KV binding of a region: `us-east-1` -> `KV_US_EAST_1`. */
export const kvBindingName = (region: string): string => `KV_${region.toUpperCase().replaceAll("-", "_")}`;

/** What the edge has verified of a watcher, sent to its hub in this header as JSON (WatchPrincipal). */
export const WATCH_PRINCIPAL_HEADER = "x-conflux-watch-principal";
export interface WatchPrincipal {
  jti: string;
  scopes: string[];
  issued_at_ms: number;
  expires_at_ms: number;
  region: string;
}
