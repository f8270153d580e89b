import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ETCD_PROGRAM } from "./etcd-cluster.ts";
import {
  type FailoverNode,
  type FailoverSystem,
  startConfluxSystem,
  startEtcdSystem,
} from "./failover-systems.ts";
import { type Figure, figure, quantile } from "./figures.ts";

const KILLS = 30;
const RESTARTS = 10;
/** A write is asked of every node that runs this often, whether the one before was answered or not. */
const PROBE_EVERY_MS = 10;
const PROBE_TIMEOUT_MS = 500;
/** Writes on the way to one node: more than PROBE_TIMEOUT_MS lets there be, or a node that answers nobody would stop the probes. */
const PROBES_MAX = 64;
/** Probes go on this long around a planned restart. */
const RESTART_LEAD_MS = 200;
const RESTART_TAIL_MS = 1_500;
const RECOVERY_MAX_MS = 15_000;
const LOADED_MS = 60_000;
const LOAD_WRITERS = 16;
const LOAD_TIMEOUT_MS = 5_000;
/** So that kills do not keep time with heartbeats. */
const SETTLE_MS = { min: 300, spread: 500 };

/**
 * Nodes alone, nothing of the system above them, each system with its default timeouts: how long after kill -9 of the
 * leader the next write is acknowledged, what a planned restart of the leader costs, and whether load alone makes
 * elections. Writes are asked of all three nodes every 10 ms, in the same way for both systems.
 */
export async function benchNodeFailover(): Promise<Figure[]> {
  const figures = await measureIn(startConfluxSystem);
  const peer = await measureIn(startEtcdSystem);
  if (peer.length === 0) console.error(`no figures of etcd: ${ETCD_PROGRAM} is not installed`);
  return [...figures, ...peer];
}

async function measureIn(start: (directory: string) => Promise<FailoverSystem | null>): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "conflux-failover-"));
  try {
    const system = await start(directory);
    if (system === null) return [];
    try {
      return [...(await killed(system)), ...(await restarted(system)), ...(await loaded(system))];
    } finally {
      await system.stop();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** `case` with the timeout that decides: it is the default of either system. */
const TIMEOUTS = { conflux: "500-1,000 ms", etcd: "1,000-2,000 ms" };

async function killed(system: FailoverSystem): Promise<Figure[]> {
  const samplesMs: number[] = [];
  const terms: number[] = [];
  for (let i = 0; i < KILLS; i += 1) {
    const leader = await settled(system);
    const term = await system.term();
    const probes = new Probes(system);
    await leader.process.kill();
    const killedAtMs = performance.now();
    const writtenAtMs = await probes.firstAfter(killedAtMs);
    probes.stop();
    samplesMs.push(writtenAtMs - killedAtMs);
    await leader.process.start();
    await system.whole();
    terms.push((await system.term()) - term);
  }
  const name = `kill -9 of the leader, 3 nodes, election timeout ${TIMEOUTS[system.name]}`;
  const key = { bench: "failover", case: name, system: system.name };
  // More than one: votes were split.
  return [...samples(system, name, samplesMs), figure({ ...key, metric: "terms", unit: "terms" }, terms)];
}

async function restarted(system: FailoverSystem): Promise<Figure[]> {
  const gapsMs: number[] = [];
  for (let i = 0; i < RESTARTS; i += 1) {
    const leader = await settled(system);
    const probes = new Probes(system);
    await sleep(RESTART_LEAD_MS);
    const begunAtMs = performance.now();
    await leader.process.stop();
    await leader.process.start();
    await probes.firstAfter(performance.now());
    await sleep(RESTART_TAIL_MS);
    probes.stop();
    gapsMs.push(probes.longestGapAround(begunAtMs));
  }
  return samples(system, "planned restart of the leader (SIGTERM), 3 nodes", gapsMs);
}

/** Counts the elections of a minute in which nothing fails. */
async function loaded(system: FailoverSystem): Promise<Figure[]> {
  const leader = await settled(system);
  const before = await system.term();
  const endsAtMs = performance.now() + LOADED_MS;
  let written = 0;
  const writer = async (): Promise<void> => {
    while (performance.now() < endsAtMs) {
      if (await system.write(leader, LOAD_TIMEOUT_MS)) written += 1;
    }
  };
  await Promise.all(Array.from({ length: LOAD_WRITERS }, writer));
  const elections = (await system.term()) - before;
  const key = {
    bench: "failover",
    case: `a minute under ${LOAD_WRITERS} writers without failures, 3 nodes`,
    system: system.name,
  };
  return [
    figure({ ...key, metric: "elections", unit: "elections" }, [elections]),
    figure({ ...key, metric: "writes_per_s", unit: "writes/s" }, [(written * 1_000) / LOADED_MS]),
  ];
}

/** Waits until all nodes are there, and a moment more; answers the leader. */
async function settled(system: FailoverSystem): Promise<FailoverNode> {
  await system.whole();
  await sleep(SETTLE_MS.min + Math.random() * SETTLE_MS.spread);
  return system.leader();
}

function samples(system: FailoverSystem, name: string, samplesMs: readonly number[]): Figure[] {
  const key = { bench: "failover", case: name, system: system.name, unit: "ms" };
  return [
    figure({ ...key, metric: "time_without_writes_ms" }, samplesMs),
    figure({ ...key, metric: "time_without_writes_p99_ms" }, [quantile(samplesMs, 0.99)]),
  ];
}

/** Writes asked of every node that runs, every PROBE_EVERY_MS, and when those that were acknowledged began and ended. */
class Probes {
  readonly #system: FailoverSystem;
  readonly #timer: NodeJS.Timeout;
  readonly #pending = new Map<FailoverNode, number>();
  #acknowledged: { begunAtMs: number; atMs: number }[] = [];

  constructor(system: FailoverSystem) {
    this.#system = system;
    this.#timer = setInterval(() => this.#probe(), PROBE_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** When the first write that began after `momentMs` was acknowledged. */
  async firstAfter(momentMs: number): Promise<number> {
    const deadlineMs = performance.now() + RECOVERY_MAX_MS;
    for (;;) {
      const first = this.#acknowledged.find(({ begunAtMs }) => begunAtMs > momentMs);
      if (first !== undefined) return first.atMs;
      if (performance.now() > deadlineMs) throw new Error(`no write within ${RECOVERY_MAX_MS} ms`);
      await sleep(1);
    }
  }

  /** The longest time between two acknowledged writes, of those that end after `momentMs`. */
  longestGapAround(momentMs: number): number {
    const times = this.#acknowledged.map(({ atMs }) => atMs).toSorted((a, b) => a - b);
    const from = times.findLastIndex((atMs) => atMs <= momentMs);
    const around = times.slice(Math.max(0, from));
    return Math.max(0, ...around.slice(1).map((atMs, i) => atMs - (around[i] ?? atMs)));
  }

  #probe(): void {
    for (const node of this.#system.nodes) {
      const pending = this.#pending.get(node) ?? 0;
      if (!node.process.running || pending >= PROBES_MAX) continue;
      this.#pending.set(node, pending + 1);
      void this.#ask(node);
    }
  }

  async #ask(node: FailoverNode): Promise<void> {
    const begunAtMs = performance.now();
    const isWritten = await this.#system.write(node, PROBE_TIMEOUT_MS);
    if (isWritten) this.#acknowledged.push({ begunAtMs, atMs: performance.now() });
    this.#pending.set(node, (this.#pending.get(node) ?? 1) - 1);
  }
}
