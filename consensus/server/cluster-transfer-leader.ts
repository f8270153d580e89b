import type { TransferLeaderAnswer, TransferLeaderInput } from "../../contracts/core/cluster-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { NotProposedError } from "../replicated-log.ts";
import {
  answerAt,
  findEarlier,
  noteKey,
  proposeOperation,
  requireLeader,
  waitFor,
  withKeyOnce,
} from "./cluster-operation.ts";
import type { CoreContext } from "./core-context.ts";

/** How long the target may take to answer a heartbeat before it counts as down, and how often that is looked at. */
const ANSWER_MS = 1_000;
const LOOK_EVERY_MS = 25;

/**
 * Hands leadership to a voter, or to the one that has most of the log. Throws `not_found` for a target that is no voter,
 * `conflict` when it is fenced or does not answer (then nothing is noted, and writes go on), there is no other voter or it
 * does not take over in time, and what the log throws. A repetition under the same key hands nothing over once leadership has moved since the first: it answers who leads.
 */
export async function transferLeader(
  core: CoreContext,
  input: TransferLeaderInput,
): Promise<TransferLeaderAnswer> {
  await requireLeader(core);
  const earlier = findEarlier(core, input);
  const target = input.target_node_id;
  const { nodeId, term, members, leaderSince = 0 } = core.log.status();
  const indexBase = core.store.index() - core.store.lastApplied();
  // The first one was asked of an earlier leadership, which has ended as it was asked to.
  if (earlier !== null && earlier.index < leaderSince + indexBase) {
    return { ...answerAt(core, earlier, { worked: false }), leader_id: nodeId, term };
  }
  const voters = members.filter(({ voter }) => voter).map((member) => member.nodeId);
  if (target !== undefined && !voters.includes(target)) {
    throw new ConfluxError("not_found", `node ${target} is no voter`);
  }
  if (target !== undefined && core.peers.isFenced(target)) {
    throw new ConfluxError("conflict", `node ${target} has lost its disk and is fenced: it never leads`);
  }
  if (target === nodeId) {
    await noteKey(core, withKeyOnce(input, earlier), `node ${nodeId} leads already`);
    return { ...answerAt(core, earlier, { worked: false }), leader_id: nodeId, term };
  }
  if (voters.length === 1) throw new ConfluxError("conflict", `node ${nodeId} is the only voter`);
  if (target !== undefined) await requireAnswer(core, target);
  const to = target === undefined ? "the voter that has most of the log" : `node ${target}`;
  if (earlier === null) {
    const summary = `leadership from node ${nodeId} to ${to}`;
    await proposeOperation(core, input, "note_operation", { summary });
  }
  try {
    const { leaderId, term: newTerm } = await core.log.transferLeader(target);
    return { ...answerAt(core, earlier, { worked: true }), leader_id: leaderId, term: newTerm };
  } catch (cause) {
    // Deposed meanwhile: who leads now is to be asked.
    if (!(cause instanceof NotProposedError) || core.log.status().role !== "leader") throw cause;
    throw new ConfluxError("conflict", `${to} did not take over: ${cause.message}`, { cause });
  }
}

/**
 * Writes stand still for an election timeout when who is to lead does not answer. One that has just gone counts as active
 * still, so only an answer to a heartbeat that was sent after the request came counts.
 */
async function requireAnswer(core: CoreContext, target: number): Promise<void> {
  const { round = 0 } = core.log.status();
  const answers = (): true | null => {
    const member = core.log.status().members.find(({ nodeId }) => nodeId === target);
    return (member?.answeredRound ?? 0) > round ? true : null;
  };
  if ((await waitFor(answers, performance.now() + ANSWER_MS, LOOK_EVERY_MS)) !== null) return;
  // A leader that was deposed meanwhile is answered by nobody.
  await requireLeader(core);
  throw new ConfluxError("conflict", `node ${target} does not answer: it would not take over`);
}
