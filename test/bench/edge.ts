import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { EDGE_CASES, type EdgeCase, PEER_PATH } from "./edge-cases.ts";
import { type EdgeSeries, edgeFigures, firstAnswerFigure, progressLine } from "./edge-figures.ts";
import type { EdgeLoadPlan } from "./edge-load-plan.ts";
import {
  type BenchCredentials,
  benchCredentials,
  type Calls,
  type EdgeSystem,
  type EdgeTarget,
  PEER,
  startEdgeSystem,
  startPeer,
} from "./edge-systems.ts";
import type { Figure } from "./figures.ts";
import { type Measurement, runLoadProcess } from "./load-process.ts";

const PROGRAM = join(import.meta.dirname, "edge-load-child.ts");
const CONNECTIONS = 64;
const RATE_PER_S = 1_000;
/** So many that none sends enough for the location's counter to be asked about it. */
const CLIENTS = 8_192;
const FULL = { runs: 3, warmupMs: 400, saturationMs: 1_600, fixedRateMs: 3_000 };
const QUICK = { runs: 1, warmupMs: 300, saturationMs: 700, fixedRateMs: 1_000 };

/**
 * Our fetch against a one-route Hono Worker that answers a constant of the same size, each in a raw workerd of its own on
 * this machine, by turns under one load generator: requests a second of 64 connections at saturation, latency at a fixed
 * rate. Throws when a hit has asked anybody anything but, once in a while, what has changed. Quick runs do not ask for
 * all of the 100,000 configs first.
 */
