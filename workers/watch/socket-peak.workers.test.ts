import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { SocketPeak } from "./socket-peak.ts";
import { TestRegion } from "./testing/test-region.ts";
import { TestSocket } from "./testing/test-watcher.ts";

describe("the peak of a hub's sockets", () => {
  it("E9 E12 outlives the hub, and fades while fewer come back", async () => {
    const region = new TestRegion();
    const { kept, faded, grown } = await runInDurableObject(region.hub, (_, { storage }) => {
      new SocketPeak(storage.kv).note(4_000);
      const peak = new SocketPeak(storage.kv);
      const before = peak.of(10);
      for (let run = 0; run < 70; run += 1) peak.note(10);
      const after = peak.of(10);
      for (let run = 0; run < 1_000; run += 1) peak.note(10);
      return { kept: before, faded: [after, peak.of(10)], grown: peak.of(20) };
    });
    expect(kept).toBe(4_000);
    expect(faded[0]).toBeGreaterThan(1_900);
    expect(faded[0]).toBeLessThan(2_000);
    expect([faded[1], grown]).toEqual([10, 20]);
  });

  it("E9 the first who come back to an emptied hub are told the window of the full one", async () => {
    const region = new TestRegion();
    await runInDurableObject(region.hubShard(7), (_, { storage }) => {
      new SocketPeak(storage.kv).note(4_000);
    });
    // Written past the hub that is awake: a new life reads it.
    await evictDurableObject(region.hubShard(7));
    const socket = await TestSocket.open(region, { configs: ["demo/shop/prod/a.json"], shard: 7 });
    // 4,000 sockets in each of four hubs, and one replica that answers 500 a second.
    expect(await socket.message("hello")).toMatchObject({ reconnect_jitter_ms: 32_000 });
  });
});
