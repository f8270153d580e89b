import type { HttpTarget } from "./raft-http-client.ts";

/** How requests are made and sent: to a Conflux node, or to etcd by one of its two interfaces. */
export type LoadInterface = "conflux" | "core" | "etcd-json" | "etcd-grpc";
export type Operation = "put" | "read linearizable" | "read stale" | "create config" | "create version";

/** What one load generator does: closed loop, each client sends its next request when the last one is answered. */
export interface LoadPlan {
  via: LoadInterface;
  operation: Operation;
  valueBytes: number;
  clients: number;
  /** Clients are spread over them. */
  targets: readonly HttpTarget[];
  /** A service token; empty for etcd. */
  token: string;
  /** For `create version`: the ids of the configs. */
  configIds: readonly string[];
  warmupMs: number;
  /** 0: until each request was answered once. */
  measureMs: number;
}
