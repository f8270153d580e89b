import type { ContentSealer } from "../../adapters/kms/content-sealer.ts";
import type { Position } from "../../contracts/core/core-api.ts";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import type { ReplicatedLog } from "../replicated-log.ts";
import type { StateStore } from "../state/state-store.ts";
import type { FeedWaiters } from "./feed-waiters.ts";
import type { LeaderClock } from "./leader-clock.ts";
import type { CoreMetrics } from "./metrics.ts";
import type { PeerBook } from "./peer-book.ts";
import type { PeerKnowledge } from "./peer-knowledge.ts";

/** One line of the node's log, written as JSON. */
export interface LogLine {
  level: "info" | "warn" | "error";
  msg: string;
  trace_id?: string;
  [field: string]: unknown;
}
export type Logger = (line: LogLine) => void;

/** What the handlers of one node share. */
export interface CoreContext {
  clusterId: string;
  store: StateStore;
  log: ReplicatedLog<ApplyOutcome>;
  clock: LeaderClock;
  waiters: FeedWaiters;
  metrics: CoreMetrics;
  peers: PeerKnowledge;
  book: PeerBook;
  /** Null: no key service is set up. */
  sealer: ContentSealer | null;
  logger: Logger;
  /** Where the state stands now. */
  position(): Position;
  /** Where a member is: for its peers, and for those who call it. Empty when nobody knows. */
  addressOf(nodeId: number): { peer: string; url: string };
  /** A leader is known and all that was committed at start is applied. */
  ready(): boolean;
}
