import { type prepare, STATE_FORMAT_MOVED } from "./state-schema.ts";

/** How far a state is: the rows of `meta` that change with every entry. */
export interface Position {
  lastApplied: number;
  /** What the index that the world is told is ahead of the log's. */
  indexBase: number;
  lastTimestampMs: number;
  lastFeedIndex: number;
  compactedIndex: number;
  feedCount: number;
  epoch: number;
}

type Statements = Pick<ReturnType<typeof prepare>, "getMeta" | "setMeta">;

/** The log's index alone: what the last commit left, or what is open on this connection. */
export function readIndex(sql: Pick<Statements, "getMeta">): number {
  return Number((sql.getMeta.get("last_applied") as { value: string }).value);
}

/** What the last commit left, or what is open on this connection. */
export function readPosition(sql: Statements): Position {
  const number = (key: string): number => Number((sql.getMeta.get(key) as { value: string }).value);
  return {
    lastApplied: number("last_applied"),
    indexBase: number("index_base"),
    lastTimestampMs: number("last_timestamp_ms"),
    lastFeedIndex: number("last_feed_index"),
    compactedIndex: number("compacted_index"),
    feedCount: number("feed_count"),
    epoch: number("epoch"),
  };
}

export function writePosition(sql: Statements, at: Position): void {
  const set = (key: string, value: number): unknown => sql.setMeta.run(String(value), key);
  set("last_applied", at.lastApplied);
  set("last_timestamp_ms", at.lastTimestampMs);
  set("last_feed_index", at.lastFeedIndex);
  set("compacted_index", at.compactedIndex);
  set("feed_count", at.feedCount);
  set("epoch", at.epoch);
  set("index_base", at.indexBase);
  // A build that knows no index base must not open this.
  if (at.indexBase > 0) set("format", STATE_FORMAT_MOVED);
}
