import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { MemoryStateMachine } from "../../domain/command/memory-state-machine.ts";
import type { FeedSource } from "../../domain/command/read-feed.ts";
import type { StateView } from "../../domain/command/state-view.ts";
import type { StateMachine } from "../replicated-log.ts";
import { decodeLogEntry } from "./log-entry.ts";

/** What stands above the log asks of a state store, wherever it keeps its rows. */
export interface AnyStateStore extends StateMachine<ApplyOutcome>, StateView {
  bytes(key: string): Uint8Array | undefined;
  feed(): FeedSource;
  lastTimestampMs(): number;
  lastFeedIndex(): number;
}

/** A state store in memory, driven by the same log entries as the durable one. */
export function createMemoryStateStore(options: {
  clusterId: string;
  feedRetainedEntriesMax: number;
}): AnyStateStore {
  const machine = new MemoryStateMachine(options);
  const { state } = machine;
  return {
    json: (key) => state.json(key),
    bytes: (key) => state.bytes(key),
    hasKey: (key) => state.hasKey(key),
    scan: (prefix, range) => state.scan(prefix, range),
    feed: () => machine.feed(),
    lastApplied: () => machine.lastApplied(),
    lastTimestampMs: () => machine.lastTimestampMs(),
    lastFeedIndex: () => machine.lastFeedIndex(),
    apply: (entries) => {
      // Whatever can be refused is refused before anything changes.
      const decoded = entries.map(({ index, data }, i) => {
        const wanted = machine.lastApplied() + 1 + i;
        if (index !== wanted) throw new Error(`entry ${index} where ${wanted} follows: the log has a gap`);
        return data === null ? null : decodeLogEntry(data);
      });
      return decoded.map((entry) => {
        if (entry !== null) return machine.apply(entry);
        machine.skip();
        return null;
      });
    },
    close: () => undefined,
  };
}
