import { describe, expect, it } from "vitest";
import { jitterMs, reconnectJitterMs } from "./fan-out.ts";
import { JITTER_FREE_SOCKETS, JITTER_MS_MAX, RECONNECT_JITTER_MS_MAX } from "./limits.ts";
import { openCore } from "./open-core.ts";
import { runBounded } from "./run-bounded.ts";
import { SocketChannel } from "./socket-channel.ts";
import type { WatchEnv } from "./watch-env.ts";

describe("jitter", () => {
  it("E9 is none for a few watchers, grows with their number, and is bounded", () => {
    expect([0, 1, JITTER_FREE_SOCKETS].map(jitterMs)).toEqual([0, 0, 0]);
    expect(jitterMs(200)).toBe(100);
    expect(jitterMs(4_000)).toBe(2_000);
    expect(jitterMs(10_000_000)).toBe(JITTER_MS_MAX);
  });
});

describe("reconnect jitter", () => {
  const spread = { shards: 4, replicaGroups: 1 };
  it("E9 grows with the sockets of the hub and with what the region's replicas must then answer", () => {
    expect(reconnectJitterMs(0, spread)).toBe(1_000);
    expect(reconnectJitterMs(4_000, { shards: 1, replicaGroups: 1 })).toBe(16_000);
    expect(reconnectJitterMs(4_000, spread)).toBe(32_000);
    expect(reconnectJitterMs(3_125, { shards: 32, replicaGroups: 8 })).toBe(25_000);
    expect(reconnectJitterMs(4_000, { shards: 128, replicaGroups: 1 })).toBe(RECONNECT_JITTER_MS_MAX);
  });
});

describe("a socket that breaks between two events", () => {
  it("E9 counts as gone, and keeps nothing from the others", () => {
    const socket = {
      readyState: WebSocket.OPEN,
      send: () => {
        throw new TypeError("the connection is lost");
      },
    };
    expect(new SocketChannel(socket as unknown as WebSocket).send("{}")).toBe(false);
  });
});

describe("runBounded", () => {
  it("runs everything, never more at a time than it may", async () => {
    let running = 0;
    let most = 0;
    const done: number[] = [];
    await runBounded([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
      most = Math.max(most, (running += 1));
      await Promise.resolve();
      done.push(item);
      running -= 1;
    });
    expect(most).toBe(3);
    expect(done.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it("starts nothing more after a failure, and tells it when what runs has ended", async () => {
    const done: number[] = [];
    const work = runBounded([1, 2, 3, 4, 5, 6], 2, async (item) => {
      if (item === 1) throw new Error("no");
      await Promise.resolve();
      done.push(item);
    });
    await expect(work).rejects.toThrow("no");
    expect(done).toEqual([2]);
  });
});

describe("openCore", () => {
  it("E11 refuses a CORE_URLS that is not a list of URLs", () => {
    const env = { CORE_SERVICE_KEY: "k".repeat(32) } as WatchEnv;
    expect(() => openCore({ ...env, CORE_URLS: '"http://core"' })).toThrow(TypeError);
    expect(() => openCore({ ...env, CORE_URLS: "[]" })).toThrow(TypeError);
  });
});
