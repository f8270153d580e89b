/** Faults, all at once. What each seed has more of and less of is chance, so that rare combinations have their seeds. */
import type { NodeId } from "../raft/types.ts";
import type { SimNode } from "./sim-node.ts";
import { FAIR_WEATHER } from "./sim-network.ts";
import type { World } from "./world.ts";

interface Fault {
  name: string;
  /** How often it is in a storm that has it, against the others. */
  weight: number;
  strike: (world: World) => void;
}

const pickUp = (world: World): SimNode | undefined =>
  world.prng.pick(world.nodes.filter((node) => node.isUp()));
const leaderOrAny = (world: World): SimNode | undefined =>
  world.prng.chance(0.5) ? (world.leader() ?? pickUp(world)) : pickUp(world);

const FAULTS: readonly Fault[] = [
  { name: "crash", weight: 10, strike: (world) => leaderOrAny(world)?.crash(world.prng.chance(0.5)) },
  { name: "crash at an operation", weight: 14, strike: crashSoon },
  { name: "crash at a message", weight: 14, strike: trap },
  { name: "power cut for all", weight: 3, strike: cutAllPower },
  { name: "freeze", weight: 8, strike: freeze },
  { name: "freeze behind a cut", weight: 5, strike: freezeBehindCut },
  { name: "partition", weight: 10, strike: partition },
  { name: "hand over and go deaf", weight: 4, strike: handOverDeaf },
  { name: "restart behind a cut", weight: 4, strike: restartBehindCut },
  { name: "weather", weight: 8, strike: changeWeather },
  { name: "slow disk", weight: 4, strike: slowDisk },
  { name: "full disk", weight: 4, strike: fillDisk },
  { name: "failed sync", weight: 5, strike: failSync },
  { name: "lost disk", weight: 2, strike: loseDisk },
  { name: "damage", weight: 3, strike: damage },
  { name: "second process", weight: 4, strike: (world) => pickUp(world)?.startSecond() },
  { name: "wall clock jump", weight: 4, strike: jumpClock },
  { name: "clock drift", weight: 3, strike: driftClock },
  { name: "orderly stop", weight: 3, strike: (world) => void leaderOrAny(world)?.stop() },
];

/** Strikes until `isOver`. */
export async function runStorm(world: World, isOver: () => boolean): Promise<void> {
  const { prng, time } = world;
  const present = FAULTS.filter(() => prng.chance(0.7)).map((fault) => ({
    ...fault,
    weight: fault.weight * prng.next(),
  }));
  const everyMs = 100 + 1_500 * prng.next() ** 2;
  changeWeather(world);
  while (!isOver()) {
    await time.sleep(everyMs * 2 * prng.next());
    const fault = choose(world, present);
    if (fault === undefined || isOver()) continue;
    world.noteFault(fault.name);
    world.trace(0, () => fault.name);
    fault.strike(world);
  }
}

function choose({ prng }: World, faults: readonly Fault[]): Fault | undefined {
  let left = prng.next() * faults.reduce((sum, { weight }) => sum + weight, 0);
  return faults.find(({ weight }) => (left -= weight) < 0);
}

/** Who watches over the nodes: starts again what ended, after a while. */
export async function runWatchdog(world: World, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await world.time.sleep(50);
    for (const node of world.nodes) {
      const atMs = node.restartsAtMs();
      if (atMs !== null && atMs <= world.time.nowMs()) node.start();
    }
  }
}

function crashSoon(world: World): void {
  const process = leaderOrAny(world)?.process;
  if (process) process.operationsLeft = world.prng.below(40);
}

/** Right after a message that matters: who sent it, who gets it or everyone goes down, or its sender is cut off. */
function trap(world: World): void {
  const { prng } = world;
  const type = prng.pick([
    "vote",
    "vote_reply",
    "append",
    "append_reply",
    "snapshot",
    "snapshot_reply",
    "timeout_now",
  ] as const);
  const kind = prng.below(6);
  const powerCut = prng.chance(0.7);
  world.setTrap(type ?? "append", (from, to) => {
    if (kind < 2) world.node(from)?.crash(powerCut);
    else if (kind === 2) world.node(to)?.crash(powerCut);
    else if (kind === 3) cutAllPower(world);
    else isolate(world, from);
  });
}

function isolate(world: World, id: NodeId): void {
  const ids = world.nodes.map((node) => node.id);
  world.network.isolate(ids, id);
  world.time.after(200 + 3_000 * world.prng.next(), () => world.network.heal());
}

function cutAllPower(world: World): void {
  for (const node of world.nodes) node.crash(true);
}

