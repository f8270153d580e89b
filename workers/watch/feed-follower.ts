import type { EdgeFeedEntry, FeedAnswer, Position } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ConfigChanged, ConfigDeleted } from "../../domain/command/feed-entry.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { ContentStore } from "./content-store.ts";
import { type FeedBatch, readFeed } from "./feed-chain.ts";
import type { HeadChange, HeadPosition, HeadStore } from "./head-store.ts";
import type { HubOutbox } from "./hub-outbox.ts";
import {
  CATCH_UP_WAIT_MS,
  FEED_ANSWER_GRACE_MS,
  FEED_BATCH_MAX,
  IN_FLIGHT_MAX,
  SNAPSHOT_PAGE_MAX,
} from "./limits.ts";
import { logEvent } from "./log-event.ts";
import type { ResyncStage, ResyncState } from "./resync-stage.ts";
import { runBounded } from "./run-bounded.ts";
import { type FollowedCore, storeDocument, UnstorableError } from "./store-document.ts";

export interface FollowerParts {
  region: string;
  core: FollowedCore;
  kv: KVNamespace;
  storage: DurableObjectStorage;
  head: HeadStore;
  contents: ContentStore;
  outbox: HubOutbox;
  stage: ResyncStage;
  now: () => number;
}

/** Which line of history the core answers from, against the head's. */
type Line = "same" | "other" | "older";

/**
 * Follows the core's feed, one step at a time. Invariant: documents are in KV before the transaction that moves the head
 * to them, and that transaction also moves the position and queues the news for the hubs; a step that fails anywhere
 * leaves the head as it was and is simply taken again.
 */
export class FeedFollower {
  readonly #parts: FollowerParts;

  constructor(parts: FollowerParts) {
    this.#parts = parts;
  }

  /**
   * One answer of the core, taken over. Waits up to `waitMs` for news. True when the head is live and at what the core
   * just told; false while a resync is under way. Rejects when the core or KV is away or the core is behind the head.
   */
  async step(waitMs: number): Promise<boolean> {
    const { head, stage } = this.#parts;
    const resync = stage.state();
    if (resync !== null) {
      await (resync.pages_done ? this.#catchUp(resync) : this.#takePage(resync));
      return stage.state() === null;
    }
    const position = head.position();
    if (position !== null) return this.#follow(position, waitMs);
    this.#beginResync("first_sync");
    return false;
  }

  async #follow(position: HeadPosition, waitMs: number): Promise<boolean> {
    let answer: FeedAnswer<EdgeFeedEntry>;
    try {
      answer = await this.#poll(position.feed_index, waitMs);
    } catch (error) {
      if (!isCode(error, "feed_compacted", "feed_ahead")) throw error;
      this.#beginResync(error.code);
      return false;
    }
    const line = lineOf(answer, position);
    if (line === "older") throw olderLine(answer, position);
    const batch = line === "same" ? readFeed(answer.entries, position.feed_index) : null;
    if (batch === null) {
      this.#beginResync(line === "same" ? "gap" : "epoch");
      return false;
    }
    let changes: HeadChange[];
    try {
      changes = await this.#storeDocuments(batch.configs, answer.blobs);
    } catch (error) {
      // The content was removed after the entry was written: the feed ahead of us explains it, the snapshot knows it.
      if (!isCode(error, "not_found")) throw error;
      this.#beginResync("content_gone");
      return false;
    }
    this.#apply(position, answer, batch, changes);
    return true;
  }

