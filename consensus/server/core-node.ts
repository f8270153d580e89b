import { ContentSealer, type ContentSealerOptions } from "../../adapters/kms/content-sealer.ts";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import type { ReplicatedLog, ReplicatedLogStatus, StateMachine } from "../replicated-log.ts";
import { StateStore, type StateStoreOptions } from "../state/state-store.ts";
import type { CoreContext, Logger } from "./core-context.ts";
import { type BackupParts, BackupService } from "./backup-service.ts";
import { createCoreServer } from "./core-server.ts";
import { FeedWaiters } from "./feed-waiters.ts";
import { handOver } from "./hand-over.ts";
import { InvariantSampler } from "./invariant-sampler.ts";
import { boundedWall } from "./bounded-wall.ts";
import { LeaderClock, machineElapsedMs } from "./leader-clock.ts";
import { CoreMetrics } from "./metrics.ts";
import { OverduePublishWatch } from "./watch-overdue-publishes.ts";
import { PeerKnowledge } from "./peer-knowledge.ts";
import { PeerBook } from "./peer-book.ts";
import { isKnownRemoved } from "./removed-node.ts";
import { type RetentionParts, RetentionService } from "./retention-service.ts";
import { ServiceAuth } from "./service-auth.ts";

export interface CoreNodeOptions {
  clusterId: string;
  statePath: string;
  journal: StateStoreOptions["journal"];
  serviceKey: string;
  host: string;
  /** 0: any free port. */
  port: number;
  /** Opens the replicated log that drives the given state machine. The node starts and stops it. */
  openLog(stateMachine: StateMachine<ApplyOutcome>): Promise<ReplicatedLog<ApplyOutcome>>;
  logger: Logger;
  now?: () => number;
  /** What is known of the other members, kept up by whoever talks to them; absent: nothing. */
  peers?: PeerKnowledge;
  /** Where the nodes are; absent: this node is alone. */
  book?: PeerBook;
  /** Long polls held open at once; absent: FEED_WAITERS_MAX. */
  feedWaitersMax?: number;
  /** Where backups go, and when; null or absent: nowhere. */
  backup?: Omit<BackupParts, "nowMs"> | null;
  /** Where versions are archived that their retention keeps no longer; null or absent: all of them stay. */
  retention?: Omit<RetentionParts, "nowMs"> | null;
  /** What encrypts contents; null or absent: nothing does. */
  encryption?: ContentSealerOptions | null;
}

