import { type ApplyOutcome, applyCommand } from "./apply-command.ts";
import type { Command } from "./command.ts";
import type { FeedEntry } from "./feed-entry.ts";
import { MemoryState } from "./memory-state.ts";
import type { FeedSource } from "./read-feed.ts";

/** A command as the log decided it. */
export interface MemoryEntry {
  command: Command;
  attachments: readonly Uint8Array[];
  timestampMs: number;
}

/** State, feed and position of one node in memory, by the same verbs as in the durable store. Nothing survives it. */
export class MemoryStateMachine {
  readonly state = new MemoryState();
  readonly #clusterId: string;
  readonly #feedRetainedMax: number;
  /** Entries as text, so that each reader gets its own copy. */
  readonly #feed: { index: number; text: string }[] = [];
  #lastApplied = 0;
  /** What the index that the world is told is ahead of the log's. */
  #indexBase = 0;
  #epoch: number;
  #lastTimestampMs = 0;
  #compactedIndex = 0;

  constructor(options: { clusterId: string; feedRetainedEntriesMax: number; epoch?: number }) {
    this.#clusterId = options.clusterId;
    this.#feedRetainedMax = options.feedRetainedEntriesMax;
    this.#epoch = options.epoch ?? 1;
  }

  /** Of the log. */
  lastApplied(): number {
    return this.#lastApplied;
  }
  /** How far the state is, as the world is told. */
  index(): number {
    return this.#lastApplied + this.#indexBase;
  }
  epoch(): number {
    return this.#epoch;
  }
  /** Never goes back, whatever the entries say. */
  lastTimestampMs(): number {
    return this.#lastTimestampMs;
  }
  lastFeedIndex(): number {
    return this.#feed.at(-1)?.index ?? this.#compactedIndex;
  }
  compactedIndex(): number {
    return this.#compactedIndex;
  }

  /** Passes over an index at which the log holds nothing for the state. */
  skip(): void {
    this.#lastApplied += 1;
  }

  /** Applies the command at the index after the last one. */
  apply({ command, attachments, timestampMs }: MemoryEntry): ApplyOutcome {
    this.#lastApplied += 1;
    this.#lastTimestampMs = Math.max(this.#lastTimestampMs, timestampMs);
    const { changes, feedEntry, movedTo, outcome } = applyCommand({
      state: this.state,
      command,
      attachments,
      index: this.index(),
      prevFeedIndex: this.lastFeedIndex(),
      timestampMs: this.#lastTimestampMs,
      clusterId: this.#clusterId,
      epoch: this.#epoch,
    });
    this.state.apply(changes);
    if (movedTo !== null) {
      this.#epoch = movedTo.epoch;
      this.#indexBase = movedTo.index - this.#lastApplied;
      this.#lastTimestampMs = movedTo.timestampMs;
    }
    if (feedEntry !== null) {
      this.#feed.push({ index: feedEntry.index, text: JSON.stringify(feedEntry) });
      if (this.#feed.length > this.#feedRetainedMax) this.compactFeed(this.#feed[0]?.index ?? 0);
    }
    return outcome;
  }

  feed(): FeedSource {
    const feed = this.#feed;
    return {
      appliedIndex: this.index(),
      compactedIndex: this.#compactedIndex,
      *entriesAfter(after) {
        for (const { index, text } of feed) {
          if (index > after) yield { entry: JSON.parse(text) as FeedEntry, chars: text.length };
        }
      },
    };
  }

  /** Drops the feed up to `index`. */
  compactFeed(index: number): void {
    while ((this.#feed[0]?.index ?? Infinity) <= index) {
      this.#compactedIndex = this.#feed.shift()?.index ?? this.#compactedIndex;
    }
  }
}
