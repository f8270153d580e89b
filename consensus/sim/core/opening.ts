/**
 * Opening moves: interleavings of cuts, waits and slow disks that a real network may bring about and chance alone all but never
 * does. Who plays which part is chance, and when a part finds nobody to play it the storm begins where the play stands.
 */
import type { NodeId } from "../../raft/types.ts";
import type { Prng } from "../prng.ts";
import { askRead, type Cluster, leadersOf, proposeCommand, stepCluster } from "./cluster.ts";
import { settledLeader } from "./settle.ts";
import { holdBack, isolate, letGo } from "./sim-network.ts";
import type { SimNode } from "./sim-node.ts";

interface Opening {
  voters: number;
  play: (cluster: Cluster) => void;
}

const SETTLED_STEPS_MAX = 400;
const ELECTED_STEPS_MAX = 400;

/** For a part of the seeds; null: the storm comes at once. */
export function chooseOpening(prng: Prng): Opening | null {
  const kind = prng.below(10);
  if (kind === 0) return { voters: 4 + 2 * prng.below(2), play: twoMemberships };
  if (kind === 1) return { voters: 5 + prng.below(3), play: twoAppendsAtOnce };
  if (kind === 2) return { voters: 5 + 2 * prng.below(2), play: entriesOfAnOldTerm };
  if (kind === 3) return { voters: 3 + 2 * prng.below(2), play: answersFromBefore };
  return null;
}

