/** Steps until nothing is left to be done. */
import type { RaftStatus } from "../../raft/types.ts";
import { SimFailure } from "../sim-failure.ts";
import { type Cluster, stepCluster } from "./cluster.ts";

const CALM_STEPS_MAX = 6_000;

/** The one leader that everyone of its membership follows, caught up to its end; null while there is none. */
export function settledLeader(cluster: Cluster): RaftStatus | null {
  const statuses = cluster.nodes.flatMap((node) => (node.raw === null ? [] : [node.raw.status()]));
  const leaders = statuses.filter(({ role }) => role === "leader");
  const leader = leaders.toSorted((a, b) => b.term - a.term)[0];
  if (leader === undefined || leader.membership.outgoing.length > 0) return null;
  if (leader.commit !== leader.lastIndex) return null;
  const members = new Set([...leader.membership.voters, ...leader.membership.learners, leader.id]);
  const behind = statuses.some(
    (one) => members.has(one.id) && (one.applied !== leader.lastIndex || one.leader !== leader.id),
  );
  return behind ? null : leader;
}

export function stepUntilSettled(cluster: Cluster, what: string): RaftStatus {
  for (let i = 0; i < CALM_STEPS_MAX; i += 1) {
    stepCluster(cluster);
    const leader = settledLeader(cluster);
    if (leader !== null) return leader;
  }
  const states = cluster.nodes.map((node) => JSON.stringify(node.raw?.status() ?? node.id));
  throw new SimFailure(`liveness: ${what} within ${CALM_STEPS_MAX} steps\n${states.join("\n")}`);
}
