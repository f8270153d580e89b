/** A network that drops, repeats, delays, reorders and cuts. */
import type { Message, NodeId } from "../../raft/types.ts";
import type { Prng } from "../prng.ts";

export interface NetworkFaults {
  drop: number;
  duplicate: number;
  delayStepsMax: number;
}

interface InFlight {
  at: number;
  message: Message;
}

export interface SimNetwork {
  faults: NetworkFaults;
  /** Directed links that are cut, as "from>to". */
  cut: Set<string>;
  inFlight: InFlight[];
  /** Messages to these nodes wait until they are let go, together. */
  held: Map<NodeId, Message[]>;
  delivered: number;
}

export function createNetwork(faults: NetworkFaults): SimNetwork {
  return { faults, cut: new Set(), inFlight: [], held: new Map(), delivered: 0 };
}

/** Puts a message on its way; false when it is lost at once. */
export function send(network: SimNetwork, prng: Prng, now: number, message: Message): boolean {
  const { drop, duplicate, delayStepsMax } = network.faults;
  if (network.cut.has(`${message.from}>${message.to}`) || prng.chance(drop)) return false;
  const held = network.held.get(message.to);
  if (held !== undefined) {
    held.push(message);
    return true;
  }
  const copies = prng.chance(duplicate) ? 2 : 1;
  for (let i = 0; i < copies; i += 1) {
    network.inFlight.push({ at: now + 1 + prng.below(delayStepsMax), message });
  }
  return true;
}

/** From now on what is sent to `id` waits. */
export function holdBack(network: SimNetwork, id: NodeId): void {
  if (!network.held.has(id)) network.held.set(id, []);
}

/** Lets go what waits for `id`: that of earlier terms first, each term `gapSteps` before the next. */
export function letGo(
  network: SimNetwork,
  now: number,
  { id, gapSteps }: { id: NodeId; gapSteps: number },
): void {
  const messages = network.held.get(id) ?? [];
  network.held.delete(id);
  const terms = [...new Set(messages.map(({ term }) => term))].toSorted((a, b) => a - b);
  for (const message of messages) {
    network.inFlight.push({ at: now + 1 + terms.indexOf(message.term) * gapSteps, message });
  }
}

/** Takes what arrives now, in random order. */
export function arrivals(network: SimNetwork, prng: Prng, now: number): Message[] {
  const due = network.inFlight.filter((item) => item.at <= now);
  if (due.length === 0) return [];
  network.inFlight = network.inFlight.filter((item) => item.at > now);
  network.delivered += due.length;
  return prng.shuffle(due.map((item) => item.message));
}

/** Cuts one node off from all others, both ways. */
export function isolate(network: SimNetwork, id: NodeId, ids: readonly NodeId[]): void {
  for (const other of ids) network.cut.add(`${id}>${other}`).add(`${other}>${id}`);
}

/** Cuts the cluster in two, or one node off, or single directions. */
export function partition(network: SimNetwork, prng: Prng, ids: readonly NodeId[]): void {
  network.cut.clear();
  const kind = prng.below(3);
  const lonely = prng.pick(ids) ?? 0;
  const left = new Set(ids.filter(() => prng.chance(0.5)));
  for (const from of ids) {
    for (const to of ids) {
      const apart = kind === 0 ? left.has(from) !== left.has(to) : (from === lonely) !== (to === lonely);
      if (kind === 2 ? prng.chance(0.25) : apart) network.cut.add(`${from}>${to}`);
    }
  }
}