function stepUntil<T>(cluster: Cluster, stepsMax: number, find: () => T | undefined): T | undefined {
  for (let i = 0; i < stepsMax; i += 1) {
    stepCluster(cluster);
    const found = find();
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The leader that everyone follows, with nothing under way. */
function settled(cluster: Cluster): SimNode | undefined {
  return stepUntil(cluster, SETTLED_STEPS_MAX, () => {
    const leader = settledLeader(cluster);
    return leader === null ? undefined : cluster.nodes[leader.id - 1];
  });
}

/** Who is elected beside `old`, in a later term. */
function elected(cluster: Cluster, old: SimNode): SimNode | undefined {
  const term = old.raw?.status().term ?? 0;
  return stepUntil(cluster, ELECTED_STEPS_MAX, () =>
    leadersOf(cluster).find((node) => node !== old && (node.raw?.status().term ?? 0) > term),
  );
}

const idsOf = ({ nodes }: Cluster): NodeId[] => nodes.map(({ id }) => id);

/**
 * A leader changes the membership, unheard; the next one, elected meanwhile, is asked for a change at once, and each half of
 * the voters is left alone with its change, in which it is a majority (Ongaro's note of 2015).
 */
function twoMemberships(cluster: Cluster): void {
  const { prng } = cluster.world;
  const first = settled(cluster);
  const voters = first?.raw?.status().membership.voters ?? [];
  if (first === undefined) return;
  isolate(cluster.network, first.id, idsOf(cluster));
  const gone = prng.pick(voters.filter((id) => id !== first.id)) ?? 0;
  first.raw?.changeMembership({ voters: voters.filter((id) => id !== gone), learners: [] });
  const second = elected(cluster, first);
  if (second === undefined) return;
  const rest = prng.shuffle(voters.filter((id) => id !== first.id && id !== second.id && id !== gone));
  const beside = new Set([second.id, gone]);
  while (beside.size < voters.length / 2) beside.add(rest.pop() ?? 0);
  const { cut } = cluster.network;
  cut.clear();
  for (const id of idsOf(cluster)) {
    for (const other of idsOf(cluster)) if (beside.has(id) !== beside.has(other)) cut.add(`${id}>${other}`);
  }
  const out = prng.pick(rest) ?? 0;
  second.raw?.changeMembership({ voters: voters.filter((id) => id !== out), learners: [] });
  proposeCommand(cluster, second);
  elected(cluster, second);
}

/**
 * Two leaders' entries for the same place reach a node shortly one after the other, those of the earlier term first, while
 * its disk is slow: the second come while the first are being written.
 */
function twoAppendsAtOnce(cluster: Cluster): void {
  const { world, network } = cluster;
  const { prng } = world;
  const first = settled(cluster);
  if (first === undefined) return;
  const late = prng.pick(idsOf(cluster).filter((id) => id !== first.id)) ?? 0;
  isolate(network, first.id, idsOf(cluster));
  network.cut.delete(`${first.id}>${late}`);
  holdBack(network, late);
  for (let left = 1 + prng.below(5); left > 0; left -= 1) {
    proposeCommand(cluster, first);
    if (prng.chance(0.5)) stepCluster(cluster);
  }
  const second = elected(cluster, first);
  if (second === undefined) return;
  for (let left = 1 + prng.below(4); left > 0; left -= 1) {
    proposeCommand(cluster, second);
    stepCluster(cluster);
  }
  world.diskStepsMax = 2 + prng.below(6);
  letGo(network, world.now, { id: late, gapSteps: 1 + prng.below(3) });
  for (let left = 10 + prng.below(30); left > 0; left -= 1) stepCluster(cluster);
}

/**
 * Figure 8 of the Raft paper: a first leader's entries reach one node; a second leader, elected by the rest, is cut off with an
 * entry of its own; the first two bring the old entries to a majority, and are cut off; then the second comes back.
 */
function entriesOfAnOldTerm(cluster: Cluster): void {
  const { world, network } = cluster;
  const ids = idsOf(cluster);
  const first = settled(cluster);
  if (first === undefined) return;
  const before = first.raw?.status().lastIndex ?? 0;
  const friend = world.prng.pick(ids.filter((id) => id !== first.id)) ?? 0;
  const pair = [first.id, friend];
  const rest = ids.filter((id) => !pair.includes(id));
  const cutPair = (): void => {
    for (const id of pair) isolate(network, id, rest);
  };
  cutPair();
  // More than fits into one append, so that they go without the entry of the term in which they are sent again.
  for (let left = 8 + world.prng.below(8); left > 0; left -= 1) proposeCommand(cluster, first);
  const second = elected(cluster, first);
  if (second === undefined) return;
  network.cut.clear();
  isolate(network, second.id, ids);
  const third = elected(cluster, second);
  stepUntil(cluster, ELECTED_STEPS_MAX, () =>
    third?.raw?.status().progress.find(({ id, match }) => rest.includes(id) && match > before),
  );
  network.cut.clear();
  cutPair();
  elected(cluster, third ?? second);
}

/**
 * The answers to a leader's heartbeat are on their way for long. Meanwhile the others, who no longer hear it, elect another
 * and commit; it is asked for a read, and only then hears those answers, whose heartbeat was sent before the read came.
 */
function answersFromBefore(cluster: Cluster): void {
  const { world, network } = cluster;
  const ids = idsOf(cluster);
  const first = settled(cluster);
  if (first === undefined) return;
  first.isSlow = true;
  holdBack(network, first.id);
  askRead(cluster, first);
  const answered = (): true | undefined => {
    const answers = network.held.get(first.id)?.filter(({ type }) => type === "heartbeat_reply") ?? [];
    return new Set(answers.map(({ from }) => from)).size * 2 > ids.length - 1 ? true : undefined;
  };
  if (stepUntil(cluster, SETTLED_STEPS_MAX, answered) === undefined) return;
  for (const id of ids) network.cut.add(`${first.id}>${id}`);
  const second = elected(cluster, first);
  if (second === undefined) return;
  const before = world.checker.chosen.length;
  proposeCommand(cluster, second);
  stepUntil(cluster, ELECTED_STEPS_MAX, () => world.checker.chosen.length > before || undefined);
  askRead(cluster, first);
  stepCluster(cluster);
  letGo(network, world.now, { id: first.id, gapSteps: 5 });
  for (let left = 10; left > 0; left -= 1) stepCluster(cluster);
}
