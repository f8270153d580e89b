import { setTimeout as sleep } from "node:timers/promises";
import { type Prng, createPrng } from "../../consensus/sim/prng.ts";
import { type Stack, startStack, until } from "../testing/stack.ts";
import { admin } from "../testing/stack-client.ts";
import { type ChaosHistory, type ClientPlan, type LoadAnswer, newestOf } from "./chaos-plan.ts";
import { COHORTS, ConfigWriter, TIERS } from "./config-writer.ts";
import { versionFor } from "./judge-answers.ts";
import { LoadProcesses } from "./load-processes.ts";
import {
  epochOf,
  issueClientToken,
  restoreBackup,
  type SignedInStack,
  takeBackup,
  withSessions,
} from "./restore-stack.ts";
import { StackFaults } from "./stack-faults.ts";

const REGIONS = ["us-east-1", "eu-central-1", "ap-southeast-2", "cn-chengdu", "cn-shanghai"] as const;
const WATCHES = ["socket", null, "stream", null] as const;
const CONFIGS = 8;
const CONFIGS_OF_A_CLIENT = 3;
const CORE_NODES = 3;
const LAST_WRITE_MS_MAX = 60_000;
const CONVERGE_MS_MAX = 60_000;
const CONVERGE_CHECK_MS = 250;
const SAY_EVERY_MS = 15_000;
/** After so long everything is left to heal, and faults begin anew when it is. */
const ROUND_MS = 60_000;
/** Every so many rounds, the first among them, end with a restore of a backup that was taken at their beginning. */
const ROUNDS_A_RESTORE = 3;
/** What may happen while a backup is restored. */
const RESTORE_FAULTS = ["kill leader", "kill follower", "pause follower", "kill workerd"] as const;
/** How long watchers are away at the end of a round. */
const AWAY_MS = 4_000;
/** Clients that are behind are told of with their last answers, but no more than so many. */
const BEHIND_TOLD_MAX = 5;
/** Clients whose entitlement is also asked of the admin API. */
const RESOLVED_CLIENTS = 20;

export interface ChaosOptions {
  seconds: number;
  clients: number;
  processes: number;
  /** The mean time between two polls of a client, ms. */
  pollMs: number;
  seed: number;
  say: (line: string) => void;
  /** Ends the run early. */
  signal?: AbortSignal;
}

export interface ChaosReport {
  counts: Record<string, number>;
  faults: Record<string, number>;
  writes: { writes: number; repeated: number };
  /** Of each round, from the end of the last fault and the last write; null when some never got there. */
  convergedAfterMs: (number | null)[];
  /** What is wrong, in words; empty when all is well. */
  violations: string[];
}

