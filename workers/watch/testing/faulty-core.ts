import { MemoryCore } from "../../../adapters/memory/memory-core.ts";
import type { EdgeFeedEntry, EdgeSnapshotAnswer, FeedAnswer } from "../../../contracts/core/core-api.ts";
import type { FollowedCore } from "../store-document.ts";

const POLL_MS = 5;

/** A core in memory behind a connection that tests can break or make lie. */
export class FaultyCore implements FollowedCore {
  core = new MemoryCore();
  /** Thrown by every call while set. */
  failure: Error | null = null;
  editFeed: (answer: FeedAnswer<EdgeFeedEntry>) => FeedAnswer<EdgeFeedEntry> = (answer) => answer;
  editSnapshot: (answer: EdgeSnapshotAnswer) => EdgeSnapshotAnswer = (answer) => answer;
  /** Called after the core has made a page and before the replica gets it. */
  afterPage: () => Promise<void> = async () => {};
  snapshotLimit = Infinity;
  readonly calls = { edgeFeed: 0, edgeSnapshot: 0, getBlob: 0 };

  async edgeFeed(input: Parameters<FollowedCore["edgeFeed"]>[0]): Promise<FeedAnswer<EdgeFeedEntry>> {
    this.calls.edgeFeed += 1;
    const deadlineMs = Date.now() + input.wait_ms;
    // Its own waiting would be woken from the test, and timers belong to the object that made them.
    for (;;) {
      if (this.failure !== null) throw this.failure;
      const answer = await this.core.edgeFeed({ ...input, wait_ms: 0 });
      if (answer.entries.length > 0 || Date.now() >= deadlineMs) return this.editFeed(answer);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async edgeSnapshot(input: Parameters<FollowedCore["edgeSnapshot"]>[0]): Promise<EdgeSnapshotAnswer> {
    this.calls.edgeSnapshot += 1;
    if (this.failure !== null) throw this.failure;
    const limit = Math.min(input.limit, this.snapshotLimit);
    const answer = await this.core.edgeSnapshot({ ...input, limit });
    await this.afterPage();
    return this.editSnapshot(answer);
  }

  async getBlob(input: Parameters<FollowedCore["getBlob"]>[0]): Promise<Uint8Array> {
    this.calls.getBlob += 1;
    if (this.failure !== null) throw this.failure;
    return this.core.getBlob(input);
  }
}
