/** What one load generator asks of a Worker. */
export interface EdgeLoadPlan {
  port: number;
  /** Asked for round and round. */
  paths: readonly string[];
  headers: Readonly<Record<string, string>>;
  /** Clients that take turns, each with an address of its own, as the platform tells it. */
  clients: number;
  /** Every answer must have it. */
  status: number;
  connections: number;
  /** Null: as fast as answers come. */
  ratePerS: number | null;
  warmupMs: number;
  /** 0: until each path was asked for once. */
  measureMs: number;
}