/**
 * Random faults for `seconds` under clients that read and writers that release. Every minute, and in the end, everything is
 * left to heal, and every client must come to hold what the newest rules give it. Starts a stack of its own and stops it.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const stack = withSessions(
    await startStack({ env: { CONFLUX_NODES: String(CORE_NODES), CONFLUX_REGIONS: REGIONS.join() } }),
  );
  try {
    const writers = await Promise.all(
      Array.from({ length: CONFIGS }, (_, i) =>
        ConfigWriter.create({
          stack,
          name: `chaos-${i}.json`,
          chance: createPrng(options.seed + 100 + i),
          regions: REGIONS,
          clients: options.clients,
        }),
      ),
    );
    const clients = planClients(options.clients, writers, createPrng(options.seed));
    const load = await startLoad(stack, clients, options);
    try {
      return await carryOut(options, { stack, writers, clients, load });
    } finally {
      load.stop();
    }
  } finally {
    await stack.stop();
  }
}

interface Run {
  stack: SignedInStack;
  writers: readonly ConfigWriter[];
  clients: readonly ClientPlan[];
  load: LoadProcesses;
}

function planClients(count: number, writers: readonly ConfigWriter[], chance: Prng): ClientPlan[] {
  return Array.from({ length: count }, (_, number) => ({
    number,
    region: REGIONS[number % REGIONS.length]!,
    labels: {
      client: `c${number}`,
      cohort: String(chance.below(COHORTS)),
      tier: chance.pick(TIERS)!,
    },
    configs: chance.shuffle(writers.map(({ fullName }) => fullName)).slice(0, CONFIGS_OF_A_CLIENT),
    // Of each region's clients half poll, and half of the others watch by either way.
    watches: WATCHES[Math.floor(number / REGIONS.length) % WATCHES.length] ?? null,
  }));
}

function startLoad(
  stack: Stack,
  clients: readonly ClientPlan[],
  { processes, pollMs, seed }: ChaosOptions,
): Promise<LoadProcesses> {
  const { edge_url, client_token: token } = stack.dev;
  const edgePort = Number(new URL(edge_url).port);
  return LoadProcesses.start(
    Array.from({ length: processes }, (_, p) => ({
      edgePort,
      token,
      pollMs,
      seed: seed + 200 + p,
      clients: clients.filter(({ number }) => number % processes === p),
    })),
  );
}

async function carryOut(options: ChaosOptions, run: Run): Promise<ChaosReport> {
  const { load, writers, stack } = run;
  const faults = new StackFaults({
    stack,
    chance: createPrng(options.seed + 300),
    cutSockets: () => load.ask({ type: "cut", awayMs: 0 }),
    cancelRequests: (forMs) => load.ask({ type: "cancel", forMs }),
    say: options.say,
  });
  options.say(`${run.clients.length} clients are there`);
  const endMs = performance.now() + options.seconds * 1000;
  const isOver = (): boolean => performance.now() > endMs || options.signal?.aborted === true;
  const saying = setInterval(() => {
    void load.ask({ type: "tally" }).then(
      ({ counts }) => options.say(JSON.stringify(counts)),
      () => undefined,
    );
  }, SAY_EVERY_MS);
  try {
    const convergedAfterMs: (number | null)[] = [];
    const wrong: string[] = [];
    while (!isOver() && wrong.length === 0) {
      const restores = convergedAfterMs.length % ROUNDS_A_RESTORE === 0;
      const behind = await playRound(run, faults, { isOver, restores, say: options.say });
      convergedAfterMs.push(behind.afterMs);
      wrong.push(...behind.clients);
      options.say(`all clients up to date after ${behind.afterMs} ms`);
    }
    const history = historyOf(writers);
    wrong.push(...(await compareWithCore(run, history)));
    const { counts, violations } = await load.ask({ type: "judge", history });
    return {
      counts,
      faults: faults.counts,
      writes: sumWrites(writers),
      convergedAfterMs,
      violations: [...violations, ...wrong],
    };
  } finally {
    clearInterval(saying);
  }
}

/**
 * Faults for a minute, then the change that nobody may miss: while all watchers are away, and now and then workerd is
 * killed under them, every config gets its last version. No later change can hide that a watcher was not told.
 */
async function playRound(
  run: Run,
  faults: StackFaults,
  { isOver, restores, say }: { isOver: () => boolean; restores: boolean; say: (line: string) => void },
): Promise<{ afterMs: number | null; clients: string[] }> {
  const { load, writers, stack } = run;
  // A session lasts for a quarter of an hour.
  await stack.signIn();
  const backup = restores ? await takeBackup(stack) : null;
  const marks = writers.map((writer) => writer.mark());
  const endMs = performance.now() + ROUND_MS;
  for (const writer of writers) writer.start();
  await faults.run(() => isOver() || performance.now() > endMs);
  await acknowledged(writers.map((writer) => writer.stop()));
  if (backup !== null) {
    const epoch = await restore(run, faults, backup);
    for (const [i, writer] of writers.entries()) writer.restored(epoch, marks[i]!);
    const behind = await converge(load, historyOf(writers));
    if (behind.length > 0) {
      const now = `the core is in epoch ${await epochOf(stack)}, restored was ${epoch}`;
      return { afterMs: null, clients: [now, ...behind] };
    }
    say(`all clients hold what was restored, in epoch ${epoch}`);
  }
  await load.ask({ type: "cut", awayMs: AWAY_MS });
  const surprised = acknowledged(writers.map((writer) => writer.surprise()));
  // Looked at below.
  surprised.catch(() => undefined);
  if (faults.chance.chance(0.5)) await faults.one("kill workerd");
  await surprised;
  const healedMs = performance.now();
  const clients = await converge(load, historyOf(writers));
  return { afterMs: clients.length === 0 ? Math.round(performance.now() - healedMs) : null, clients };
}