export async function benchEdge(options: { quick: boolean }): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "conflux-bench-edge-"));
  const bench = new EdgeBench(directory, options.quick, await benchCredentials());
  try {
    const firstAnswers = await bench.coldStarts();
    return [...edgeFigures(await bench.cases()), ...firstAnswers];
  } finally {
    await bench.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

class EdgeBench {
  readonly #directory: string;
  readonly #isQuick: boolean;
  readonly #times: typeof FULL;
  readonly #credentials: BenchCredentials;
  readonly #running: EdgeTarget[] = [];
  readonly #peers = new Map<number, EdgeTarget>();

  constructor(directory: string, isQuick: boolean, credentials: BenchCredentials) {
    this.#directory = directory;
    this.#isQuick = isQuick;
    this.#times = isQuick ? QUICK : FULL;
    this.#credentials = credentials;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map(({ workerd }) => workerd.stop()));
  }

  /** How long the very first answer of a new process takes: the script compiled, keys, head and document asked for. */
  async coldStarts(): Promise<Figure[]> {
    const [one] = EDGE_CASES;
    if (one === undefined) return [];
    const firstMs = { conflux: [] as number[], [PEER]: [] as number[] };
    for (let run = 0; run < this.#times.runs; run += 1) {
      for (const target of [
        await this.#startOurs(`cold-${run}`),
        await this.#startPeer(`cold-peer-${run}`, one),
      ]) {
        const startMs = performance.now();
        await this.#ask(target, one);
        firstMs[target.system].push(performance.now() - startMs);
      }
      await this.stop();
    }
    return [firstAnswerFigure("conflux", firstMs.conflux), firstAnswerFigure(PEER, firstMs[PEER])];
  }

  /** Every case in turn, and within a case both systems, in the other order in every second run. */
  async cases(): Promise<EdgeSeries[]> {
    const isolates = { few: await this.#startOurs("few"), many: await this.#startOurs("many") };
    await this.#fill(isolates);
    const all: EdgeSeries[] = [];
    for (let run = 0; run < this.#times.runs; run += 1) {
      const loads = loadavg().map((load) => load.toFixed(1));
      console.error(`run ${run + 1} of ${this.#times.runs}, load average ${loads.join(" ")}`);
      for (const one of EDGE_CASES) {
        const ours = isolates[one.isolate];
        // A case of misses may have driven out what this one needs.
        if (one.isHit) await this.#askForAll(one, ours);
        const targets = one.isHit ? [ours, await this.#peerOf(one)] : [ours];
        for (const target of run % 2 === 0 ? targets : targets.toReversed()) {
          const held = all.find((series) => series.case === one && series.system === target.system);
          const series = held ?? { case: one, system: target.system, saturation: [], fixedRate: [] };
          if (held === undefined) all.push(series);
          const measure = (): Promise<void> => this.#measure(series, target);
          await (target === ours && one.isHit ? requireHits(one, ours, measure) : measure());
        }
      }
    }
    return all;
  }

  /** Asks for everything once, so that what follows is in memory as far as memory goes: the many first, then the hot. */
  async #fill(isolates: Record<EdgeCase["isolate"], EdgeSystem>): Promise<void> {
    for (const one of EDGE_CASES.toSorted((a, b) => b.paths.length - a.paths.length)) {
      if (!one.isHit && this.#isQuick) continue;
      if (!one.isHit) console.error(`asking for each of ${one.paths.length} configs once`);
      await this.#askForAll(one, isolates[one.isolate]);
    }
  }

  async #askForAll(one: EdgeCase, ours: EdgeSystem): Promise<void> {
    const plan = await this.#plan(one, ours);
    await this.#run(one, ours, { ...plan, clients: 1, warmupMs: 0, measureMs: 0 });
  }

  async #measure(series: EdgeSeries, target: EdgeTarget): Promise<void> {
    const { case: one, system } = series;
    const plan = await this.#plan(one, target);
    const measureMs = this.#times.saturationMs;
    const saturation = await this.#run(one, target, { ...plan, measureMs });
    series.saturation.push(saturation);
    console.error(progressLine(one, system, saturation));
    if (!one.isTimed) return;
    const fixed = { ...plan, ratePerS: RATE_PER_S, measureMs: this.#times.fixedRateMs };
    series.fixedRate.push(await this.#run(one, target, fixed));
  }

  #run(one: EdgeCase, { workerd, system }: EdgeTarget, plan: EdgeLoadPlan): Promise<Measurement> {
    return runLoadProcess({ program: PROGRAM, name: `${one.name}, ${system}`, plan, pids: [workerd.pid] });
  }

  async #plan(one: EdgeCase, target: EdgeTarget): Promise<EdgeLoadPlan> {
    const isOurs = target.system === "conflux";
    return {
      port: target.port,
      paths: isOurs ? one.paths : [PEER_PATH],
      headers: { ...this.#credentials.headers, ...(one.isKnown ? await this.#condition(one, target) : {}) },
      clients: CLIENTS,
      status: isOurs && one.isKnown ? 304 : 200,
      connections: CONNECTIONS,
      ratePerS: null,
      warmupMs: this.#times.warmupMs,
      measureMs: this.#times.saturationMs,
    };
  }

  /** The peer is sent the same header and answers as always. */
  async #condition(one: EdgeCase, target: EdgeTarget): Promise<Record<string, string>> {
    return { "if-none-match": (await this.#ask(target, one)).headers.get("etag") ?? `"1-${"0".repeat(32)}"` };
  }

  async #ask(target: EdgeTarget, one: EdgeCase): Promise<Response> {
    const path = target.system === "conflux" ? one.paths[0] : PEER_PATH;
    const { headers } = this.#credentials;
    const response = await fetch(`http://127.0.0.1:${target.port}${path}`, { headers });
    const { byteLength } = await response.arrayBuffer();
    if (response.status === 200 && byteLength === one.bytes) return response;
    throw new Error(`${one.name}, ${target.system}: ${response.status} with ${byteLength} bytes`);
  }

  async #startOurs(name: string): Promise<EdgeSystem> {
    const system = await startEdgeSystem(join(this.#directory, name), this.#credentials);
    this.#running.push(system);
    return system;
  }

  /** A process of its own for each size: the body is a constant of the Worker. */
  async #peerOf(one: EdgeCase): Promise<EdgeTarget> {
    const peer = this.#peers.get(one.bytes) ?? (await this.#startPeer(`peer-${one.bytes}`, one));
    this.#peers.set(one.bytes, peer);
    return peer;
  }

  async #startPeer(name: string, { bytes }: EdgeCase): Promise<EdgeTarget> {
    const peer = await startPeer(join(this.#directory, name), { path: PEER_PATH, bytes });
    this.#running.push(peer);
    return peer;
  }
}

/** Throws when the edge has asked for anything that a hit has in memory while `measure` ran. */
async function requireHits(one: EdgeCase, ours: EdgeSystem, measure: () => Promise<void>): Promise<void> {
  const before = await ours.calls();
  const startMs = performance.now();
  await measure();
  const after = await ours.calls();
  const asked = (name: keyof Calls): number => after[name] - before[name];
  // The head is checked at most once in HEAD_TTL_MS (a second); the key set may turn old once.
  const changesMax = Math.ceil((performance.now() - startMs) / 1000) + 1;
  const isHit = asked("lookups") + asked("contents") + asked("kv_gets") === 0 && asked("key_sets") <= 1;
  if (isHit && asked("changes") <= changesMax) return;
  throw new Error(`${one.name}: a hit has asked the region: ${JSON.stringify({ before, after })}`);
}
