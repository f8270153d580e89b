import { existsSync } from "node:fs";
import { join } from "node:path";
import { openRaftLog } from "../raft-log.ts";
import type { ReplicatedLog, StateMachine } from "../replicated-log.ts";
import { createMemoryNetwork } from "../transport/memory-network.ts";
import { TlsTransport } from "../transport/tls-transport.ts";
import type { Logger } from "./core-context.ts";
import { enterCluster } from "./enter-cluster.ts";
import { readFoundingRecord } from "./founding-record.ts";
import { observeLog } from "./observe-log.ts";
import { OWN_ABILITIES, readsSnapshots } from "./own-abilities.ts";
import { PeerBook } from "./peer-book.ts";
import { PeerKnowledge } from "./peer-knowledge.ts";
import { talkToPeers } from "./talk-to-peers.ts";
import { EnvironmentError } from "./environment-error.ts";
import { readPeerCredentials } from "./read-peer-credentials.ts";
import type { CoreEnvironment } from "./read-environment.ts";
import type { PeerEnvironment } from "./read-peers.ts";

const TICK_MS = 100;
const STAGING_DIRECTORY = "snapshot";

interface OpenOptions<R> {
  env: CoreEnvironment;
  stateMachine: StateMachine<R>;
  /** Kept up from what the other members say. Absent: nobody else asks. */
  knowledge?: PeerKnowledge;
  /** Where the nodes are; the streams follow it. Absent: nobody comes or goes. */
  book?: PeerBook;
  logger: Logger;
  onFatal: (error: Error) => void;
}

/**
 * The log of a node: alone when no peers are named, else as a member of their cluster, which it founds or joins first.
 * Throws `EnvironmentError` when the data directory is of the other kind, and whatever log and transport throw.
 */
export async function openClusterLog<R>(options: OpenOptions<R>): Promise<ReplicatedLog<R>> {
  const { env, stateMachine, logger, onFatal } = options;
  const { nodeId, dataDirectory: directory, peers } = env;
  if (peers !== null) return openMember(options, peers);
  if (readFoundingRecord(directory) !== null) {
    throw new EnvironmentError(
      `CONFLUX_PEERS is not set, but ${directory} belongs to a member of a cluster of several nodes`,
    );
  }
  return openRaftLog({
    nodeId,
    directory,
    members: [nodeId],
    stateMachine,
    transport: createMemoryNetwork().transport(nodeId),
    onFatal,
    observer: observeLog(logger),
  });
}

async function openMember<R>(
  { env, stateMachine, knowledge = new PeerKnowledge(), logger, onFatal, ...more }: OpenOptions<R>,
  peers: PeerEnvironment,
): Promise<ReplicatedLog<R>> {
  const { nodeId, dataDirectory: directory } = env;
  if (readFoundingRecord(directory) === null && existsSync(join(directory, "wal"))) {
    throw new EnvironmentError(`CONFLUX_PEERS is set, but ${directory} belongs to a node that was alone`);
  }
  const book = more.book ?? new PeerBook(nodeId, peers.members);
  const transport = await makeTransport({ env, peers, book, logger });
  await transport.listen();
  book.useStreams(transport);
  const talk = talkToPeers({ channel: transport, knowledge, logger });
  const entry = enterCluster({ env, peers, book, channel: transport, logger });
  try {
    const { members, fenced, hasLog, joins } = await entry.begin();
    if (fenced) {
      knowledge.noteFence(nodeId, true);
      talk.sayFenced();
    }
    const log = await openRaftLog({
      nodeId,
      directory,
      members: hasLog ? [] : members,
      joins,
      fenced,
      stateMachine,
      transport,
      onFatal,
      readMode: peers.readMode,
      readsSnapshots: (id, format) => readsSnapshots(knowledge.abilitiesOf(id), format),
      isFenced: (id) => knowledge.isFenced(id),
      observer: {
        ...observeLog(logger),
        onMembership: (applied) => book.membershipApplied(applied),
      },
      limits: { electionTicks: Math.ceil(peers.electionTimeoutMs / TICK_MS), tickMs: TICK_MS },
    });
    entry.noteLog();
    book.useMembers(() => log.status().members.map((member) => member.nodeId));
    talk.watchClocks(log);
    return closingWith(log, async () => {
      talk.stop();
      entry.close();
      await transport.close();
    });
  } catch (error) {
    talk.stop();
    entry.close();
    await transport.close();
    throw error;
  }
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) act();
    isDone = true;
  };
}

/** The streams to the peers, not listening yet; a node that was removed says so once, however it hears of it. */
async function makeTransport({
  env: { clusterId, nodeId, dataDirectory },
  peers,
  book,
  logger,
}: {
  env: CoreEnvironment;
  peers: PeerEnvironment;
  book: PeerBook;
  logger: Logger;
}): Promise<TlsTransport> {
  const credentials = await readPeerCredentials(peers, { clusterId, nodeId });
  const sayRemoved = once(() => {
    book.heardOfOwnRemoval = true;
    logger({
      level: "error",
      msg: "this node was removed from the cluster and serves nothing any more: stop it and remove its data",
      node_id: nodeId,
    });
  });
  book.onOwnRemoval = sayRemoved;
  return new TlsTransport({
    clusterId,
    nodeId,
    credentials,
    peers: peers.members.filter((member) => member.nodeId !== nodeId),
    host: peers.listenHost,
    port: peers.listenPort,
    stagingDirectory: join(dataDirectory, STAGING_DIRECTORY),
    snapshotFormats: OWN_ABILITIES.snapshotFormats,
    onRemoved: sayRemoved,
    log: logger,
  });
}

/** The log, and what to close once it has stopped. */
function closingWith<R>(log: ReplicatedLog<R>, close: () => Promise<void>): ReplicatedLog<R> {
  return {
    start: () => log.start(),
    propose: (data) => log.propose(data),
    readBarrier: (consistency) => log.readBarrier(consistency),
    changeMembership: (next) => log.changeMembership(next),
    transferLeader: (target) => log.transferLeader(target),
    triggerSnapshot: () => log.triggerSnapshot(),
    status: () => log.status(),
    stop: async () => {
      await log.stop();
      await close();
    },
  };
}
