/** One seed: a storm, in which safety must hold, then calm, in which the cluster must also get going. */
import { checkLinearizable, type Operation, versionModel } from "./linearizability.ts";
import type { VersionInput, VersionState } from "./linearizability.ts";
import { read, runClient, write } from "./sim-client.ts";
import { check, SimFailure } from "./sim-failure.ts";
import { FAIR_WEATHER } from "./sim-network.ts";
import { runOperator } from "./sim-operator.ts";
import { runStorm, runWatchdog } from "./storm.ts";
import { World } from "./world.ts";

/** Virtual milliseconds and acknowledged writes that every seed has at least. */
const SEED_MS = 60_000;
const SEED_WRITES = 500;
const STORM_MS = 45_000;
const CALM_MS_MAX = 60_000;
const CATCH_UP_MS_MAX = 60_000;
const CLIENTS = 5;
const READERS = 2;

export interface SeedResult {
  seed: number;
  virtualMs: number;
  events: number;
  entries: number;
  terms: number;
  writes: number;
  reads: number;
  unknown: number;
  nodes: number;
  faults: Record<string, number>;
  /** Of all applied states: equal runs have equal ones. */
  hash: number;
}

/** A seed that found something, with the last events before it. */
export class SeedFailure extends Error {
  readonly seed: number;
  readonly report: string;
  constructor(seed: number, world: World, cause: Error) {
    super(cause.message, { cause });
    this.name = "SeedFailure";
    this.seed = seed;
    this.report = world.report();
  }
}

