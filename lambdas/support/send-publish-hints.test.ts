import { beforeEach, describe, expect, it } from "vitest";
import { MemoryPublishHintQueue } from "../../adapters/memory/memory-publish-hint-queue.ts";
import {
  HINTS_MAX,
  type PublishHint,
  type PublishHintQueue,
  type UnsentHint,
} from "../../contracts/publish/publish-hint-queue.ts";
import type { FeedEntry } from "../../domain/command/feed-entry.ts";
import { PublishHintSender } from "./send-publish-hints.ts";

const NOW_MS = Date.UTC(2026, 0, 1);

/** An entry in which `n` plans were approved, whose names begin with `prefix`. */
const approvals = (n: number, prefix: string): FeedEntry => ({
  index: 7,
  prev_index: 6,
  timestamp_ms: NOW_MS,
  tenant: "demo",
  kind: "approve_publish_stage",
  trace_id: "",
  events: Array.from({ length: n }, (_, i) => ({
    type: "publish_approved" as const,
    publish_id: `pub-${prefix}-${i}`,
    config_id: "cfg",
    stage: 1,
    goes_on_at_ms: NOW_MS,
  })),
  audit: {
    actor: { type: "user", id: "u", name: "u" },
    ip: "",
    action: "approve",
    resource: "",
    summary: "",
  },
});

/** A queue that answers when it is told to. */
class SlowQueue implements PublishHintQueue {
  readonly calls: { hints: readonly PublishHint[]; answer: (unsent: UnsentHint[]) => void }[] = [];
  send(hints: readonly PublishHint[]): Promise<UnsentHint[]> {
    return new Promise((answer) => this.calls.push({ hints, answer }));
  }
}

let lines: Record<string, string | number>[];
beforeEach(() => {
  lines = [];
});
const sender = (hints: PublishHintQueue) =>
  new PublishHintSender({ hints, nowMs: () => NOW_MS, log: (line) => lines.push(line) });
const unsentLine = (hints: number, reason: string) => ({
  level: "warn",
  msg: "publish hints not sent",
  hints,
  reason,
});
const refuseAll = (hints: readonly PublishHint[], reason: string) => hints.map((hint) => ({ hint, reason }));

describe("L1 hints beside the projection", () => {
  it("are sent, and counted", async () => {
    const queue = new MemoryPublishHintQueue();
    const hints = sender(queue);
    hints.follow([approvals(2, "a")]);
    hints.follow([]);
    hints.follow([approvals(1, "b")]);
    expect(await hints.finish()).toEqual({ sent: 3, unsent: 0 });
    expect(queue.taken.map(({ publish_id }) => publish_id)).toEqual(["pub-a-0", "pub-a-1", "pub-b-0"]);
    expect(lines).toEqual([]);
  });

  it("never keep it waiting: while the queue is slow, so many wait, and the rest is counted and told", async () => {
    const queue = new SlowQueue();
    const hints = sender(queue);
    hints.follow([approvals(3, "first")]);
    hints.follow([approvals(HINTS_MAX - 1, "second")]);
    hints.follow([approvals(5, "third")]);
    expect(queue.calls.map((call) => call.hints.length)).toEqual([3]);
    expect(lines).toEqual([unsentLine(4, "too many at once")]);
    queue.calls[0]?.answer([]);
    await expect.poll(() => queue.calls.length).toBe(2);
    expect(queue.calls[1]?.hints).toHaveLength(HINTS_MAX);
    queue.calls[1]?.answer([]);
    expect(await hints.finish()).toEqual({ sent: 3 + HINTS_MAX, unsent: 4 });
  });

  it("of one batch too many: those that are due first are sent, the rest is counted and told", async () => {
    const hints = sender(new MemoryPublishHintQueue());
    hints.follow([approvals(HINTS_MAX + 20, "a")]);
    expect(await hints.finish()).toEqual({ sent: HINTS_MAX, unsent: 20 });
    expect(lines).toEqual([unsentLine(20, "too many at once")]);
  });

  it("that the queue takes in part: what it did not take is counted, and told once a reason", async () => {
    const queue: PublishHintQueue = {
      send: (sent) =>
        Promise.resolve([
          ...refuseAll(sent.slice(0, 2), "InternalError"),
          ...refuseAll(sent.slice(2, 3), "other"),
        ]),
    };
    const hints = sender(queue);
    hints.follow([approvals(5, "a")]);
    expect(await hints.finish()).toEqual({ sent: 2, unsent: 3 });
    expect(lines).toEqual([unsentLine(2, "InternalError"), unsentLine(1, "other")]);
  });

  it("that a failing queue keeps waiting are given up at the end, and a queue that works again gets the next", async () => {
    const queue = new SlowQueue();
    const hints = sender(queue);
    hints.follow([approvals(1, "a")]);
    hints.follow([approvals(2, "b")]);
    const finished = hints.finish();
    const [first] = queue.calls;
    first?.answer(refuseAll(first.hints, "away"));
    expect(await finished).toEqual({ sent: 0, unsent: 3 });
    expect(lines).toEqual([unsentLine(1, "away"), unsentLine(2, "the queue fails and the time is over")]);

    const next = sender(queue);
    next.follow([approvals(1, "a")]);
    queue.calls[1]?.answer(refuseAll(queue.calls[1].hints, "away"));
    await expect.poll(() => lines.length).toBe(3);
    next.follow([approvals(1, "b")]);
    await expect.poll(() => queue.calls.length).toBe(3);
    queue.calls[2]?.answer([]);
    expect(await next.finish()).toEqual({ sent: 1, unsent: 1 });
  });

  it("of a queue that breaks its word and rejects are counted like any other", async () => {
    const hints = sender({ send: () => Promise.reject(new TypeError("broken")) });
    hints.follow([approvals(2, "a")]);
    expect(await hints.finish()).toEqual({ sent: 0, unsent: 2 });
    expect(lines).toEqual([unsentLine(2, "TypeError: broken")]);
  });
});
