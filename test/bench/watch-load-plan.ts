/** How a load generator of `npm run bench -- watch` publishes one change. */
export type Publish =
  | { via: "core"; urls: readonly string[]; serviceKey: string; configId: string }
  | { via: "http"; ports: readonly number[]; body: string }
  | { via: "etcd"; port: number };

/** What one load generator does: hold so many watchers, publish one change after another, reconnect. */
export interface WatchLoadPlan {
  /** Watchers are spread over them. */
  ports: readonly number[];
  /** Of the upgrade request; not used for etcd. */
  path: string;
  headers: Readonly<Record<string, string>>;
  watchers: number;
  publish: Publish;
  warmups: number;
  /** Changes that are timed. */
  changes: number;
  /** Whether all watchers are cut at the end and come back at once. */
  reconnects: boolean;
}

export interface WatchLoadResult {
  /** From the call that publishes to the last watcher that is told, each change. */
  lastDeliveryMs: number[];
  /** From the first connection of the reconnect to the last greeting; null without one. */
  reconnectMs: number | null;
}

export type WatchLoadMessage =
  | { type: "connected" }
  /** All changes have been told. */
  | { type: "told" }
  | { type: "result"; result: WatchLoadResult }
  | { type: "failed"; reason: string };
