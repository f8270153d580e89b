/**
 * The operator of the simulated cluster: adds, removes and replaces nodes, hands leadership over, takes snapshots. Like any
 * operator it never asks for a membership of whose voters a majority could not vote.
 */
import type { NodeId } from "../raft/types.ts";
import type { SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

const NODES_MAX = 9;
const VOTERS_MAX = 7;
const PATIENCE_MS = 3_000;

/** Does one thing every now and then until `isOver`. */
export async function runOperator(
  world: World,
  options: { everyMs: number; isOver: () => boolean },
): Promise<void> {
  const { prng, time } = world;
  while (!options.isOver()) {
    await time.sleep(options.everyMs * (0.2 + 1.6 * prng.next()));
    const leader = world.leader();
    if (leader === undefined || options.isOver()) continue;
    const act = prng.below(10);
    if (act < 3) await transfer(world, leader);
    else if (act < 4) await snapshot(world);
    else await change(world, leader);
  }
}

async function transfer(world: World, leader: SimNode): Promise<void> {
  const target = world.prng.pick(world.nodes)?.id;
  world.trace(leader.id, () => `is asked to hand over to ${target}`);
  world.noteFault("transfer");
  await settled(world, leader.running?.log.transferLeader(target));
}

async function snapshot(world: World): Promise<void> {
  await settled(world, world.prng.pick(world.nodes)?.running?.log.triggerSnapshot());
}

async function change(world: World, leader: SimNode): Promise<void> {
  const next = nextMembership(world, leader);
  if (next === null) return;
  world.trace(leader.id, () => `is asked for ${JSON.stringify(next)}`);
  world.noteFault("membership");
  await settled(world, leader.running?.log.changeMembership(next));
}

/** Whatever comes of it, even nothing: what must hold is looked at elsewhere. */
async function settled({ time }: World, outcome: Promise<unknown> | undefined): Promise<void> {
  if (outcome === undefined) return;
  const ended = outcome.then(
    () => undefined,
    () => undefined,
  );
  await Promise.race([ended, time.sleep(PATIENCE_MS)]);
}

function nextMembership(world: World, leader: SimNode): { voters: NodeId[]; learners: NodeId[] } | null {
  const { prng } = world;
  const members = leader.running?.log.status().members ?? [];
  const voters = members.filter(({ voter }) => voter).map(({ nodeId }) => nodeId);
  const learners = members.filter(({ voter }) => !voter).map(({ nodeId }) => nodeId);
  const unable = voters.find((id) => world.node(id)?.isAble() !== true);
  const others = world.nodes.filter(({ id }) => !voters.includes(id));
  const ready = others.filter((node) => node.isAble());
  const next = { voters, learners };
  if (unable !== undefined || prng.chance(0.2)) {
    // A replacement learns first, then takes its place in one joint change.
    const leaving = unable ?? prng.pick(voters) ?? 0;
    const learner = learners.find((id) => world.node(id)?.isAble() === true);
    const rest = voters.filter((id) => id !== leaving);
    if (learner === undefined) next.learners = [...learners, newcomer(world, ready)];
    else {
      next.voters = [...rest, learner];
      next.learners = learners.filter((id) => id !== learner);
    }
  } else if (prng.chance(0.4)) {
    const one = prng.pick(voters) ?? 0;
    next.voters = voters.filter((id) => id !== one);
    if (prng.chance(0.3)) next.learners = [...learners, one];
  } else if (prng.chance(0.5)) {
    const one = prng.pick(ready)?.id ?? newcomer(world, ready);
    next.voters = [...voters, one];
    next.learners = learners.filter((id) => id !== one);
  } else {
    const shuffled = prng.shuffle(world.nodes.filter((node) => node.isAble()).map(({ id }) => id));
    const count = 1 + prng.below(Math.min(VOTERS_MAX, shuffled.length));
    next.voters = shuffled.slice(0, count);
    next.learners = shuffled.slice(count, count + prng.below(2));
  }
  const able = next.voters.filter((id) => world.node(id)?.isAble() === true);
  const isSound = 2 * able.length > next.voters.length && next.voters.length <= VOTERS_MAX;
  return isSound && next.voters.length >= 3 ? next : null;
}

/** A node that is there already, or a new one; one that lost its disk for good makes room. */
function newcomer(world: World, ready: readonly SimNode[]): NodeId {
  const known = world.prng.pick(ready);
  if (known !== undefined && (world.nodes.length >= NODES_MAX || world.prng.chance(0.5))) return known.id;
  const node = world.addNode();
  node.start();
  return node.id;
}
