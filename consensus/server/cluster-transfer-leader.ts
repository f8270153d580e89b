import type { TransferLeaderAnswer, TransferLeaderInput } from "../../contracts/core/cluster-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { NotProposedError } from "../replicated-log.ts";
import { proposeOperation, requireLeader } from "./cluster-operation.ts";
import type { CoreContext } from "./core-context.ts";

/**
 * Hands leadership to a voter, or to the one that has most of the log. Throws `not_found` for a target that is no voter,
 * `conflict` when there is no other voter or it does not take over in time, and what the log throws.
 */
export async function transferLeader(
  core: CoreContext,
  input: TransferLeaderInput,
): Promise<TransferLeaderAnswer> {
  await requireLeader(core);
  const target = input.target_node_id;
  const { nodeId, term, members } = core.log.status();
  const voters = members.filter(({ voter }) => voter).map((member) => member.nodeId);
  if (target !== undefined && !voters.includes(target)) {
    throw new ConfluxError("not_found", `node ${target} is no voter`);
  }
  if (target === nodeId) return { ...core.position(), leader_id: nodeId, term };
  if (voters.length === 1) throw new ConfluxError("conflict", `node ${nodeId} is the only voter`);
  const to = target === undefined ? "the voter that has most of the log" : `node ${target}`;
  await proposeOperation(core, input.head, "note_operation", {
    summary: `leadership from node ${nodeId} to ${to}`,
  });
  try {
    const { leaderId, term: newTerm } = await core.log.transferLeader(target);
    return { ...core.position(), leader_id: leaderId, term: newTerm };
  } catch (cause) {
    if (!(cause instanceof NotProposedError)) throw cause;
    throw new ConfluxError("conflict", `${to} did not take over: ${cause.message}`, { cause });
  }
}
