import type { RaftStatus } from "./raft/types.ts";
import type { ReplicatedLogStatus } from "./replicated-log.ts";

/** The core's status in the words of the port. What others have is known to the leader alone: elsewhere it is 0. */
export function raftLogStatus(status: RaftStatus, firstIndex: number): ReplicatedLogStatus {
  const { voters, outgoing, learners } = status.membership;
  const ids = [...new Set([...voters, ...outgoing, ...learners])].toSorted((a, b) => a - b);
  const isVoter = (id: number): boolean => voters.includes(id) || outgoing.includes(id);
  return {
    nodeId: status.id,
    role: roleOf(status, isVoter(status.id)),
    leaderId: status.leader || null,
    term: status.term,
    commitIndex: status.commit,
    appliedIndex: status.applied,
    lastIndex: status.lastIndex,
    firstIndex,
    round: status.round,
    leaderSince: status.leaderSince,
    members: ids.map((id) => {
      const progress = status.progress.find((other) => other.id === id);
      const isSelf = id === status.id;
      return {
        nodeId: id,
        matchIndex: isSelf ? status.lastIndex : (progress?.match ?? 0),
        voter: isVoter(id),
        active: isSelf || (progress?.active ?? id === status.leader),
        ...(progress === undefined ? {} : { answeredRound: progress.answeredRound }),
      };
    }),
  };
}

function roleOf(status: RaftStatus, isVoter: boolean): ReplicatedLogStatus["role"] {
  if (status.role === "leader") return "leader";
  if (!isVoter) return "learner";
  return status.role === "follower" ? "follower" : "candidate";
}
