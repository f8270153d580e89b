import { describe, expect, it } from "vitest";
import { FEED_WAITERS_MAX, FeedWaiters } from "./feed-waiters.ts";

const LONG_MS = 60_000;
const signal = (): AbortSignal => new AbortController().signal;

describe("R12 readers that wait", () => {
  it("are all woken by an apply, and are gone then", async () => {
    const waiters = new FeedWaiters();
    const waits = [waiters.wait(LONG_MS, signal()), waiters.wait(LONG_MS, signal())];
    expect(waiters.size).toBe(2);
    waiters.wakeAll();
    await Promise.all(waits);
    expect(waiters.size).toBe(0);
  });

  it("leave when their time is over, or when their client goes", async () => {
    const waiters = new FeedWaiters();
    await waiters.wait(1, signal());
    const stop = new AbortController();
    const wait = waiters.wait(LONG_MS, stop.signal);
    stop.abort();
    await wait;
    expect(waiters.size).toBe(0);
  });

  it("do not begin to wait with no time left, for a client that is gone, or on a node that stops", async () => {
    const waiters = new FeedWaiters();
    await waiters.wait(0, signal());
    await waiters.wait(-5, signal());
    await waiters.wait(LONG_MS, AbortSignal.abort());
    const last = waiters.wait(LONG_MS, signal());
    waiters.close();
    await last;
    await waiters.wait(LONG_MS, signal());
    expect(waiters).toMatchObject({ size: 0, closed: true });
  });

  it("that are woken and wait again in the same turn wait for the next apply", async () => {
    const waiters = new FeedWaiters();
    let woken = 0;
    const follow = async (): Promise<void> => {
      while (woken < 3) {
        await waiters.wait(LONG_MS, signal());
        woken += 1;
      }
    };
    const done = follow();
    for (let i = 1; i <= 3; i += 1) {
      waiters.wakeAll();
      await new Promise((resolve) => setImmediate(resolve));
      expect(woken).toBe(i);
    }
    await done;
  });

  it("are bounded by name: one more is told to come back, and the next fits when one has left", async () => {
    const waiters = new FeedWaiters();
    const stop = new AbortController();
    const waits = Array.from({ length: FEED_WAITERS_MAX - 1 }, () => waiters.wait(LONG_MS, signal()));
    waits.push(waiters.wait(LONG_MS, stop.signal));
    const refused = { code: "unavailable", retryAfterS: 1 };
    await expect(waiters.wait(LONG_MS, signal())).rejects.toMatchObject(refused);
    stop.abort();
    waits.push(waiters.wait(LONG_MS, signal()));
    expect(waiters.size).toBe(FEED_WAITERS_MAX);
    waiters.close();
    await Promise.all(waits);
  });
});
