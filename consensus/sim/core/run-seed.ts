/** One seed: a stormy part, in which safety must hold, then a calm one, in which the cluster must also get going. */
import type { NodeId } from "../../raft/types.ts";
import { check } from "../sim-failure.ts";
import {
  askRead,
  changeMembership,
  compactNode,
  createCluster,
  healCluster,
  leadersOf,
  proposeCommand,
  stepCluster,
} from "./cluster.ts";
import type { Cluster } from "./cluster.ts";
import { chooseOpening } from "./opening.ts";
import { createPrng } from "../prng.ts";
import { stepUntilSettled } from "./settle.ts";
import { holdBack, isolate, letGo, partition } from "./sim-network.ts";
import { crashNode, startNode, STEADY_TICK_RATE } from "./sim-node.ts";
import type { SimNode } from "./sim-node.ts";

const STORM_STEPS = 500;
const STEADY_ELECTION_TICKS = 10;
const ELECTION_TICKS_MAX = 2 * STEADY_ELECTION_TICKS;

export interface CoreSeedResult {
  events: number;
  committed: number;
  terms: number;
  reads: number;
}

interface Weather {
  propose: number;
  read: number;
  /** Nothing is read but where it could be stale. */
  isReadAimed: boolean;
  crash: number;
  /** Of those who lead, on top: what is half replicated is where the hard cases are. */
  crashLeader: number;
  isolateLeader: number;
  restart: number;
  partition: number;
  heal: number;
  hold: number;
  change: number;
  transfer: number;
  compact: number;
}

/** Runs one seed. Throws SimFailure or RaftInvariantError when something that must hold does not. */
export function runCoreSeed(seed: number): CoreSeedResult {
  const prng = createPrng(seed ^ 0x2545f491);
  const calm = prng.chance(0.2);
  const opening = chooseOpening(prng);
  const cluster = createCluster(seed, {
    voters: opening?.voters ?? 1 + prng.below(7),
    spares: prng.below(3),
    faults: {
      drop: calm ? 0 : prng.next() * 0.25,
      duplicate: calm ? 0 : prng.next() * 0.2,
      delayStepsMax: 1 + prng.below(calm ? 2 : 12),
    },
    electionTicks: prng.chance(0.5) ? STEADY_ELECTION_TICKS : 4 + prng.below(5),
    diskStepsMax: prng.below(5),
    crashMidBatch: prng.chance(0.5) ? 0.01 : 0,
  });
  const isReadAimed = prng.chance(0.25);
  const weather: Weather = {
    propose: prng.next(),
    read: isReadAimed ? 0 : prng.next() * 0.3,
    isReadAimed,
    crash: prng.chance(0.7) ? prng.next() * 0.05 : 0,
    crashLeader: !isReadAimed && prng.chance(0.5) ? prng.next() * 0.15 : 0,
    isolateLeader: isReadAimed || prng.chance(0.4) ? prng.next() * 0.1 : 0,
    restart: 0.03 + prng.next() * 0.2,
    partition: prng.chance(0.7) ? prng.next() * 0.03 : 0,
    heal: 0.03,
    hold: prng.chance(0.3) ? prng.next() * 0.02 : 0,
    change: prng.chance(0.6) ? prng.next() * 0.05 : 0,
    transfer: prng.chance(0.5) ? prng.next() * 0.03 : 0,
    compact: prng.chance(0.7) ? prng.next() * 0.1 : 0,
  };
  if (prng.chance(0.5)) for (const node of cluster.nodes) node.tickRate = 0.05 + prng.next() * 0.95;
  opening?.play(cluster);
  for (let i = 0; i < STORM_STEPS; i += 1) {
    storm(cluster, weather);
    stepCluster(cluster);
  }
  proveLiveness(cluster);
  // A timeout close to the round trip elects now and then even in the calm.
  if ((cluster.nodes[0]?.config.electionTicks ?? 0) >= STEADY_ELECTION_TICKS) proveStability(cluster);
  proveStepDown(cluster);
  const { checker } = cluster.world;
  return {
    events: cluster.events,
    committed: checker.chosen.length - 1,
    terms: checker.leaders.size,
    reads: checker.readsAnswered,
  };
}

/**
 * Whether a read at a leader could be stale: beside a second one, as one of them is outdated; or, where reads are aimed, when
 * it has not committed what others have. Then the first one it is asked is one, with nothing confirmed since it was cut off.
 */
function mayReadStale(
  { world }: Cluster,
  { isReadAimed }: Weather,
  leaders: readonly SimNode[],
  at: SimNode,
) {
  if (!isReadAimed) return leaders.length > 1;
  return (at.raw?.status().commit ?? 0) < world.checker.chosen.length - 1;
}

