import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import type { ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { openRaftLog } from "../raft-log.ts";
import type { ContentSealerOptions } from "../../adapters/kms/content-sealer.ts";
import type { RaftLogLimits } from "../raft-log-options.ts";
import { NotProposedError, type ReplicatedLog } from "../replicated-log.ts";
import { createMemoryNetwork, type MemoryNetwork } from "../transport/memory-network.ts";
import type { BackupParts } from "./backup-service.ts";
import type { LogLine } from "./core-context.ts";
import { type CoreNode, startCoreNode } from "./core-node.ts";
import { type PeerAbilities, PeerKnowledge } from "./peer-knowledge.ts";
import { drillBackup } from "./restore-drill.ts";
import { talkToPeers } from "./talk-to-peers.ts";
import { TESTING_SERVICE_KEY } from "./testing-node.ts";

export interface ClusterMember extends CoreNode {
  id: number;
  log: ReplicatedLog<ApplyOutcome>;
  peers: PeerKnowledge;
  /** Its own wall clock. */
  wallMs: () => number;
}
export interface TestingCluster {
  network: MemoryNetwork;
  members: Map<number, ClusterMember>;
  lines: LogLine[];
  leader(): Promise<ClusterMember>;
  /** Lets `id` lead. A transfer that a busy machine lets pass is asked for again, as whoever asks is told. */
  lead(id: number): Promise<ClusterMember>;
  /** A client of these members, all of them by default, whose clock is right for the first. */
  client(...of: ClusterMember[]): CoreClient;
  stop(id: number): Promise<void>;
  start(id: number): Promise<ClusterMember>;
  close(): Promise<void>;
}

interface ClusterOptions {
  size: number;
  /** How each member's clock stands, by id; absent ones are right. */
  clockOffsetsMs?: Record<number, number>;
  /** What members say that they understand, by id; absent ones are of this build. */
  abilities?: Record<number, PeerAbilities>;
  /** What encrypts contents; absent: nothing does. */
  encryption?: ContentSealerOptions;
  /** Members that are not started: nobody reaches them. */
  absent?: readonly number[];
  limits?: Partial<RaftLogLimits>;
  /** Where backups go, one for all members; absent: nowhere. Drills run where they are asked for. */
  storage?: ObjectStorage;
}

/** Whole core nodes in this process, with real files and HTTP, joined by memory. */
export async function startTestingCluster(options: ClusterOptions): Promise<TestingCluster> {
  const directory = mkdtempSync(join(tmpdir(), "conflux-cluster-"));
  const network = createMemoryNetwork();
  const members = new Map<number, ClusterMember>();
  const lines: LogLine[] = [];
  const ids = Array.from({ length: options.size }, (_, i) => i + 1);

  const start = async (id: number): Promise<ClusterMember> => {
    const member = await startMember({ id, ids, directory, network, lines, options });
    members.set(id, member);
    return member;
  };
  const stop = async (id: number): Promise<void> => {
    const member = members.get(id);
    members.delete(id);
    await member?.stop();
  };
  const leader = async (): Promise<ClusterMember> => {
    for (;;) {
      const all = [...members.values()];
      const led = all.find(({ log }) => log.status().role === "leader");
      if (led !== undefined && all.every(({ log }) => log.status().leaderId === led.id)) return led;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const lead = async (id: number): Promise<ClusterMember> => {
    for (;;) {
      const now = await leader();
      if (now.id === id) return now;
      await now.log.transferLeader(id).catch((error: unknown) => {
        if (!(error instanceof NotProposedError)) throw error;
      });
    }
  };
  await Promise.all(ids.filter((id) => options.absent?.includes(id) !== true).map(start));
  return {
    network,
    members,
    lines,
    leader,
    lead,
    client: (...of) => {
      const chosen = of.length === 0 ? [...members.values()] : of;
      const urls = chosen.map(({ url }) => url);
      const now = chosen[0]?.wallMs;
      return new CoreClient({
        urls,
        serviceKey: TESTING_SERVICE_KEY,
        role: "admin",
        ...(now === undefined ? {} : { now }),
      });
    },
    stop,
    start,
    close: async () => {
      await Promise.all([...members.keys()].map(stop));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function startMember(of: {
  id: number;
  ids: readonly number[];
  directory: string;
  network: MemoryNetwork;
  lines: LogLine[];
  options: ClusterOptions;
}): Promise<ClusterMember> {
  const { id, ids, directory, network, lines, options } = of;
  const place = join(directory, String(id));
  mkdirSync(place, { recursive: true });
  const wallMs = (): number => Date.now() + (options.clockOffsetsMs?.[id] ?? 0);
  const peers = new PeerKnowledge({ path: join(place, "peers.json") });
  const logger = (line: LogLine): void => void lines.push({ ...line, node: id });
  const own = options.abilities?.[id];
  const talk = talkToPeers({
    channel: network.infoChannel(id),
    knowledge: peers,
    logger,
    wallMs,
    ...(own === undefined ? {} : { own }),
  });
  const opened: ReplicatedLog<ApplyOutcome>[] = [];
  const node = await startCoreNode({
    clusterId: "c1",
    statePath: join(place, "state.db"),
    journal: "wal",
    serviceKey: TESTING_SERVICE_KEY,
    host: "127.0.0.1",
    port: 0,
    now: wallMs,
    peers,
    logger,
    encryption: options.encryption ?? null,
    backup: options.storage === undefined ? null : backupsIn(options.storage, join(place, "backup")),
    openLog: async (stateMachine) => {
      const log = await openRaftLog({
        nodeId: id,
        directory: place,
        members: ids,
        stateMachine,
        transport: network.transport(id),
        onFatal: (error) => {
          throw error;
        },
        // Short ticks make elections quick; the proportions stay.
        limits: { tickMs: 50, startTimeoutMs: 20_000, ...options.limits },
      });
      opened.push(log);
      talk.watchClocks(log);
      return log;
    },
  });
  const [log] = opened;
  if (log === undefined) throw new Error("the node opened no log");
  const stopNode = async (): Promise<void> => {
    talk.stop();
    await node.stop();
  };
  return { ...node, id, log, peers, wallMs, stop: stopNode };
}

function backupsIn(storage: ObjectStorage, directory: string): Omit<BackupParts, "nowMs"> {
  return {
    storage,
    directory,
    intervalMs: 0,
    keepCount: 100,
    keepDays: 100,
    drill: (backupId) => drillBackup({ storage, backupId, directory, nowMs: Date.now }),
  };
}