export interface CoreNode {
  url: string;
  store: StateStore;
  /** Whether this node was removed from the cluster, as far as it knows: it never becomes ready. */
  isRemoved(): boolean;
  /** Hands over leadership, answers what is in flight, stops the log, closes the state. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Puts a node together: state, log, HTTP surface. Rejects, with everything it opened closed again, when one of them
 * cannot start.
 */
export async function startCoreNode(options: CoreNodeOptions): Promise<CoreNode> {
  const closers: (() => Promise<void> | void)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.splice(0).toReversed()) await close();
  };
  try {
    const waiters = new FeedWaiters(options.feedWaitersMax);
    const book = options.book ?? new PeerBook(1, []);
    const peers = options.peers ?? new PeerKnowledge();
    const elapsedMs = machineElapsedMs();
    // A snapshot that is finished while the log opens asks for the time already.
    let opened: ReplicatedLog<ApplyOutcome> | null = null;
    const median = () => (opened === null ? null : medianClock(peers, opened.status()));
    const wallMs = boundedWall({ wallMs: options.now ?? Date.now, elapsedMs, median });
    const clock = new LeaderClock({ wallMs, elapsedMs });
    const metrics = new CoreMetrics(() => log.status());
    const store = openStore(options, { clock, metrics, waiters, book });
    closers.push(() => store.close());
    book.useState(store);
    metrics.countConfigs(store);
    const log = await options.openLog(store);
    opened = log;
    closers.push(() => log.stop());
    let committedAtStart = Number.POSITIVE_INFINITY;
    let url = "";
    const core: CoreContext = {
      clusterId: options.clusterId,
      store,
      log,
      clock,
      waiters,
      metrics,
      peers,
      book,
      sealer: options.encryption ? new ContentSealer(options.encryption) : null,
      logger: options.logger,
      position: () => ({ cluster_id: options.clusterId, epoch: store.epoch(), index: store.index() }),
      addressOf: (nodeId) => {
        const known = book.addressOf(nodeId);
        if (known.peer !== "") return known;
        const own = nodeId === log.status().nodeId ? url : "";
        return { peer: own, url: own };
      },
      ready: () => log.status().leaderId !== null && store.lastApplied() >= committedAtStart,
    };
    const backups = openBackups(core, options, wallMs);
    const server = createCoreServer(core, new ServiceAuth(options.serviceKey, options.now), backups);
    url = await server.listen(options.host, options.port);
    // The last to come is the first to go: requests are still answered while leadership is handed over.
    closers.push(() => server.close());
    closers.push(() => handOver(log, options.logger));
    await log.start();
    committedAtStart = log.status().commitIndex;
    watchPublishes(core, options, closers);
    backups?.start();
    closers.push(() => backups?.close());
    const retention = openRetention(core, options);
    retention?.start();
    closers.push(() => retention?.close());
    return { url, store, isRemoved: () => isKnownRemoved(core), stop: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function openBackups(
  core: CoreContext,
  { backup }: CoreNodeOptions,
  nowMs: () => number,
): BackupService | null {
  if (backup === undefined || backup === null) return null;
  return new BackupService(core, { ...backup, nowMs });
}

function openRetention(core: CoreContext, { retention, now }: CoreNodeOptions): RetentionService | null {
  if (retention === undefined || retention === null || retention.intervalMs === 0) {
    const reason = retention ? "CONFLUX_RETENTION_INTERVAL_S is 0" : "there is no backup store to archive in";
    core.logger({ level: "info", msg: "retentions of configs remove nothing here", reason });
    return null;
  }
  return new RetentionService(core, { ...retention, nowMs: now ?? Date.now });
}

function watchPublishes(
  { store, log, metrics }: CoreContext,
  { logger, now }: CoreNodeOptions,
  closers: (() => void)[],
): void {
  const watch = new OverduePublishWatch({
    state: store,
    status: () => log.status(),
    logger,
    nowMs: now ?? Date.now,
  });
  metrics.watchPublishes(() => watch.oldestDueS());
  watch.start();
  closers.push(() => watch.stop());
}

function medianClock(
  peers: PeerKnowledge,
  { nodeId, members }: ReplicatedLogStatus,
): ReturnType<PeerKnowledge["medianClock"]> {
  const voters = members.filter(({ voter }) => voter).map((member) => member.nodeId);
  return peers.medianClock(nodeId, voters);
}

function changesNodes({ kind }: { kind: string }): boolean {
  return kind === "register_node" || kind === "move_node" || kind === "retire_node";
}

/** The node's state, and who hears of what is applied to it. */
function openStore(
  options: CoreNodeOptions,
  { clock, metrics, waiters, book }: Pick<CoreContext, "clock" | "metrics" | "waiters" | "book">,
): StateStore {
  const onViolations = (count: number): void => metrics.stateViolations(count);
  const sampler = new InvariantSampler({ logger: options.logger, onViolations });
  const store: StateStore = new StateStore({
    path: options.statePath,
    clusterId: options.clusterId,
    journal: options.journal,
    onApplied: ({ lastTimestampMs, feedEntries, durationMs }) => {
      clock.observe(lastTimestampMs);
      metrics.applied(feedEntries, durationMs);
      if (feedEntries.some(({ kind }) => kind === "commit_restore")) metrics.countConfigs(store);
      waiters.wakeAll();
      if (feedEntries.some(changesNodes)) book.refresh();
      sampler.applied(store);
    },
    onInstalled: () => {
      book.refresh();
      clock.observe(store.lastTimestampMs());
      metrics.countConfigs(store);
      waiters.wakeAll();
    },
  });
  return store;
}
