/**
 * Clients of the simulated cluster. A write is tried again under its sequence number until its outcome is known or the client
 * gives up; a read that failed is simply asked again. What they saw goes into the history.
 */
import { NotProposedError } from "../replicated-log.ts";
import { encodeSimCommand } from "./sim-command.ts";
import { check } from "./sim-failure.ts";
import type { Running, SimNode } from "./sim-node.ts";
import type { World } from "./world.ts";

const PATIENCE_MS = 6_000;

type Answer<T> =
  | { kind: "answered"; value: T }
  /** Surely not done. */
  | { kind: "refused"; leaderId: number | null }
  | { kind: "unknown" };

interface Client {
  world: World;
  name: string;
  sequence: number;
  /** Whom it asks first. */
  leaderId: number | null;
  /** How often it stays with a node that did not answer in time, as one behind the same cut as that node has to. */
  loyalty: number;
}

/** Reads and writes, these with a chance of `writes`, until `isOver`; then ends with the operation it is at. */
export async function runClient(
  world: World,
  name: string,
  options: { thinkMs: number; writes: number; loyalty: number; isOver: () => boolean },
): Promise<void> {
  const client: Client = { world, name, sequence: 0, leaderId: null, loyalty: options.loyalty };
  const { prng, time } = world;
  while (!options.isOver()) {
    await time.sleep(options.thinkMs * 2 * prng.next());
    const key = `k${prng.below(world.keys)}`;
    if (prng.chance(options.writes) && time.nowMs() >= world.lullUntilMs) await write(client, key);
    else await read(client, key);
  }
}

/** Writes once, with all patience; answers whether it was acknowledged. */
export async function write(client: Client, key: string): Promise<boolean> {
  const { world, name } = client;
  client.sequence += 1;
  const { sequence } = client;
  const value = `${name}.${sequence}`;
  const calledAt = world.time.nowMs();
  let maybe = false;
  let attempts = 0;
  while (world.time.nowMs() < calledAt + PATIENCE_MS) {
    attempts += 1;
    const attempt = attempts;
    const answer = await ask(client, async ({ process, log, machine, clock }) => {
      const stampMs = clock.stampMs(machine.state.stampMs);
      const data = encodeSimCommand({ client: name, sequence, attempt, key, value, stampMs });
      try {
        return (await log.propose(data)).result.version;
      } catch (error) {
        // Whether or not the client still hears of it.
        if (error instanceof NotProposedError && process.isAlive) world.ledger.noteNotProposed(data);
        throw error;
      }
    });
    if (answer.kind === "answered") {
      const version = answer.value;
      world.ledger.noteAcknowledged(name, sequence, version);
      const input = { kind: "append", value } as const;
      const output = { version, value };
      world.history.push({ client: name, key, input, output, calledAt, returnedAt: world.time.nowMs() });
      return true;
    }
    maybe ||= answer.kind === "unknown";
    await world.time.sleep(5 + world.prng.below(150));
  }
  if (maybe) {
    const input = { kind: "append", value } as const;
    world.history.push({ client: name, key, input, output: null, calledAt, returnedAt: Infinity });
  }
  return false;
}

export async function read(client: Client, key: string): Promise<boolean> {
  const { world, name } = client;
  const until = world.time.nowMs() + PATIENCE_MS;
  while (world.time.nowMs() < until) {
    const calledAt = world.time.nowMs();
    const answer = await ask(client, async ({ log, machine }) => {
      // What any node had applied by now was committed, so the read has to see it.
      const floor = world.ledger.lastIndex();
      const index = await log.readBarrier("linearizable");
      check(machine.state.index >= index, () => `a read is allowed at ${index}, before it is applied`);
      check(index >= floor, () => `stale read: it is answered at ${index}, ${floor} was committed before it`);
      return { ...(machine.state.values.get(key) ?? { version: 0, value: null }) };
    });
    if (answer.kind === "answered") {
      const input = { kind: "read" } as const;
      const output = answer.value;
      world.history.push({ client: name, key, input, output, calledAt, returnedAt: world.time.nowMs() });
      return true;
    }
    await world.time.sleep(5 + world.prng.below(150));
  }
  return false;
}

/** One request: over the network and back, with a timeout. */
async function ask<T>(client: Client, serve: (running: Running) => Promise<T>): Promise<Answer<T>> {
  const { world } = client;
  const node = choose(client);
  const answer = await new Promise<Answer<T>>((resolve) => {
    const back = (given: Answer<T>): void => {
      if (!world.prng.chance(world.network.weather.loss))
        world.time.after(delayMs(world), () => resolve(given));
    };
    world.time.after(world.clientTimeoutMs, () => resolve({ kind: "unknown" }));
    if (world.prng.chance(world.network.weather.loss)) return;
    world.time.after(delayMs(world), () => {
      const { running } = node;
      if (running === null) return back({ kind: "refused", leaderId: null });
      return running.process.arrive(() => void answerAt(world, running, serve, back));
    });
  });
  if (answer.kind === "refused") client.leaderId = answer.leaderId;
  else if (answer.kind === "answered" || world.prng.chance(client.loyalty)) client.leaderId = node.id;
  else client.leaderId = null;
  return answer;
}

async function answerAt<T>(
  world: World,
  running: Running,
  serve: (running: Running) => Promise<T>,
  back: (answer: Answer<T>) => void,
): Promise<void> {
  const reply = (answer: Answer<T>): void => {
    if (running.process.isAlive) back(answer);
  };
  try {
    reply({ kind: "answered", value: await serve(running) });
  } catch (error) {
    if (error instanceof Error && error.name === "SimFailure") world.fail(error);
    if (error instanceof NotProposedError) reply({ kind: "refused", leaderId: error.leaderId });
    else reply({ kind: "unknown" });
  }
}

function choose({ world, leaderId }: Client): SimNode {
  const known = leaderId === null || world.prng.chance(0.05) ? undefined : world.node(leaderId);
  return known ?? world.prng.pick(world.nodes)!;
}

function delayMs({ prng, network }: World): number {
  return network.weather.delayMs * (0.2 + prng.next());
}
