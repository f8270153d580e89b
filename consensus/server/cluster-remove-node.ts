import type { RemoveNodeAnswer, RemoveNodeInput } from "../../contracts/core/cluster-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { membership } from "./cluster-add-node.ts";
import {
  answerAt,
  findEarlier,
  noteKey,
  proposeOperation,
  requireLeader,
  waitFor,
  withKeyOnce,
} from "./cluster-operation.ts";
import { NotProposedError } from "../replicated-log.ts";
import type { CoreContext } from "./core-context.ts";

/** How long a node that is up may take to hear of its removal. */
const NOTICE_MS = 1_000;
/** How long the voters that would be left may take to answer: some heartbeats. */
const ANSWER_MS = 1_000;
const LOOK_EVERY_MS = 25;

/**
 * Removes a voter or learner, the leader itself included, and uses its id up. The id first: a node that still follows
 * learns by it that it is removed, and a request cut off in between is finished by its repetition. Throws `not_found` for an
 * id that never was a member, `conflict` where too few voters would be left, and what the log throws.
 */
export async function removeNode(core: CoreContext, input: RemoveNodeInput): Promise<RemoveNodeAnswer> {
  await requireLeader(core);
  const earlier = findEarlier(core, input);
  const request = withKeyOnce(input, earlier);
  const { node_id: nodeId } = input;
  const record = core.book.recordOf(nodeId);
  const isMember = core.log.status().members.some((member) => member.nodeId === nodeId);
  if (!isMember && record === undefined) throw new ConfluxError("not_found", `no node ${nodeId}`);
  if (isMember) await checkVotersLeft(core, nodeId);
  if (isMember && nodeId === core.log.status().nodeId) await handOver(core);
  const isRetired = record?.removed === true;
  if (isRetired) await noteKey(core, request, `node ${nodeId} is removed already`);
  else {
    await proposeOperation(core, request, "retire_node", { node_id: nodeId });
    await letItKnow(core, nodeId);
  }
  if (isMember) {
    const { voters, learners } = membership(core);
    const without = (ids: number[]): number[] => ids.filter((id) => id !== nodeId);
    await core.log.changeMembership({ voters: without(voters), learners: without(learners) });
  }
  return { ...answerAt(core, earlier, { worked: isMember || !isRetired }), node_id: nodeId };
}

/**
 * A leader that removed itself might lose its leadership before it knows the change to be committed, and would never hear of
 * it: nobody sends anything to who is no member. So another takes over first, and the caller repeats the request there:
 * throws `NotProposedError` with the new leader. Goes on when nobody takes over.
 */
async function handOver(core: CoreContext): Promise<void> {
  const { nodeId } = core.log.status();
  const led = await core.log.transferLeader().catch((error: unknown) => {
    if (error instanceof NotProposedError) return null;
    throw error;
  });
  if (led === null || led.leaderId === nodeId) return;
  throw new NotProposedError("leadership was handed over, for this node is to be removed", led.leaderId);
}

/** A node that is up is given the time to hear of its removal: afterwards nobody sends it anything. */
async function letItKnow(core: CoreContext, nodeId: number): Promise<void> {
  const { commitIndex } = core.log.status();
  const knows = (): true | null => {
    const member = core.log.status().members.find((other) => other.nodeId === nodeId);
    return member?.active !== true || member.matchIndex >= commitIndex ? true : null;
  };
  await waitFor(knows, performance.now() + NOTICE_MS, LOOK_EVERY_MS);
  // The round of heartbeats behind it carries the commit index.
  await core.log.readBarrier("linearizable");
}

/**
 * A membership whose majority is not there could never be changed again. Who was heard of before the request came may have
 * died since, with answers still on their way: so only an answer to a heartbeat that was sent after it came counts. A fenced
 * voter answers, but elects nobody: it counts for nothing, unless the one that goes is not missed in an election either.
 */
async function checkVotersLeft(core: CoreContext, nodeId: number): Promise<void> {
  const votersLeft = () =>
    core.log.status().members.filter((member) => member.voter && member.nodeId !== nodeId);
  const left = votersLeft();
  if (left.length === 0) {
    throw new ConfluxError("conflict", `node ${nodeId} is the last voter: add another first`);
  }
  const { nodeId: self, round = 0, members } = core.log.status();
  const isFenced = (id: number): boolean => core.peers.isFenced(id);
  const isMissed = !isFenced(nodeId) && members.some((member) => member.nodeId === nodeId && member.voter);
  const isUp = (member: { nodeId: number; answeredRound?: number }): boolean => {
    if (isMissed && isFenced(member.nodeId)) return false;
    return member.nodeId === self || (member.answeredRound ?? 0) > round;
  };
  const enough = (): true | null => (2 * votersLeft().filter(isUp).length > left.length ? true : null);
  // Heartbeats go out every tick, and all answer them who can.
  if ((await waitFor(enough, performance.now() + ANSWER_MS, LOOK_EVERY_MS)) !== null) return;
  // A leader that was deposed meanwhile is answered by nobody.
  await requireLeader(core);
  const up = votersLeft().filter(isUp);
  const only = `of the ${left.length} voters that would be left only ${up.length} answer`;
  const fenced = votersLeft().flatMap((member) => (isFenced(member.nodeId) ? [member.nodeId] : []));
  throw new ConfluxError(
    "conflict",
    isMissed && fenced.length > 0
      ? `${only} and may vote, for a fenced one never does (${fenced.join(", ")}): add a node, or remove one that is fenced or down, first`
      : `${only}: remove one that is down, or bring it back, first`,
  );
}
