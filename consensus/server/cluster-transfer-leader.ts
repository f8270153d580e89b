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

/** How long a voter may take to answer a heartbeat before it counts as down, and how often that is looked at. */
const ANSWER_MS = 1_000;
const LOOK_EVERY_MS = 25;

/**
 * Hands leadership to a voter, or to the one that has most of the log among those that answer. Throws `not_found` for a target
 * that is no voter, `conflict` when it, or every other voter, is fenced or does not answer (then nothing is noted, and writes go
 * on), there is no other voter or it does not take over in time, and what the log throws. A repetition under the same key hands
 * nothing over once leadership has moved since the first: it answers who leads.
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
  const successors = voters.filter((id) => id !== nodeId && !core.peers.isFenced(id));
  if (successors.length === 0)
    throw new ConfluxError("conflict", "every other voter has lost its disk and is fenced: none ever leads");
  const chosen = await requireAnswer(core, target === undefined ? successors : [target]);
  const to = `node ${chosen}`;
  if (earlier === null) {
    const summary = `leadership from node ${nodeId} to ${to}`;
    await proposeOperation(core, input, "note_operation", { summary });
  }
  try {
    const { leaderId, term: newTerm } = await core.log.transferLeader(chosen);
    return { ...answerAt(core, earlier, { worked: true }), leader_id: leaderId, term: newTerm };
  } catch (cause) {
    // Deposed meanwhile: who leads now is to be asked.
    if (!(cause instanceof NotProposedError) || core.log.status().role !== "leader") throw cause;
    throw new ConfluxError("conflict", `${to} did not take over: ${cause.message}`, { cause });
  }
}

/**
 * The one that has most of the log among the first of `nodes` to answer. Writes stand still for an election timeout when who is
 * to lead does not answer. One that has just gone counts as active still, so only an answer to a heartbeat that was sent after
 * the request came counts.
 */
async function requireAnswer(core: CoreContext, nodes: readonly number[]): Promise<number> {
  const { round = 0 } = core.log.status();
  const answering = (): number | null => {
    const members = core.log.status().members.filter(({ nodeId }) => nodes.includes(nodeId));
    const answered = members.filter(({ answeredRound = 0 }) => answeredRound > round);
    return answered.toSorted((a, b) => b.matchIndex - a.matchIndex)[0]?.nodeId ?? null;
  };
  const found = await waitFor(answering, performance.now() + ANSWER_MS, LOOK_EVERY_MS);
  if (found !== null) return found;
  // A leader that was deposed meanwhile is answered by nobody.
  await requireLeader(core);
  const [only, ...others] = nodes;
  const why =
    others.length === 0
      ? `node ${only} does not answer: it would not take over`
      : "no other voter answers: none would take over";
  throw new ConfluxError("conflict", why);
}
