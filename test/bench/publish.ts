import type { Figure } from "./figures.ts";
import { benchPublishDrain } from "./publish-drain.ts";
import { benchPublishServed } from "./publish-served.ts";

/**
 * Staged publishing: how long a move takes to be served in every region, and how fast plans that come due together are
 * moved on. Without peers: none of the systems beside us stages a change region by region.
 */
export async function benchPublish({ quick }: { quick: boolean }): Promise<Figure[]> {
  return [
    ...(await benchPublishServed(quick ? { plans: 10, runs: 1 } : { plans: 100, runs: 3 })),
    ...(await benchPublishDrain(quick ? { plans: 500, runs: 1 } : { plans: 10_000, runs: 3 })),
  ];
}