  #poll(after: number, waitMs: number): Promise<FeedAnswer<EdgeFeedEntry>> {
    return this.#parts.core.edgeFeed({
      after,
      limit: FEED_BATCH_MAX,
      wait_ms: waitMs,
      signal: AbortSignal.timeout(waitMs + FEED_ANSWER_GRACE_MS),
    });
  }

  #apply(
    position: HeadPosition,
    answer: Position & { last_index: number },
    batch: FeedBatch,
    changes: HeadChange[],
  ): void {
    const { storage, head, outbox, now } = this.#parts;
    const index = reachedIndex(answer, batch.feed_index, position.index);
    if (index === position.index && batch.feed_index === position.feed_index) return;
    const nowMs = now();
    storage.transactionSync(() => {
      const told = changes.flatMap((change) => head.move(change, nowMs) ?? []);
      for (const revocation of batch.revocations) head.revoke(revocation);
      head.setPosition({ ...position, index, feed_index: batch.feed_index, contact_at_ms: nowMs });
      outbox.add({
        cluster_id: position.cluster_id,
        epoch: position.epoch,
        index,
        changes: told,
        revocations: batch.revocations.map(({ jti, expires_at_ms }) => ({ jti, expires_at_ms })),
        tokens_not_before_ms: head.tokensNotBeforeMs(),
        resync: false,
      });
    });
  }

  /** Documents of the events, in their order. An event that can never be stored is logged and its name left as it is. */
  async #storeDocuments(
    events: readonly { index: number; event: ConfigChanged | ConfigDeleted }[],
    blobs: Record<string, string>,
  ): Promise<HeadChange[]> {
    const changes = new Map<number, HeadChange>();
    try {
      await runBounded([...events.entries()], IN_FLIGHT_MAX, async ([position, { index, event }]) => {
        const change = await this.#storeDocument(event, index, blobs);
        if (change !== null) changes.set(position, change);
      });
    } finally {
      // Also when one has failed: KV takes one write a second of a key, and who tries again must not repeat the others.
      this.#parts.contents.keepAll();
    }
    return [...changes.keys()].toSorted((a, b) => a - b).flatMap((position) => changes.get(position) ?? []);
  }

  /** Null: the name is left as it is. */
  async #storeDocument(
    event: ConfigChanged | ConfigDeleted,
    index: number,
    blobs: Record<string, string>,
  ): Promise<HeadChange | null> {
    if (event.type === "config_deleted") {
      return { name: fullName(event.namespace, event.name), doc: null, version: 0, index, contents: [] };
    }
    try {
      return await storeDocument(event, index, { ...this.#parts, blobs });
    } catch (error) {
      if (!(error instanceof UnstorableError)) throw error;
      const { region } = this.#parts;
      logEvent({ level: "error", event: "document_unstorable", region, config_id: event.config_id }, error);
      return null;
    }
  }

  #beginResync(reason: string): void {
    const { region, stage } = this.#parts;
    logEvent({ level: "info", event: "resync", region, reason });
    stage.begin();
  }

  async #takePage(state: ResyncState): Promise<void> {
    const { core, head, stage } = this.#parts;
    const page = await this.#orRestart(() =>
      core.edgeSnapshot({ cursor: state.cursor, limit: SNAPSHOT_PAGE_MAX }),
    );
    const isFirst = state.cursor === null;
    const position = head.position();
    if (isFirst && position !== null) this.#refuseOlder(page, position);
    if (!isFirst && page.index < state.feed_index) {
      // Of another node, which is behind: the feed from the first page on does not tell what this page lacks.
      throw new ConfluxError("unavailable", `a page at ${page.index} after one at ${state.feed_index}`);
    }
    if (!isFirst && lineOf(page, state) !== "same") {
      this.#beginResync("epoch");
      return;
    }
    const events = page.configs.map((event) => ({
      index: page.revisions[event.config_id] ?? page.index,
      event,
    }));
    const rows = await this.#orRestart(() => this.#storeDocuments(events, page.blobs));
    // At once, and not with the head: tokens that a restore has ended must not outlast a long resync.
    head.callInTokens(page.tokens_not_before_ms);
    stage.add(rows, page.revocations, {
      cluster_id: page.cluster_id,
      epoch: page.epoch,
      cursor: page.next_cursor,
      pages_done: page.next_cursor === null,
      feed_index: isFirst ? page.index : state.feed_index,
      target_index: Math.max(state.target_index, page.index),
    });
  }

  async #catchUp(state: ResyncState): Promise<void> {
    const { head, outbox, stage, now } = this.#parts;
    if (state.feed_index >= state.target_index) {
      stage.goLive({ ...state, index: state.feed_index }, head, outbox, now());
      return;
    }
    const answer = await this.#orRestart(() => this.#poll(state.feed_index, CATCH_UP_WAIT_MS));
    const batch = lineOf(answer, state) === "same" ? readFeed(answer.entries, state.feed_index) : null;
    if (batch === null) {
      this.#beginResync("gap");
      return;
    }
    const rows = await this.#orRestart(() => this.#storeDocuments(batch.configs, answer.blobs));
    const reached = reachedIndex(answer, batch.feed_index, state.feed_index);
    stage.add(rows, batch.revocations, { ...state, feed_index: batch.feed_index });
    if (reached < state.target_index) return;
    stage.goLive({ ...state, index: reached, feed_index: batch.feed_index }, head, outbox, now());
  }

  /** A refusal that retrying the same page cannot cure (a stale cursor, a content that is gone) starts the resync over. */
  async #orRestart<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (isCode(error, "not_found", "feed_compacted", "validation_failed", "malformed_request")) {
        this.#beginResync(error.code);
      }
      throw error;
    }
  }

  /** A core that is behind the head on the same line (a lagging node, a lost disk) must not turn it back. */
  #refuseOlder(page: Position, position: HeadPosition): void {
    const line = lineOf(page, position);
    if (line === "other" || (line === "same" && page.index >= position.index)) return;
    this.#parts.stage.abandon();
    throw olderLine(page, position);
  }
}

/** How far an answer brings the head: to its last entry, or to the log's index when the feed holds no more entries. */
function reachedIndex(answer: Position & { last_index: number }, feedIndex: number, atLeast: number): number {
  const reached = answer.last_index <= feedIndex ? Math.max(answer.index, feedIndex) : feedIndex;
  return Math.max(reached, atLeast);
}

function lineOf(answer: Position, ours: { cluster_id: string; epoch: number }): Line {
  if (answer.cluster_id !== ours.cluster_id || answer.epoch > ours.epoch) return "other";
  return answer.epoch < ours.epoch ? "older" : "same";
}

function olderLine(answer: Position, ours: HeadPosition): ConfluxError {
  return new ConfluxError(
    "unavailable",
    `the core answers from epoch ${answer.epoch}, index ${answer.index}; the head is at ${ours.epoch}, ${ours.index}`,
  );
}

function isCode(error: unknown, ...codes: ConfluxError["code"][]): error is ConfluxError {
  return error instanceof ConfluxError && codes.includes(error.code);
}
