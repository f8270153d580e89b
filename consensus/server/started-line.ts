import type { CoreNode } from "./core-node.ts";
import type { LogLine } from "./core-context.ts";

/**
 * What a node says once it has started. `ready` is false for one that was removed and never will be; any other, also one
 * that has not heard of a leader yet, says true, which is what whoever started it waits for.
 */
export function startedLine({ isRemoved }: Pick<CoreNode, "isRemoved">): LogLine & { ready: boolean } {
  if (!isRemoved()) return { level: "info", msg: "ready", ready: true };
  const msg = "started, but not ready: this node was removed from the cluster";
  return { level: "warn", msg, ready: false };
}
