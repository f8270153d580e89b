import { runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { SSE_BUFFER_BYTES_MAX } from "./limits.ts";
import { StreamChannel } from "./stream-channel.ts";
import { testEnv, TestRegion, until } from "./testing/test-region.ts";
import { TestStream } from "./testing/test-stream.ts";
import { watchRequest } from "./testing/test-watcher.ts";

const A = "demo/shop/prod/a.json";
const signer = createIndexSigner(testEnv.INDEX_SIGNING_KEY);
const tokenAt = (index: number): Promise<string> => signer.sign({ cluster_id: "c1", epoch: 1, index });

describe("watch hub, event stream", () => {
  it("E9 puts the JSON in data and the index in id", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "0");
    await region.head("a.json", made.index);
    const stream = await TestStream.open(region, { configs: [A] });
    const index = await region.release(made.id, "1");
    const [hello, change] = await stream.event(2);
    expect(hello).toEqual({
      id: await tokenAt(made.index),
      message: { type: "hello", index: await tokenAt(made.index), reconnect_jitter_ms: 1000 },
    });
    expect(change).toMatchObject({
      id: await tokenAt(index),
      message: { type: "change", config: A, version: 2, index: await tokenAt(index), deleted: false },
    });
    // A window of a second on top of the two that every client waits: EventSource draws no lot by itself.
    expect(Number(stream.retry)).toBeGreaterThanOrEqual(2_000);
    expect(Number(stream.retry)).toBeLessThanOrEqual(3_000);
    await stream.close();
  });

  it("E9 Last-Event-ID means since, and goes before the query", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "0");
    await region.head("a.json", made.index);
    const first = await region.release(made.id, "1");
    const second = await region.release(made.id, "2");
    await region.head("a.json", second);
    const stream = await TestStream.open(region, {
      configs: [A],
      since: await tokenAt(second),
      headers: { "last-event-id": await tokenAt(first) },
    });
    const events = await stream.event(2);
    expect(events.map((event) => event.id)).toEqual([await tokenAt(first), await tokenAt(second)]);
    await stream.close();
    const lost = await TestStream.open(region, { configs: [A], headers: { "last-event-id": "nonsense" } });
    expect((await lost.event(2)).map((event) => event.message.type)).toEqual(["hello", "resync"]);
    await lost.close();
  });

  it("E9 must name a config", async () => {
    const region = new TestRegion();
    const response = await region.hub.fetch(watchRequest(region, {}));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ code: "validation_failed" });
  });

  it("E9 ends with an error when the token is revoked or expires", async () => {
    const region = new TestRegion();
    const expiresAtMs = Date.now() + 60_000;
    const revoked = await TestStream.open(region, {
      configs: [A],
      principal: { jti: "t-1", expires_at_ms: expiresAtMs },
    });
    const expiring = await TestStream.open(region, {
      configs: [A],
      principal: { expires_at_ms: Date.now() + 1500 },
    });
    await region.revoke("t-1", expiresAtMs);
    for (const stream of [revoked, expiring]) {
      await until(() => stream.ended);
      expect(stream.events.at(-1)?.message).toEqual({ type: "error", code: "unauthenticated", config: null });
    }
  });

  it("E9 a client that hangs up leaves its place to another", async () => {
    const region = new TestRegion();
    region.faults.socketsMax = 1;
    const stream = await TestStream.open(region, { configs: [A] });
    await stream.event(1);
    await stream.close();
    let next: TestStream | null = null;
    await until(async () => {
      const response = await region.hub.fetch(watchRequest(region, { configs: [A] }));
      if (response.body === null) return false;
      if (response.status === 200) next = new TestStream(response.body);
      else await response.body.cancel();
      return response.status === 200;
    });
    await (next as TestStream | null)?.close();
  });

  it("E9 a client that does not read is given up, not buffered for ever", async () => {
    const region = new TestRegion();
    const sent = await runInDurableObject(region.hub, () => {
      const channel = new StreamChannel(() => {}, 2_000);
      const text = "x".repeat(10_000);
      let count = 0;
      while (channel.send(text, null)) count += 1;
      return { count, again: channel.send(text, null), beat: channel.heartbeat() };
    });
    expect(sent.count * 10_000).toBeLessThan(SSE_BUFFER_BYTES_MAX + 20_000);
    expect(sent).toMatchObject({ again: false, beat: false });
  });
});
