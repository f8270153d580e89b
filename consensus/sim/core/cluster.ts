/** A simulated cluster: its nodes, its network, its clients, and one step of all of them. */
import type { Membership, Message, NodeId, RawNode } from "../../raft/types.ts";
import { createChecker, noteMessage, noteReadAsked } from "./checker.ts";
import { createPrng } from "../prng.ts";
import type { Prng } from "../prng.ts";
import { compact } from "./sim-disk.ts";
import { arrivals, createNetwork, letGo, send } from "./sim-network.ts";
import type { NetworkFaults, SimNetwork } from "./sim-network.ts";
import { createNode, driveNode, noteRole, startNode, ticksNow } from "./sim-node.ts";
import type { SimNode, World } from "./sim-node.ts";

const ID_BYTES = 4;

export interface Cluster {
  world: World;
  network: SimNetwork;
  nodes: SimNode[];
  requestsAsked: number;
  commandsProposed: number;
  events: number;
}

export interface ClusterShape {
  voters: number;
  spares: number;
  electionTicks: number;
  faults: NetworkFaults;
  diskStepsMax: number;
  crashMidBatch: number;
}

/** Spare nodes start without a membership, as a node does that is to be added. */
export function createCluster(seed: number, shape: ClusterShape): Cluster {
  const prng = createPrng(seed);
  const network = createNetwork(shape.faults);
  const voters = Array.from({ length: shape.voters }, (_, i) => i + 1);
  const first: Membership = { voters, outgoing: [], learners: [] };
  const none: Membership = { voters: [], outgoing: [], learners: [] };
  const limits = {
    electionTicks: shape.electionTicks,
    heartbeatTicks: 1 + prng.below(2),
    appendBytesMax: 40 + prng.below(400),
    inflightMax: 1 + prng.below(8),
    inflightBytesMax: 1 << 10,
    uncommittedBytesMax: prng.chance(0.3) ? 400 : 1 << 20,
    random: () => prng.next(),
  };
  const nodes = Array.from({ length: shape.voters + shape.spares }, (_, i) =>
    createNode(i + 1, { ...limits, id: i + 1 }, i < shape.voters ? first : none),
  );
  const cluster: Cluster = {
    world: {
      prng,
      checker: createChecker(),
      now: 0,
      diskStepsMax: shape.diskStepsMax,
      crashMidBatch: shape.crashMidBatch,
      takesNow: prng.chance(0.5),
      send: (message) => sendFrom(cluster, message),
    },
    network,
    nodes,
    requestsAsked: 0,
    commandsProposed: 0,
    events: 0,
  };
  for (const node of nodes) startNode(node);
  return cluster;
}

export function healCluster({ world, network, nodes }: Cluster): void {
  network.cut.clear();
  for (const id of network.held.keys()) letGo(network, world.now, { id, gapSteps: 1 });
  for (const node of nodes) node.isSlow = false;
}

function rawOf(cluster: Cluster, id: NodeId): RawNode | null {
  return cluster.nodes[id - 1]?.raw ?? null;
}

/** A lost message is sometimes noticed by the sender's transport; a lost snapshot always is. */
function sendFrom(cluster: Cluster, message: Message): void {
  const { world, network } = cluster;
  noteMessage(world.checker, message);
  const sent = send(network, world.prng, world.now, message);
  const raw = rawOf(cluster, message.from);
  if (raw === null) return;
  if (message.type === "snapshot") {
    if (!sent) raw.reportSnapshot(message.to, false);
  } else if (!sent && world.prng.chance(0.3)) {
    raw.reportUnreachable(message.to);
  }
}

function deliver(cluster: Cluster, message: Message): void {
  const node = cluster.nodes[message.to - 1];
  const cut = cluster.network.cut.has(`${message.from}>${message.to}`);
  const taken = node !== undefined && node.raw !== null && !cut;
  if (message.type === "snapshot") rawOf(cluster, message.from)?.reportSnapshot(message.to, taken);
  if (!taken || node.raw === null) return;
  node.raw.step(message);
  noteRole(node, node.raw, cluster.world);
}

/** One step of the world: what arrives, the timers, the drivers, in random order. */
export function stepCluster(cluster: Cluster): void {
  const { world, network } = cluster;
  world.now += 1;
  const messages = arrivals(network, world.prng, world.now);
  for (const message of messages) deliver(cluster, message);
  cluster.events += messages.length;
  for (const node of world.prng.shuffle(cluster.nodes)) {
    if (node.raw === null) continue;
    if (ticksNow(node, world.prng)) {
      node.raw.tick();
      noteRole(node, node.raw, world);
      cluster.events += 1;
    }
    cluster.events += driveNode(node, world);
  }
}

/** Nodes that believe to lead; after a partition there may be an outdated one among them. */
export function leadersOf(cluster: Cluster): SimNode[] {
  return cluster.nodes.filter((node) => node.raw?.status().role === "leader");
}

/** Proposes a command nobody has proposed before; true when a node took it. */
export function proposeCommand(cluster: Cluster, node: SimNode): boolean {
  const data = new Uint8Array(ID_BYTES + cluster.world.prng.below(60));
  cluster.commandsProposed += 1;
  new DataView(data.buffer).setUint32(0, cluster.commandsProposed);
  return node.raw?.propose(data).ok === true;
}

export function askRead(cluster: Cluster, node: SimNode): number | null {
  cluster.requestsAsked += 1;
  const request = cluster.requestsAsked;
  noteReadAsked(cluster.world.checker, request);
  if (node.raw?.readIndex(request) === true) {
    node.reads.add(request);
    return request;
  }
  cluster.world.checker.reads.delete(request);
  return null;
}

/** Asks for one voter more or less (which takes no joint step), or for a random membership of all nodes there are. */
export function changeMembership(cluster: Cluster, node: SimNode): boolean {
  const prng: Prng = cluster.world.prng;
  if (prng.chance(0.5)) {
    const now = node.raw?.status().membership.voters ?? [];
    const one = prng.pick(cluster.nodes)?.id ?? 0;
    const voters = now.includes(one) ? now.filter((id) => id !== one) : [...now, one];
    return node.raw?.changeMembership({ voters, learners: [] }).ok === true;
  }
  const ids = prng.shuffle(cluster.nodes.map(({ id }) => id));
  const voterCount = 1 + prng.below(ids.length);
  const learnerCount = prng.below(ids.length - voterCount + 1);
  const voters = ids.slice(0, voterCount);
  const learners = ids.slice(voterCount, voterCount + learnerCount);
  return node.raw?.changeMembership({ voters, learners }).ok === true;
}

export function compactNode(cluster: Cluster, node: SimNode): void {
  if (node.raw !== null && node.writing === null) compact(node.disk, cluster.world.prng.below(6));
}
