import { fetchMetrics } from "../testing/core-cluster.ts";

/** Who asks the core for operations. */
export const OPERATOR = {
  actor: { type: "system", id: "bench", name: "bench" },
  ip: "127.0.0.1",
  trace_id: "0af7651916cd43dd8448eb211c80319c",
} as const;

/**
 * The longest time that a timer of 10 ms took to come in a node's event loop since this was last asked, the 10 ms included.
 * It stands in the node's metrics, which forget it once told.
 */
export async function loopDelayMaxMs(url: string): Promise<number> {
  const text = await fetchMetrics(`${url}/metrics`);
  const seconds = /^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(text)?.[1];
  if (seconds === undefined) throw new Error(`${url} tells no delay of its event loop`);
  return Number(seconds) * 1_000;
}

/** How often the node has seen an election, so far as terms tell. */
export async function termOf(url: string): Promise<number> {
  const term = /^raft_current_term (\d+)$/m.exec(await fetchMetrics(`${url}/metrics`))?.[1];
  if (term === undefined) throw new Error(`${url} tells no term`);
  return Number(term);
}