function storm(cluster: Cluster, weather: Weather): void {
  const { world, network, nodes } = cluster;
  const { prng } = world;
  const ids = nodes.map(({ id }) => id);
  const leaders = leadersOf(cluster);
  for (const leader of leaders) {
    while (prng.chance(weather.propose * 0.7)) proposeCommand(cluster, leader);
    if (prng.chance(mayReadStale(cluster, weather, leaders, leader) ? 0.8 : weather.read))
      askRead(cluster, leader);
    if (prng.chance(weather.change)) changeMembership(cluster, leader);
    if (prng.chance(weather.transfer)) leader.raw?.transferLeader(prng.pick(nodes)?.id ?? 0);
    if (prng.chance(weather.crashLeader)) crashNode(leader, world);
    else if (prng.chance(weather.isolateLeader)) {
      isolate(network, leader.id, ids);
      leader.isSlow = prng.chance(0.5);
    }
  }
  for (const node of nodes) {
    if (node.raw === null) {
      if (prng.chance(weather.restart)) startNode(node);
    } else if (prng.chance(weather.crash)) {
      crashNode(node, world);
    } else if (prng.chance(weather.compact)) {
      compactNode(cluster, node);
    }
  }
  if (prng.chance(weather.partition)) {
    partition(network, prng, ids);
  } else if (prng.chance(weather.heal)) {
    healCluster(cluster);
  }
  if (prng.chance(weather.hold)) holdBack(network, prng.pick(ids) ?? 0);
  for (const id of network.held.keys()) {
    if (prng.chance(0.05)) letGo(network, world.now, { id, gapSteps: prng.below(4) });
  }
}

/** After healing: a leader is found, everyone catches up, a new command commits, a read is answered. */
function proveLiveness(cluster: Cluster): void {
  const { world, network, nodes } = cluster;
  healCluster(cluster);
  network.faults = { drop: 0, duplicate: 0, delayStepsMax: 1 };
  world.crashMidBatch = 0;
  world.diskStepsMax = 0;
  for (const node of nodes) {
    node.tickRate = STEADY_TICK_RATE;
    if (node.raw === null) startNode(node);
  }
  // A transfer begun in the storm may still move leadership once; after a timeout's worth of calm none is left.
  stepUntilSettled(cluster, "no settled leader");
  for (let i = 0; i < 3 * ELECTION_TICKS_MAX; i += 1) stepCluster(cluster);
  const leader = stepUntilSettled(cluster, "no settled leader");
  const before = world.checker.commands.size;
  const node = nodes[leader.id - 1];
  check(node !== undefined, () => "the leader is a node");
  check(proposeCommand(cluster, node), () => `liveness: leader ${leader.id} refuses a command in the calm`);
  const request = askRead(cluster, node);
  stepUntilSettled(cluster, "a command is not applied everywhere");
  check(world.checker.commands.size > before, () => "liveness: a command was not committed");
  for (let i = 0; i < ELECTION_TICKS_MAX; i += 1) stepCluster(cluster);
  check(
    request !== null && !world.checker.reads.has(request),
    () => `liveness: read ${request} was not answered by ${leader.id}`,
  );
}

/** A node that was cut off and returns, and nodes outside the membership, do not unseat a leader that is heard. */
function proveStability(cluster: Cluster): void {
  const leader = stepUntilSettled(cluster, "no settled leader before the stability check");
  const others = cluster.nodes.filter(({ id }) => id !== leader.id);
  const lonely: NodeId | undefined = cluster.world.prng.pick(others)?.id;
  const isVoter = lonely !== undefined && leader.membership.voters.includes(lonely);
  // Cutting one of two voters off takes the quorum away, and then the leader rightly goes.
  if (lonely !== undefined && (!isVoter || leader.membership.voters.length > 2)) {
    isolate(
      cluster.network,
      lonely,
      cluster.nodes.map(({ id }) => id),
    );
    for (let i = 0; i < 4 * ELECTION_TICKS_MAX; i += 1) stepCluster(cluster);
    cluster.network.cut.clear();
  }
  for (let i = 0; i < 3 * ELECTION_TICKS_MAX; i += 1) stepCluster(cluster);
  const after = stepUntilSettled(cluster, "no settled leader after the stability check");
  check(
    after.id === leader.id && after.term === leader.term,
    () => `stability: ${leader.id} of term ${leader.term} was unseated by ${after.id} of term ${after.term}`,
  );
}

/** A leader without its quorum stops leading by itself, and the cluster gets going again. */
function proveStepDown(cluster: Cluster): void {
  const leader = stepUntilSettled(cluster, "no settled leader before the step-down check");
  if (leader.membership.voters.length === 1) return;
  isolate(
    cluster.network,
    leader.id,
    cluster.nodes.map(({ id }) => id),
  );
  for (let i = 0; i < 4 * ELECTION_TICKS_MAX; i += 1) stepCluster(cluster);
  check(
    cluster.nodes[leader.id - 1]?.raw?.status().role !== "leader",
    () => `step-down: ${leader.id} still leads without a quorum`,
  );
  cluster.network.cut.clear();
  stepUntilSettled(cluster, "no settled leader after the step-down check");
}