/** Throws `SeedFailure`. */
export async function runSeed(seed: number, options: { isTracing?: boolean } = {}): Promise<SeedResult> {
  const world = new World(seed, { isTracing: options.isTracing ?? false, keys: 8 });
  try {
    for (const node of world.nodes) node.start();
    const round = await runRound(world);
    return {
      seed,
      virtualMs: Math.round(world.time.nowMs()),
      events: world.time.events(),
      entries: world.ledger.lastIndex(),
      terms: world.ledger.terms(),
      ...round,
      nodes: world.nodes.length,
      faults: Object.fromEntries(world.faults),
      hash: world.ledger.reference.hash,
    };
  } catch (error) {
    throw new SeedFailure(seed, world, toError(error));
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new SimFailure(String(error));
}

/** A storm, a calm and the judgement of what clients saw. */
export async function runRound(world: World): Promise<{ writes: number; reads: number; unknown: number }> {
  const { prng, time } = world;
  const beginMs = time.nowMs();
  const before = world.ledger.acknowledged;
  const known = new Map(world.ledger.reference.values);
  let isStorm = true;
  let isOpen = true;
  const isOver = (): boolean => !isOpen;
  const thinkMs = 10 + 130 * prng.next();
  // Two who mostly read, and stay where they are: behind a cut they are whom a leader of old could answer from its own state.
  const characterOf = (i: number): { writes: number; loyalty: number } =>
    i < READERS ? { writes: 0.1, loyalty: 0.9 } : { writes: 0.7, loyalty: 0 };
  const clients = Array.from({ length: CLIENTS }, (_, i) =>
    runClient(world, `c${i}-${Math.round(beginMs)}`, { thinkMs, isOver, ...characterOf(i) }),
  );
  const work = [
    ...clients,
    runWatchdog(world, isOver),
    runOperator(world, { everyMs: 1_000 + 6_000 * prng.next(), isOver: () => !isStorm }),
    runStorm(world, () => !isStorm),
  ].map((one) => one.catch((error: unknown) => world.fail(toError(error))));
  await world.run(beginMs + STORM_MS);
  isStorm = false;
  heal(world);
  await proveProgress(world);
  const written = (): number => world.ledger.acknowledged - before;
  await world.run(beginMs + SEED_MS, () => false);
  await world.run(time.nowMs() + CALM_MS_MAX, () => written() >= SEED_WRITES);
  isOpen = false;
  await finish(world, Promise.all(work));
  await proveEquality(world);
  check(written() >= SEED_WRITES, () => `liveness: clients did only ${written()} writes`);
  return judge(world, known);
}

/** Lets time pass until `work` is done. */
async function finish(world: World, work: Promise<unknown>): Promise<void> {
  let isDone = false;
  const follow = async (): Promise<void> => {
    try {
      await work;
      isDone = true;
    } catch (error) {
      world.fail(toError(error));
    }
  };
  void follow();
  await world.run(world.time.nowMs() + CALM_MS_MAX, () => isDone);
  check(isDone, () => "liveness: an operation does not end");
}

function heal(world: World): void {
  world.trace(0, () => "everything heals");
  world.network.heal();
  world.network.weather = FAIR_WEATHER;
  for (const node of world.nodes) {
    node.disk.isFull = false;
    node.disk.failingSyncs = 0;
    node.disk.syncMs = 2;
    if (node.process !== null) node.process.operationsLeft = Infinity;
    node.process?.resume(world.prng);
    node.start();
  }
}

/** A leader is found, a new write is acknowledged, a read sees it. */
async function proveProgress(world: World): Promise<void> {
  const prober = {
    world,
    name: `probe-${Math.round(world.time.nowMs())}`,
    sequence: 0,
    leaderId: null,
    loyalty: 0,
  };
  const untilMs = world.time.nowMs() + CALM_MS_MAX;
  const probe = async (): Promise<void> => {
    while (!(await write(prober, "k0")))
      check(world.time.nowMs() < untilMs, () => "liveness: no write succeeds");
    check(await read(prober, "k0"), () => "liveness: no read succeeds");
  };
  await finish(world, probe());
}

/** Every member that runs reaches the leader's last entry, with the same state. */
async function proveEquality(world: World): Promise<void> {
  const missing = (): string | null => {
    const leader = world.leader();
    const status = leader?.running?.log.status();
    if (status === undefined) return "there is no leader";
    if (status.appliedIndex !== status.lastIndex) return `leader ${status.nodeId} has entries to commit`;
    const late = status.members.find(({ nodeId }) => {
      const node = world.node(nodeId);
      if (node === undefined || node.isLost) return false;
      return node.running?.machine.lastApplied() !== status.appliedIndex;
    });
    return late === undefined ? null : `node ${late.nodeId} is behind ${status.appliedIndex}`;
  };
  await world.run(world.time.nowMs() + CATCH_UP_MS_MAX, () => missing() === null);
  const problem = missing();
  check(problem === null, () => `liveness: ${problem}`);
  for (const { id, running } of world.nodes) if (running) world.ledger.checkState(id, running.machine.state);
}

/** `known`: the keys as they were when the round began, with nothing under way. */
function judge(
  world: World,
  known: ReadonlyMap<string, VersionState>,
): { writes: number; reads: number; unknown: number } {
  const history = world.history.map((operation) => since(operation, known.get(operation.key)));
  world.history = [];
  const verdict = checkLinearizable(history, versionModel);
  check(
    verdict.ok,
    () => `linearizability: ${verdict.ok ? "" : `key ${verdict.key}: ${verdict.explanation}`}`,
  );
  const ended = history.filter(({ returnedAt }) => returnedAt !== Infinity);
  const reads = ended.filter(({ input }) => input.kind === "read").length;
  return { writes: ended.length - reads, reads, unknown: history.length - ended.length };
}

/** The operation as if its key had begun with the round. */
function since(
  operation: Operation<VersionInput, VersionState>,
  known: VersionState | undefined,
): Operation<VersionInput, VersionState> {
  const { output } = operation;
  if (known === undefined || output === null) return operation;
  const version = output.version - known.version;
  const isFirst = version === 0 && output.value === known.value;
  return { ...operation, output: { version, value: isFirst ? null : output.value } };
}
