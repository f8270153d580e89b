import { evictDurableObject, runDurableObjectAlarm } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { CLIENT_WINDOW_MESSAGES_MAX } from "./limits.ts";
import { TestRegion, until } from "./testing/test-region.ts";
import { TestSocket } from "./testing/test-watcher.ts";

const A = "demo/shop/prod/a.json";

describe("what a hub bears from one socket", () => {
  it("E9 a flood of messages ends the socket that sends it, and no other", async () => {
    const region = new TestRegion();
    region.faults.socketsMax = 2;
    const flooding = await TestSocket.open(region, { configs: [A] });
    const quiet = await TestSocket.open(region, { configs: [A] });
    for (let i = 0; i < 3 * CLIENT_WINDOW_MESSAGES_MAX; i += 1) flooding.send("nonsense");
    await until(() => flooding.closed !== null);
    expect(flooding.closed).toMatchObject({
      code: 1013,
      reason: expect.stringMatching(/^too many messages; retry_ms=\d+$/) as string,
    });
    expect(flooding.messages.filter(({ type }) => type === "error")).toHaveLength(CLIENT_WINDOW_MESSAGES_MAX);
    // Its place is free, and what it still had to say subscribed nobody.
    const next = await TestSocket.open(region, { configs: [A] });
    await region.create("a.json", "{}");
    await Promise.all([quiet.changesOf(1), next.changesOf(1)]);
    expect(flooding.changes).toEqual([]);
  });

  it("E9 too many bytes end a socket, however few its messages", async () => {
    const region = new TestRegion();
    const socket = await TestSocket.open(region, { configs: [A] });
    for (let i = 0; i < 9; i += 1) socket.send("x".repeat(60_000));
    await until(() => socket.closed?.code === 1013);
  });

  it("E9 pings are answered by the runtime and count as nothing", async () => {
    const region = new TestRegion();
    const socket = await TestSocket.open(region, { configs: [A] });
    for (let i = 0; i < 2 * CLIENT_WINDOW_MESSAGES_MAX; i += 1) socket.send("ping");
    await until(() => socket.texts.length === 2 * CLIENT_WINDOW_MESSAGES_MAX);
    socket.send("nonsense");
    await socket.message("error");
  });
});

describe("a socket whose client has vanished", () => {
  it("E9 E12 is closed at the hub's alarm when it used to ping; one that never did is kept", async () => {
    const region = new TestRegion();
    region.faults.socketsMax = 2;
    const pinging = await TestSocket.open(region, { configs: [A] });
    const listening = await TestSocket.open(region, { configs: [A] });
    pinging.send("ping");
    await until(() => pinging.texts.includes("pong"));
    expect(await runDurableObjectAlarm(region.hub)).toBe(true);
    expect(pinging.closed).toBeNull();
    // No time passes in this test: a limit below none stands for one that is over.
    region.faults.silence = { greetingMs: -1, silentMsMax: -1 };
    await evictDurableObject(region.hub);
    expect(await runDurableObjectAlarm(region.hub)).toBe(true);
    await until(() => pinging.closed?.code === 1013);
    expect(pinging.closed?.reason).toMatch(/^no ping for too long; retry_ms=\d+$/);
    const next = await TestSocket.open(region, { configs: [A] });
    await region.create("a.json", "{}");
    await Promise.all([listening.changesOf(1), next.changesOf(1)]);
    expect(pinging.changes).toEqual([]);
  });
});

describe("hubs of a region", () => {
  it("E10 are told of changes whatever their number: one past HUB_SHARDS keeps its watchers", async () => {
    const region = new TestRegion();
    // Without HUB_SHARDS there are four: 31 is one of a larger number before.
    const sockets = await Promise.all(
      [0, 3, 31, 127].map((shard) => TestSocket.open(region, { configs: [A], shard })),
    );
    await region.create("a.json", "{}");
    await Promise.all(sockets.map((socket) => socket.changesOf(1)));
    expect(await runDurableObjectAlarm(region.hubShard(31))).toBe(true);
    await region.create("b.json", "{}");
    sockets[2]?.send({ type: "subscribe", configs: ["demo/shop/prod/c.json"] });
    sockets[2]?.send("nonsense");
    await sockets[2]?.message("error");
    await region.create("c.json", "{}");
    await sockets[2]?.changesOf(2);
  });
});