/** Puts the state of a backup in the place of what all hold, now and then with a fault besides; answers the new epoch. */
async function restore({ stack, load }: Run, faults: StackFaults, backupId: string): Promise<number> {
  await load.ask({ type: "restoring" });
  const [epoch] = await Promise.all([
    restoreBackup(stack, backupId),
    faults.chance.chance(0.5) ? faults.one(faults.chance.pick(RESTORE_FAULTS)!) : null,
  ]);
  faults.note("restore");
  await load.ask({ type: "token", token: await issueClientToken(stack) });
  return epoch;
}

/** Waits for writes that nothing is in the way of any more. */
async function acknowledged(writes: readonly Promise<void>[]): Promise<void> {
  const late = sleep(LAST_WRITE_MS_MAX, undefined, { ref: false }).then(() => {
    throw new Error(`writes are not acknowledged ${LAST_WRITE_MS_MAX} ms after the last fault`);
  });
  await Promise.race([Promise.all(writes), late]);
}

function historyOf(writers: readonly ConfigWriter[]): ChaosHistory {
  return Object.fromEntries(writers.map(({ fullName, history }) => [fullName, history]));
}

/** The clients that are still behind at the end of their time; empty as soon as none is. */
async function converge(load: LoadProcesses, history: ChaosHistory): Promise<string[]> {
  const deadlineMs = performance.now() + CONVERGE_MS_MAX;
  for (;;) {
    const { behind }: LoadAnswer = await load.ask({ type: "behind", history });
    if (behind.length === 0) return [];
    if (performance.now() > deadlineMs) {
      return [`${behind.length} times a client is behind`, ...behind.slice(0, BEHIND_TOLD_MAX)];
    }
    await sleep(CONVERGE_CHECK_MS);
  }
}

/** The writers' view of the end must be the core's, read linearizably; and `resolve` must say of clients what their rules do. */
async function compareWithCore({ stack, writers, clients }: Run, history: ChaosHistory): Promise<string[]> {
  const found: string[] = [];
  for (const { id, fullName } of writers) {
    const path = `/mgt/configs/${id}/releases?consistency=linearizable`;
    const { json } = await answered(stack, path);
    const wanted = newestOf(history[fullName])?.states.at(-1)?.rules;
    if (JSON.stringify(json["releases"]) !== JSON.stringify(wanted)) {
      found.push(
        `${fullName} has ${JSON.stringify(json["releases"])}, acknowledged was ${JSON.stringify(wanted)}`,
      );
    }
  }
  for (const client of clients.slice(0, RESOLVED_CLIENTS)) {
    const [fullName] = client.configs;
    const writer = writers.find((each) => each.fullName === fullName);
    const query = new URLSearchParams({ "edge.region": client.region, consistency: "linearizable" });
    for (const [name, value] of Object.entries(client.labels)) query.set(`label.${name}`, value);
    const { json } = await answered(stack, `/mgt/configs/${writer?.id}/resolve?${query.toString()}`);
    const wanted = versionFor(newestOf(writer?.history)?.states.at(-1)?.rules ?? [], client);
    if (json["version_id"] !== wanted) {
      found.push(
        `resolve says ${JSON.stringify(json)} of client ${client.number} at ${fullName}, not v${wanted}`,
      );
    }
  }
  return found;
}

const answered = (stack: Stack, path: string) =>
  until(async () => {
    const answer = await admin(stack, "GET", path).catch(() => null);
    return answer?.status === 200 && answer;
  }, `GET ${path} is answered`);

function sumWrites(writers: readonly ConfigWriter[]): ChaosReport["writes"] {
  const sum = { writes: 0, repeated: 0 };
  for (const { counts } of writers) {
    sum.writes += counts.writes;
    sum.repeated += counts.repeated;
  }
  return sum;
}
