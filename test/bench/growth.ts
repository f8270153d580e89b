import { readdirSync, statSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import type { CoreClient } from "../../adapters/core-client/core-client.ts";
import { type CoreProcesses, makeCoreProcesses, CORE_SERVICE_KEY } from "../testing/core-processes.ts";
import { type Figure, figure, quantile } from "./figures.ts";
import { type ConfigRef, GrowthLoad, listAll } from "./growth-load.ts";
import { measureJoin } from "./growth-join.ts";
import { loopDelayMaxMs, OPERATOR } from "./growth-node.ts";
import { cpuUs, residentMib } from "./load-process.ts";

const SIZES = { full: [1_000, 10_000, 100_000], quick: [100, 1_000] };
const VERSIONS = 10;
const RUNS = 3;
/** Requests of a run, one after the other. */
const REQUESTS = 300;
const MIB = 1024 * 1024;
const NODE = 1;

/**
 * One core node with 1,000, 10,000 and 100,000 configs of ten versions each: what it costs in memory, on disk and in time, and
 * what a second node costs it that joins and is sent all of it. Everything comes in over HTTP, by 256 clients at once.
 */
export async function benchGrowth(options: { quick: boolean }): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const configs of options.quick ? SIZES.quick : SIZES.full) {
    const nodes = await makeCoreProcesses();
    try {
      figures.push(...(await new Growth(nodes, configs, options.quick ? 1 : RUNS).measure()));
    } finally {
      await nodes.close();
    }
  }
  return figures;
}

/** The figures of one size. */
class Growth {
  readonly #nodes: CoreProcesses;
  readonly #configs: number;
  readonly #runs: number;
  readonly #load: GrowthLoad;
  readonly #core: CoreClient;
  readonly #figures: Figure[] = [];

  constructor(nodes: CoreProcesses, configs: number, runs: number) {
    this.#nodes = nodes;
    this.#configs = configs;
    this.#runs = runs;
    this.#load = new GrowthLoad(nodes.url(NODE), CORE_SERVICE_KEY);
    this.#core = nodes.client([NODE]);
  }

  async measure(): Promise<Figure[]> {
    await foundAlone(this.#nodes, this.#core);
    console.error(`${this.#configs} configs; load average ${loadavg()[0]?.toFixed(2)}`);
    const refs = await this.#fill();
    this.#note("resident_loaded_mib", "MiB", this.#resident());
    await this.#ask(refs);
    await this.#compact(refs);
    this.#sizes();
    await this.#restart(refs);
    for (const { metric, unit, values } of await measureJoin({
      nodes: this.#nodes,
      core: this.#core,
      load: this.#load,
      refs,
      runs: this.#runs,
    }))
      this.#note(metric, unit, values);
    return this.#figures;
  }

  async #fill(): Promise<ConfigRef[]> {
    await this.#delayMs();
    this.#note("create_configs_per_s", "writes/s", [await this.#load.createConfigs(this.#configs)]);
    const refs = await listAll(this.#core, this.#configs);
    const beforeUs = this.#cpuUs();
    const rate = await this.#load.createVersions(refs, VERSIONS - 1);
    const usedUs = this.#cpuUs() - beforeUs;
    this.#note("create_versions_per_s", "writes/s", [rate]);
    this.#note("create_version_cpu_us", "µs", [usedUs / (refs.length * (VERSIONS - 1))]);
    this.#note("loading_loop_delay_max_ms", "ms", [await this.#delayMs()]);
    return refs;
  }

  async #ask(refs: readonly ConfigRef[]): Promise<void> {
    const reads: number[][] = [];
    const writes: number[][] = [];
    for (let run = 0; run < this.#runs; run += 1) {
      reads.push(await this.#load.readSome(refs, REQUESTS));
      writes.push(await this.#load.writeSome(refs, REQUESTS));
    }
    for (const [name, samples] of Object.entries({ read: reads, write: writes })) {
      for (const [q, percent] of [
        [0.5, "p50"],
        [0.99, "p99"],
      ] as const) {
        this.#note(
          `${name}_${percent}_ms`,
          "ms",
          samples.map((one) => quantile(one, q)),
        );
      }
    }
  }

  /** The log is let go of, as `POST /mgt/cluster/snapshot` does it: the state is made durable as it stands. */
  async #compact(refs: readonly ConfigRef[]): Promise<void> {
    const tookMs: number[] = [];
    const delaysMs: number[] = [];
    for (let run = 0; run < this.#runs; run += 1) {
      // So that there is something to let go of.
      await this.#load.createVersions(refs.slice(0, REQUESTS), 1);
      await this.#delayMs();
      const startMs = performance.now();
      await this.#core.takeSnapshot({ head: OPERATOR });
      tookMs.push(performance.now() - startMs);
      delaysMs.push(await this.#delayMs());
    }
    this.#note("compact_ms", "ms", tookMs);
    this.#note("compact_loop_delay_max_ms", "ms", delaysMs);
  }

  #sizes(): void {
    const directory = this.#nodes.dataDirectory(NODE);
    const state = statSync(join(directory, "state.db")).size;
    const log = readdirSync(join(directory, "wal")).map(
      (name) => statSync(join(directory, "wal", name)).size,
    );
    this.#note("state_file_mib", "MiB", [state / MIB]);
    this.#note("log_files_mib", "MiB", [log.reduce((sum, size) => sum + size, 0) / MIB]);
  }

  /** Killed, and started again: until it answers a linearizable read. */
  async #restart(refs: readonly ConfigRef[]): Promise<void> {
    const tookMs: number[] = [];
    const cpuMs: number[] = [];
    const resident: number[] = [];
    for (let run = 0; run < this.#runs; run += 1) {
      await this.#load.createVersions(refs.slice(0, REQUESTS), 1);
      await this.#nodes.node(NODE).kill();
      const startMs = performance.now();
      await this.#nodes.node(NODE).start();
      await this.#load.readable(refs[0]!);
      tookMs.push(performance.now() - startMs);
      cpuMs.push(this.#cpuUs() / 1_000);
      resident.push(...this.#resident());
    }
    this.#note("restart_ms", "ms", tookMs);
    this.#note("restart_cpu_ms", "ms", cpuMs);
    this.#note("resident_restarted_mib", "MiB", resident);
  }

  #resident(): number[] {
    return residentMib([this.#nodes.node(NODE).pid]);
  }

  /** Of the process as it runs: what a busy machine adds to the times is not in it. */
  #cpuUs(): number {
    return cpuUs([this.#nodes.node(NODE).pid]);
  }

  #delayMs(): Promise<number> {
    return loopDelayMaxMs(this.#nodes.url(NODE));
  }

  #note(metric: string, unit: string, values: readonly number[]): void {
    const name = `${this.#configs} configs, ${VERSIONS} versions each`;
    const one = figure({ bench: "growth", case: name, system: "conflux", metric, unit }, values);
    console.error(`${metric.padEnd(30)} ${one.min} / ${one.median} / ${one.max} ${unit}`);
    this.#figures.push(one);
  }
}

/** A cluster of one node that others can join: founded by two, of which one is removed. */
async function foundAlone(nodes: CoreProcesses, core: CoreClient): Promise<void> {
  await nodes.found([NODE, NODE + 1]);
  await core.removeNode({ node_id: NODE + 1, head: OPERATOR });
  await nodes.node(NODE + 1).stop();
}
