import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import type { ReplicatedLog, StateMachine } from "../replicated-log.ts";
import { StateStore, type StateStoreOptions } from "../state/state-store.ts";
import type { CoreContext, Logger } from "./core-context.ts";
import { type BackupParts, BackupService } from "./backup-service.ts";
import { createCoreServer } from "./core-server.ts";
import { FeedWaiters } from "./feed-waiters.ts";
import { LeaderClock } from "./leader-clock.ts";
import { CoreMetrics } from "./metrics.ts";
import type { NamedMember } from "./read-peers.ts";
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
  /** All members with their addresses; absent: this node is alone. */
  members?: readonly NamedMember[];
  /** Where backups go, and when; null or absent: nowhere. */
  backup?: Omit<BackupParts, "nowMs"> | null;
}

export interface CoreNode {
  url: string;
  store: StateStore;
  /** Answers what is in flight, stops the log, closes the state. Idempotent. */
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
    const waiters = new FeedWaiters();
    const clock = new LeaderClock(options.now === undefined ? {} : { wallMs: options.now });
    const metrics = new CoreMetrics(() => log.status());
    const store = new StateStore({
      path: options.statePath,
      clusterId: options.clusterId,
      journal: options.journal,
      onApplied: ({ lastTimestampMs, feedEntries, durationMs }) => {
        clock.observe(lastTimestampMs);
        metrics.applied(feedEntries, durationMs);
        if (feedEntries.some(({ kind }) => kind === "commit_restore")) metrics.countConfigs(store);
        waiters.wakeAll();
      },
      onInstalled: () => {
        clock.observe(store.lastTimestampMs());
        metrics.countConfigs(store);
        waiters.wakeAll();
      },
    });
    closers.push(() => store.close());
    metrics.countConfigs(store);
    const log = await options.openLog(store);
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
      logger: options.logger,
      position: () => ({ cluster_id: options.clusterId, epoch: store.epoch(), index: store.index() }),
      addressOf: (nodeId) => {
        const named = options.members?.find((member) => member.nodeId === nodeId);
        if (named !== undefined) return { peer: `${named.host}:${named.port}`, url: named.url };
        const own = nodeId === log.status().nodeId ? url : "";
        return { peer: own, url: own };
      },
      ready: () => log.status().leaderId !== null && store.lastApplied() >= committedAtStart,
    };
    const backups = openBackups(core, options);
    const server = createCoreServer(core, new ServiceAuth(options.serviceKey, options.now), backups);
    url = await server.listen(options.host, options.port);
    closers.push(() => server.close());
    await log.start();
    committedAtStart = log.status().commitIndex;
    backups?.start();
    closers.push(() => backups?.close());
    return { url, store, stop: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function openBackups(core: CoreContext, { backup, now }: CoreNodeOptions): BackupService | null {
  if (backup === undefined || backup === null) return null;
  return new BackupService(core, { ...backup, nowMs: now ?? Date.now });
}