function freeze(world: World): void {
  const process = leaderOrAny(world)?.process;
  if (!process) return;
  process.pause();
  world.time.after(100 + 4_000 * world.prng.next() ** 2, () => process.resume(world.prng));
}

/** A leader is frozen and cut off at once, just after it was heard, and goes on before the cut heals. */
function freezeBehindCut(world: World): void {
  const { prng, time, network } = world;
  const leader = world.leader();
  const process = leader?.process;
  if (leader === undefined || !process) return;
  process.pause();
  network.isolate(
    world.nodes.map(({ id }) => id),
    leader.id,
  );
  const frozenMs = 700 + 2_500 * prng.next();
  time.after(frozenMs, () => process.resume(prng));
  time.after(frozenMs + 1_000 * prng.next(), () => network.heal());
}

function partition(world: World): void {
  const { prng, network, nodes } = world;
  const ids = nodes.map(({ id }) => id);
  network.partition(ids, world.leader()?.id ?? prng.pick(ids) ?? 0);
  world.time.after(200 + 5_000 * prng.next(), () => network.heal());
}

/** A leader hands over, and once it has asked another to stand it hears of nothing any more. */
function handOverDeaf(world: World): void {
  const ids = world.nodes.map(({ id }) => id);
  world.setTrap("timeout_now", (from) => {
    world.network.deafen(ids, from);
    world.time.after(300 + 1_500 * world.prng.next(), () => world.network.heal());
  });
  world
    .leader()
    ?.running?.log.transferLeader()
    .catch(() => undefined);
}

/**
 * While nobody writes, one follower does not hear the leader and asks for votes. Then the leader is cut off from all, and the others, who have
 * just heard it, start again at once.
 */
function restartBehindCut(world: World): void {
  const { prng, time, network, nodes } = world;
  const leader = world.leader();
  const eager = prng.pick(nodes.filter((node) => node.isUp() && node !== leader));
  if (leader === undefined || eager === undefined) return;
  const [quietMs, deafMs] = [100 + 300 * prng.next(), 600 + 1_500 * prng.next()];
  world.lullUntilMs = time.nowMs() + quietMs + deafMs;
  time.after(quietMs, () => network.deafen([leader.id], eager.id));
  time.after(quietMs + deafMs, () => {
    network.isolate(
      nodes.map(({ id }) => id),
      leader.id,
    );
    for (const node of nodes) {
      if (node === leader || node === eager || !node.isUp()) continue;
      node.crash(false);
      time.after(30 * prng.next(), () => node.start());
    }
    time.after(300 + 1_500 * prng.next(), () => network.heal());
  });
}

function changeWeather({ prng, network }: World): void {
  network.weather = prng.chance(0.3)
    ? FAIR_WEATHER
    : {
        loss: prng.next() ** 3 * 0.3,
        duplication: prng.next() ** 2 * 0.2,
        delayMs: 0.5 + 40 * prng.next() ** 3,
        stragglers: prng.chance(0.5) ? 0.02 * prng.next() : 0,
      };
}

function slowDisk(world: World): void {
  const disk = world.prng.pick(world.nodes)?.disk;
  if (disk === undefined) return;
  disk.syncMs = 20 + 600 * world.prng.next() ** 2;
  world.time.after(3_000 * world.prng.next(), () => {
    disk.syncMs = 2;
  });
}

function fillDisk(world: World): void {
  const disk = world.prng.pick(world.nodes)?.disk;
  if (disk === undefined) return;
  disk.isFull = true;
  world.time.after(4_000 * world.prng.next(), () => {
    disk.isFull = false;
  });
}

function failSync(world: World): void {
  const disk = world.prng.pick(world.nodes)?.disk;
  if (disk !== undefined) disk.failingSyncs = 1;
}

function loseDisk(world: World): void {
  const node = world.prng.pick(world.nodes);
  if (node !== undefined && node.isAble() && world.canLose(node.id)) node.wipe();
}

function damage(world: World): void {
  const node = world.prng.pick(world.nodes);
  if (node === undefined || !node.isAble() || node.disk.isDamaged || !world.canLose(node.id)) return;
  if (node.damage()) node.crash(world.prng.chance(0.5));
}

function jumpClock(world: World): void {
  const node = world.prng.pick(world.nodes);
  if (node !== undefined) node.wallOffsetMs += (world.prng.next() - 0.5) * 7_200_000;
}

/** Of the next process: a clock's rate does not change while it runs. */
function driftClock(world: World): void {
  const node = world.prng.pick(world.nodes);
  if (node !== undefined) node.rate = world.clockRate(0.3);
}
