import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { ServiceTokens } from "../../adapters/core-client/service-token.ts";
import { ETCD_PROGRAM } from "./etcd-cluster.ts";
import { type Figure, figure } from "./figures.ts";
import { type BenchCluster, startConfluxCluster, startEtcdForBench } from "./raft-clusters.ts";
import { type Measurement, residentMib } from "./load-process.ts";
import { runLoad } from "./raft-load.ts";
import type { LoadInterface, LoadPlan, Operation } from "./raft-load-plan.ts";
import { type RaftCase, raftFigures, type Series } from "./raft-figures.ts";

const KV_NODE = join(import.meta.dirname, "raft-kv-node.ts");
const CORE_NODE = join(import.meta.dirname, "../../consensus/server/main.ts");
const CLIENTS = [1, 16, 64, 256];
const FULL = { runs: 3, warmupMs: 500, measureMs: 3_000 };
const QUICK = { runs: 1, warmupMs: 300, measureMs: 1_000 };
/** Every system runs at full load before anything counts: servers run for weeks, and young code is slow code. */
const WARM_UP: RaftCase = { name: "warm-up", operation: "put", valueBytes: 256, clients: 64 };
const WARM_UP_FACTOR = 2;
const TMPFS = 0x01021994;
const LIST_PAGE = 200;

const casesOf = (name: string, operation: Operation, valueBytes: number): RaftCase[] =>
  CLIENTS.map((clients) => ({ name: `${name} c=${clients}`, operation, valueBytes, clients }));
const KV_CASES: readonly RaftCase[] = [
  ...casesOf("put 256B", "put", 256),
  ...casesOf("read linearizable", "read linearizable", 256),
  ...casesOf("read stale", "read stale", 256),
  ...casesOf("put 1KB", "put", 1024),
];
const CORE_CASES = casesOf("create version 256B", "create version", 256);

/**
 * Three nodes of ours, each a process, with fsync, over HTTP, against three of etcd on the same disk: the same load
 * generator by turns. `put` and `read` are like for like, keys and values over the product's log and server;
 * `create version` goes through the whole core, which etcd has no counterpart for.
 */
