/** What it costs a loaded node when another one joins, which is sent a copy of the whole state. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CoreClient } from "../../adapters/core-client/core-client.ts";
import type { CoreProcesses } from "../testing/core-processes.ts";
import type { ConfigRef, GrowthLoad } from "./growth-load.ts";
import { loopDelayMaxMs, OPERATOR, termOf } from "./growth-node.ts";

const LEADER = 1;
/** The first id that no node had before. */
const NEWCOMER = 3;
const LOOK_EVERY_MS = 5;
const MIB = 1024 * 1024;
/** Where the copy lies until the new node has it, below the leader's data directory; and where it arrives. */
const COPY = "outgoing.db";
const SNAPSHOTS = "snapshot";

interface Join {
  copyMiB: number;
  /** The copy is made and its hash, until the new node begins to write it down. */
  copyMs: number;
  /** From there until the new node votes: sent, checked, put in place, caught up. */
  sendMs: number;
  leaderDelayMs: number;
  newcomerDelayMs: number;
  slowestWriteMs: number;
  elections: number;
}

/** So many nodes join in turn and leave again, while a client writes to the leader without a pause. */
export async function measureJoin(bench: {
  nodes: CoreProcesses;
  core: CoreClient;
  load: GrowthLoad;
  refs: readonly ConfigRef[];
  runs: number;
}): Promise<{ metric: string; unit: string; values: number[] }[]> {
  const joins: Join[] = [];
  for (let run = 0; run < bench.runs; run += 1) joins.push(await joinOnce(bench, NEWCOMER + run));
  const series = (metric: string, unit: string, of: (one: Join) => number) => ({
    metric,
    unit,
    values: joins.map(of),
  });
  return [
    series("snapshot_mib", "MiB", (one) => one.copyMiB),
    series("snapshot_copy_ms", "ms", (one) => one.copyMs),
    series("snapshot_send_install_ms", "ms", (one) => one.sendMs),
    series("snapshot_loop_delay_max_ms", "ms", (one) => one.leaderDelayMs),
    series("install_loop_delay_max_ms", "ms", (one) => one.newcomerDelayMs),
    series("snapshot_write_max_ms", "ms", (one) => one.slowestWriteMs),
    series("snapshot_elections", "elections", (one) => one.elections),
  ];
}

async function joinOnce(
  { nodes, core, load, refs }: Parameters<typeof measureJoin>[0],
  id: number,
): Promise<Join> {
  const leaderUrl = nodes.url(LEADER);
  // Behind the log, the new node cannot be brought up by entries alone.
  await core.takeSnapshot({ head: OPERATOR });
  await nodes.join(id, [LEADER]);
  const before = await termOf(leaderUrl);
  await loopDelayMaxMs(leaderUrl);
  let isOver = false;
  const writing = load.writeUntil(refs, () => isOver);
  const watching = watchCopy(nodes, id, () => isOver);
  const startMs = performance.now();
  try {
    for (;;) {
      const { role } = await core.addNode({
        node_id: id,
        raft_address: nodes.raftAddress(id),
        head: OPERATOR,
      });
      if (role === "voter") break;
    }
  } finally {
    isOver = true;
  }
  const endMs = performance.now();
  const { copyBytes, arrivesAtMs } = await watching;
  const slowestWriteMs = await writing;
  const found = {
    copyMiB: copyBytes / MIB,
    copyMs: arrivesAtMs - startMs,
    sendMs: endMs - arrivesAtMs,
    leaderDelayMs: await loopDelayMaxMs(leaderUrl),
    newcomerDelayMs: await loopDelayMaxMs(nodes.url(id)),
    slowestWriteMs,
    elections: (await termOf(leaderUrl)) - before,
  };
  await core.removeNode({ node_id: id, head: OPERATOR });
  await nodes.node(id).stop();
  nodes.wipe(id);
  return found;
}

/** Looks at the two directories: how large the copy was, and when it began to arrive. */
async function watchCopy(
  nodes: CoreProcesses,
  id: number,
  isOver: () => boolean,
): Promise<{ copyBytes: number; arrivesAtMs: number }> {
  const outgoing = join(nodes.dataDirectory(LEADER), SNAPSHOTS, COPY);
  const incoming = join(nodes.dataDirectory(id), SNAPSHOTS);
  let copyBytes = 0;
  let arrivesAtMs: number | null = null;
  while (!isOver()) {
    copyBytes = Math.max(copyBytes, statSync(outgoing, { throwIfNoEntry: false })?.size ?? 0);
    if (arrivesAtMs === null && readdirSync(incoming).length > 0) arrivesAtMs = performance.now();
    await sleep(LOOK_EVERY_MS);
  }
  if (arrivesAtMs === null) throw new Error("the new node was sent no copy of the state");
  return { copyBytes, arrivesAtMs };
}
