import { NotProposedError, OutcomeUnknownError, type ReplicatedLog } from "../replicated-log.ts";
import type { Logger } from "./core-context.ts";

/**
 * Lets another voter lead before this node stops, so that a planned stop costs writes a round trip and not an election
 * timeout. Waits for the log's own limit at most, and is no condition of the stop: when nobody takes over (no other
 * voter, or none that hears), the log says why and the others elect by themselves.
 */
export async function handOver(log: ReplicatedLog<unknown>, logger: Logger): Promise<void> {
  const { role, nodeId, members } = log.status();
  if (role !== "leader" || !members.some((member) => member.voter && member.nodeId !== nodeId)) return;
  try {
    const { leaderId, term } = await log.transferLeader();
    logger({ level: "info", msg: "leadership is handed over", leader_id: leaderId, term });
  } catch (error) {
    if (!(error instanceof NotProposedError || error instanceof OutcomeUnknownError)) throw error;
    logger({ level: "warn", msg: "leadership is not handed over", reason: error.message });
  }
}