export async function benchRaft(options: { quick: boolean }): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "conflux-bench-raft-"));
  console.error(
    `load average at the start: ${loadavg()
      .map((load) => load.toFixed(2))
      .join(" ")}`,
  );
  if (statfsSync(directory).type === TMPFS)
    console.error(
      `${directory} is in memory: fsync costs nothing there. Set TMPDIR to a directory on a disk`,
    );
  const bench = new RaftBench(directory, options.quick ? QUICK : FULL);
  try {
    return [...(await bench.keysAndValues()), ...(await bench.versions())];
  } finally {
    await bench.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

interface Contender {
  cluster: BenchCluster;
  vias: readonly LoadInterface[];
}

class RaftBench {
  readonly #directory: string;
  readonly #times: typeof FULL;
  readonly #serviceKey = randomBytes(32).toString("hex");
  readonly #tokens = new ServiceTokens(this.#serviceKey, "admin", Date.now);
  #running: BenchCluster[] = [];

  constructor(directory: string, times: typeof FULL) {
    this.#directory = directory;
    this.#times = times;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((cluster) => cluster.stop()));
  }

  async keysAndValues(): Promise<Figure[]> {
    const contenders: Contender[] = [{ cluster: await this.#startOurs("kv", KV_NODE), vias: ["conflux"] }];
    const etcd = await startEtcdForBench(join(this.#directory, "etcd"));
    if (etcd === null) console.error(`etcd is not installed (${ETCD_PROGRAM}): only our own figures follow`);
    else {
      this.#running.push(etcd);
      contenders.push({ cluster: etcd, vias: ["etcd-json", "etcd-grpc"] });
    }
    const fill: RaftCase = { name: "fill", operation: "put", valueBytes: 256, clients: 16 };
    for (const { cluster, vias } of contenders) await this.#fill(cluster, vias[0]!, fill);
    await this.#warmUp(contenders);
    const series = await this.#measure(KV_CASES, contenders);
    const figures = raftFigures(series);
    for (const { cluster, vias } of contenders)
      figures.push(memoryFigure(vias[0] === "conflux" ? "conflux" : "etcd", cluster));
    await this.stop();
    return figures;
  }

  async versions(): Promise<Figure[]> {
    const cluster = await this.#startOurs("core", CORE_NODE);
    const create: RaftCase = { name: "fill", operation: "create config", valueBytes: 256, clients: 16 };
    await this.#fill(cluster, "core", create);
    const configIds = await this.#listConfigs(await cluster.leader());
    const series = await this.#measure(CORE_CASES, [{ cluster, vias: ["core"] }], configIds);
    const figures = [...raftFigures(series), memoryFigure("conflux", cluster, "create version 256B")];
    await this.stop();
    return figures;
  }

  async #startOurs(name: string, program: string): Promise<BenchCluster> {
    const cluster = await startConfluxCluster({
      program,
      directory: join(this.#directory, name),
      serviceKey: this.#serviceKey,
    });
    this.#running.push(cluster);
    return cluster;
  }

  async #warmUp(contenders: readonly Contender[]): Promise<void> {
    for (const { cluster, vias } of contenders) {
      for (const via of vias) {
        const plan = await this.#plan(cluster, via, WARM_UP, []);
        await runLoad({ ...plan, measureMs: WARM_UP_FACTOR * plan.measureMs }, cluster.pids);
      }
    }
  }

  /** Every case in turn, and within a case every interface, in the other order in every second run. */
  async #measure(
    cases: readonly RaftCase[],
    contenders: readonly Contender[],
    configIds: readonly string[] = [],
  ): Promise<Series[]> {
    const turns = contenders.flatMap(({ cluster, vias }) => vias.map((via) => ({ cluster, via })));
    const all: Series[] = [];
    for (let run = 0; run < this.#times.runs; run += 1) {
      for (const raftCase of cases) {
        for (const { cluster, via } of run % 2 === 0 ? turns : turns.toReversed()) {
          const plan = await this.#plan(cluster, via, raftCase, configIds);
          const measured = await runLoad(plan, cluster.pids);
          const series = all.find((one) => one.case === raftCase && one.via === via);
          if (series === undefined) all.push({ case: raftCase, via, runs: [measured] });
          else series.runs.push(measured);
          console.error(progressLine(raftCase, via, measured));
        }
      }
    }
    return all;
  }

  async #fill(cluster: BenchCluster, via: LoadInterface, raftCase: RaftCase): Promise<void> {
    const plan = await this.#plan(cluster, via, raftCase, []);
    await runLoad({ ...plan, warmupMs: 0, measureMs: 0 }, cluster.pids);
  }

  /** Stale reads go to all nodes alike; everything else to the leader, in both systems the shortest way. */
  async #plan(
    cluster: BenchCluster,
    via: LoadInterface,
    { operation, valueBytes, clients }: RaftCase,
    configIds: readonly string[],
  ): Promise<LoadPlan> {
    return {
      via,
      operation,
      valueBytes,
      clients,
      targets: operation === "read stale" ? cluster.targets : [await cluster.leader()],
      token: via === "conflux" || via === "core" ? await this.#tokens.token() : "",
      configIds,
      warmupMs: this.#times.warmupMs,
      measureMs: this.#times.measureMs,
    };
  }

  async #listConfigs({ host, port }: { host: string; port: number }): Promise<string[]> {
    const core = new CoreClient({
      urls: [`http://${host}:${port}`],
      serviceKey: this.#serviceKey,
      role: "admin",
    });
    const ids: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await core.listConfigs({
        tenant: "demo",
        limit: LIST_PAGE,
        ...(cursor === null ? {} : { cursor }),
      });
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.next_cursor;
    } while (cursor !== null);
    return ids;
  }
}

function progressLine({ name }: RaftCase, via: LoadInterface, m: Measurement): string {
  const rate = Math.round((m.operations / m.durationMs) * 1000);
  const cpu = `${Math.round(m.serverCpuUsPerOperation)} + ${Math.round(m.loadCpuUsPerOperation)} µs CPU an operation`;
  return `${name.padEnd(26)} ${via.padEnd(10)} ${String(rate).padStart(6)}/s  p50 ${m.p50Ms.toFixed(2)} ms  p99 ${m.p99Ms.toFixed(2)} ms  ${cpu}`;
}

/** Resident memory a node when all was done; min, median and max are over the nodes. */
function memoryFigure(system: string, cluster: BenchCluster, name = "put and read"): Figure {
  return figure(
    { bench: "raft", case: name, system, metric: "resident_mib", unit: "MiB" },
    residentMib(cluster.pids),
  );
}
