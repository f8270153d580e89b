import { startFailoverLoad } from "../testing/failover-load.ts";
import { startStack } from "../testing/stack.ts";
import { benchNodeFailover } from "./failover-nodes.ts";
import { type Figure, figure, quantile } from "./figures.ts";

const KILLS = 10;
const WRITERS = 16;

/** The nodes alone beside etcd's, then the whole system. */
export async function benchFailover(): Promise<Figure[]> {
  return [...(await benchNodeFailover()), ...(await benchStackFailover())];
}

/**
 * Three core nodes, the leader killed with SIGKILL ten times under 16 writers at the admin API: the longest time without
 * an acknowledged write after each kill, edge fetches that failed meanwhile, and acknowledged writes that were then
 * missing, doubled or changed. Each run is the whole of it, so a figure has one.
 */
async function benchStackFailover(): Promise<Figure[]> {
  const stack = await startStack({ env: { CONFLUX_NODES: "3" } });
  try {
    const load = await startFailoverLoad(stack, WRITERS);
    const gapsMs: number[] = [];
    for (let i = 0; i < KILLS; i += 1) gapsMs.push(await load.killLeader());
    const report = await load.stop();
    const differences = await load.differences();
    for (const line of [...report.failedFetches.slice(0, 10), ...differences.slice(0, 10)])
      console.error(line);
    const one = (metric: string, unit: string, value: number): Figure =>
      figure(
        {
          bench: "failover",
          case: `leader killed ${KILLS} times under ${WRITERS} writers`,
          system: "conflux",
          metric,
          unit,
        },
        [value],
      );
    return [
      one("time_without_writes_p50_ms", "ms", quantile(gapsMs, 0.5)),
      one("time_without_writes_p99_ms", "ms", quantile(gapsMs, 0.99)),
      one("acknowledged_writes", "writes", report.acknowledged),
      one("lost_or_doubled_writes", "writes", differences.length),
      one("edge_fetches", "fetches", report.fetches),
      one("failed_edge_fetches", "fetches", report.failedFetches.length),
    ];
  } finally {
    await stack.stop();
  }
}
