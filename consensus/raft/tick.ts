import { NOBODY } from "./types.ts";
import type { Core } from "./core.ts";
import { membershipOf } from "./core.ts";
import { askAgain, campaign, mayStand } from "./election.ts";
import { jointVote } from "./quorum/joint.ts";
import { isBound } from "./lease.ts";
import { becomeFollower } from "./roles.ts";
import { broadcastHeartbeats } from "./send-append.ts";

/** One tick of the driver's timer. */
export function tick(core: Core): void {
  core.electionElapsed += 1;
  core.sinceLeader += 1;
  core.sinceStart += 1;
  if (core.role === "leader") tickLeader(core);
  else if (core.electionElapsed >= core.electionTimeout && mayStand(core) && !isBound(core)) campaign(core);
  else if (core.role === "pre_candidate" && mayStand(core)) askAgain(core);
}

function tickLeader(core: Core): void {
  core.heartbeatElapsed += 1;
  if (core.electionElapsed >= core.config.electionTicks) {
    core.electionElapsed = 0;
    core.transferee = NOBODY;
    if (!quorumIsActive(core)) {
      becomeFollower(core, core.term, NOBODY);
      return;
    }
  }
  if (core.heartbeatElapsed < core.config.heartbeatTicks) return;
  core.heartbeatElapsed = 0;
  broadcastHeartbeats(core);
}

/** Whether a quorum was heard from since the last check; begins the next period. */
function quorumIsActive(core: Core): boolean {
  const result = jointVote(
    membershipOf(core),
    (id) => id === core.config.id || core.progress.get(id)?.active === true,
  );
  for (const progress of core.progress.values()) progress.active = false;
  return result === "won";
}
