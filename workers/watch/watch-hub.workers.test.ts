// Over 400 lines: all that a watcher is told, over one region and one set of test watchers.
import {
  abortAllDurableObjects,
  evictDurableObject,
  runDurableObjectAlarm,
  runInDurableObject,
} from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { testEnv, TestRegion, until } from "./testing/test-region.ts";
import { indexOf, TestSocket, watchRequest } from "./testing/test-watcher.ts";

const A = "demo/shop/prod/a.json";
const ALL = "demo/shop/prod/*";
const signer = createIndexSigner(testEnv.INDEX_SIGNING_KEY);
const tokenAt = (index: number, epoch = 1): Promise<string> =>
  signer.sign({ cluster_id: "c1", epoch, index });

describe("watch hub, WebSocket", () => {
  it("E9 tells a watcher of a release within the region, with a signed index", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    await region.head("a.json", made.index);
    const socket = await TestSocket.open(region, { configs: [A] });
    const hello = await socket.message("hello");
    expect(hello).toEqual({ type: "hello", index: await tokenAt(made.index), reconnect_jitter_ms: 1000 });
    const index = await region.release(made.id, "[]");
    const [change] = await socket.changesOf(1);
    expect(Object.keys(change ?? {})).toEqual(["type", "config", "version", "index", "deleted", "jitter_ms"]);
    expect(change).toMatchObject({ config: A, version: 2, deleted: false, jitter_ms: 0 });
    expect(change?.index).toBe(await tokenAt(index));
  });

  it("E9 watches a whole namespace, and is told of deletions", async () => {
    const region = new TestRegion();
    const socket = await TestSocket.open(region, { configs: [ALL] });
    const made = await region.create("a.json", "{}");
    await socket.changesOf(1);
    const index = await region.delete(made.id);
    const [, gone] = await socket.changesOf(2);
    expect(gone).toMatchObject({ config: A, version: 1, deleted: true });
    expect(indexOf(gone?.index ?? "")).toBe(index);
  });

  it("E9 a change that is none for the region is no event", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    await region.head("a.json", made.index);
    const socket = await TestSocket.open(region, { configs: [ALL] });
    await region.putRules(made.id, [
      { labels: {}, version_id: 1, priority: 0 },
      { labels: {}, version_id: 1, priority: -1, edge: { regions: ["elsewhere"] } },
    ]);
    await region.create("b.json", "{}");
    expect(await socket.changesOf(1)).toMatchObject([{ config: "demo/shop/prod/b.json" }]);
  });

  it("E9 refuses whoever does not come through the edge, and a query that is none", async () => {
    const region = new TestRegion();
    const request = watchRequest(region, { configs: [A], headers: { upgrade: "websocket" } });
    request.headers.delete("x-conflux-watch-principal");
    const response = await region.hub.fetch(request);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: "forbidden" });
    const many = Array.from({ length: 201 }, (_, i) => `${A}${i}`);
    for (const configs of [["a/b"], ["demo/**"], ["demo/shop/prod/.."], many]) {
      const refused = await region.hub.fetch(
        watchRequest(region, { configs, headers: { upgrade: "websocket" } }),
      );
      expect(refused.status).toBe(400);
      expect(await refused.json()).toMatchObject({ code: "validation_failed" });
    }
  });

  it("E9 answers ping", async () => {
    const region = new TestRegion();
    const socket = await TestSocket.open(region, { configs: [A] });
    socket.send("ping");
    await until(() => socket.texts.includes("pong"));
  });

  it("E9 subscribes and unsubscribes on an open socket", async () => {
    const region = new TestRegion();
    const socket = await TestSocket.open(region);
    const b = "demo/shop/prod/b.json";
    socket.send({ type: "subscribe", configs: [A, b] });
    socket.send({ type: "unsubscribe", configs: [A] });
    // Messages are handled in order: the answer to a third shows that the two have been.
    socket.send("nonsense");
    await socket.message("error");
    await region.create("a.json", "{}");
    await region.create("b.json", "{}");
    expect(await socket.changesOf(1)).toMatchObject([{ config: b }]);
  });

  it("E9 answers wrong, unknown, binary and oversized messages with an error, and stays open", async () => {
    const region = new TestRegion();
    const socket = await TestSocket.open(region, { configs: [A] });
    socket.send("{");
    socket.send({ type: "publish", configs: [] });
    socket.sendBytes(new ArrayBuffer(3));
    socket.send(JSON.stringify({ type: "subscribe", configs: ["x".repeat(70_000)] }));
    socket.send({ type: "subscribe", configs: ["demo/shop"] });
    socket.send({ type: "subscribe", configs: Array.from({ length: 200 }, (_, i) => `demo/shop/prod/${i}`) });
    await until(() => socket.messages.length === 7);
    expect(socket.messages.slice(1)).toEqual([
      { type: "error", code: "malformed_request", config: null },
      { type: "error", code: "malformed_request", config: null },
      { type: "error", code: "malformed_request", config: null },
      { type: "error", code: "payload_too_large", config: null },
      { type: "error", code: "validation_failed", config: "demo/shop" },
      { type: "error", code: "quota_exceeded", config: "demo/shop/prod/0" },
    ]);
    await region.create("a.json", "{}");
    await socket.changesOf(1);
  });

  it("E9 answers each name that is none by itself, and takes the others", async () => {
    const region = new TestRegion();
    const socket = await TestSocket.open(region);
    const long = `demo/${"x".repeat(700)}`;
    socket.send({ type: "subscribe", configs: ["demo/shop", A, 7, "a/b/c/..", A, long] });
    await until(() => socket.messages.length === 5);
    expect(socket.messages.slice(1)).toEqual(
      ["demo/shop", null, "a/b/c/..", long.slice(0, 600)].map((config) => ({
        type: "error",
        code: "validation_failed",
        config,
      })),
    );
    await region.create("a.json", "{}");
    expect(await socket.changesOf(1)).toMatchObject([{ config: A }]);
    socket.send({ type: "unsubscribe", configs: ["*", A] });
    await until(() => socket.messages.length === 7);
    expect(socket.messages.at(-1)).toEqual({ type: "error", code: "validation_failed", config: "*" });
    await region.create("b.json", "{}");
    await region.create("c.json", "{}");
    expect(socket.changes).toHaveLength(1);
  });

  it("E9 answers the close of a client with its own code", async () => {
    const region = new TestRegion();
    for (const code of [1000, 4000]) {
      const socket = await TestSocket.open(region, { configs: [A] });
      socket.close(code);
      await until(() => socket.closed?.code === code);
    }
    const wordless = await TestSocket.open(region, { configs: [A] });
    wordless.close();
    await until(() => wordless.closed !== null);
  });

  it("E9 says nothing of a config that is not permitted, whether it exists or not", async () => {
    const region = new TestRegion();
    const secret = "other/shop/prod/secret.json";
    const scopes = ["read:demo/shop/prod/b.json"];
    const socket = await TestSocket.open(region, { configs: [secret, A, ALL], principal: { scopes } });
    socket.send({ type: "subscribe", configs: ["other/shop/prod/none.json"] });
    await region.create("a.json", "{}");
    await region.create("b.json", "{}");
    await socket.changesOf(1);
    expect(socket.messages.map((message) => ("config" in message ? message.config : message.type))).toEqual([
      "hello",
      "demo/shop/prod/b.json",
    ]);
  });

  it("E9 closes 1013 above the hub's sockets", async () => {
    const region = new TestRegion();
    region.faults.socketsMax = 1;
    const first = await TestSocket.open(region, { configs: [A] });
    const second = await TestSocket.open(region, { configs: [A] });
    await until(() => second.closed?.code === 1013);
    expect(second.closed?.reason).toMatch(/^too many watchers; retry_ms=[23]\d{3}$/);
    const stream = await region.hub.fetch(watchRequest(region, { configs: [A] }));
    expect(stream.status).toBe(503);
    expect(stream.headers.get("retry-after")).not.toBeNull();
    await stream.body?.cancel();
    first.close(1000);
    await until(() => first.closed !== null);
    const third = await TestSocket.open(region, { configs: [A] });
    await third.message("hello");
  });
});

describe("resuming a watch", () => {
  it("E9 replays the newest change of each watched config after `since`, and no other", async () => {
    const region = new TestRegion();
    const a = await region.create("a.json", "{}");
    await region.head("a.json", a.index);
    const b = await region.create("b.json", "{}");
    await region.create("c.json", "{}");
    await region.release(a.id, "[1]");
    const index = await region.release(a.id, "[2]");
    await region.head("a.json", index);
    const socket = await TestSocket.open(region, {
      configs: [A, "demo/shop/prod/b.json"],
      since: await tokenAt(b.index),
    });
    expect(await socket.message("hello")).toMatchObject({ index: await tokenAt(b.index) });
    const next = await region.release(b.id, "[1]");
    expect((await socket.changesOf(2)).map((change) => [change.config, indexOf(change.index)])).toEqual([
      [A, index],
      ["demo/shop/prod/b.json", next],
    ]);
  });

  it("E9 says resync when `since` is of another epoch, forged, or too old", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    await region.head("a.json", made.index);
    const good = await tokenAt(made.index);
    await runInDurableObject(region.replica, (_, { storage }) => {
      storage.sql.exec("UPDATE position SET horizon = 1000");
    });
    await abortAllDurableObjects();
    for (const since of [await tokenAt(1, 7), `${good}x`, "12", await tokenAt(1)]) {
      // Someone who is ahead of the horizon needs no resync, so the last one must be behind the position.
      if (since.startsWith("c1.1.1."))
        await region.release(made.id, "[]").then((i) => region.head("a.json", i));
      const socket = await TestSocket.open(region, { configs: [A], since });
      await socket.message("resync");
      expect(socket.messages.map((message) => message.type)).toEqual(["hello", "resync"]);
    }
  });

  it("E9 someone ahead of the hub is told nothing that they know", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    const socket = await TestSocket.open(region, { configs: [A], since: await tokenAt(made.index + 2) });
    await region.release(made.id, "[1]");
    const news = await region.release(made.id, "[2]");
    await until(() => socket.changes.some((change) => indexOf(change.index) === news));
    expect(socket.changes).toHaveLength(1);
  });

  it("E9 loses nothing and repeats nothing when watchers come while releases go on", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "0");
    await region.head("a.json", made.index);
    const start = await tokenAt(made.index);
    const sockets: TestSocket[] = [];
    let last = 0;
    for (let i = 1; i <= 40; i += 1) {
      const opening = TestSocket.open(
        region,
        i % 2 === 0 ? { configs: [A] } : { configs: [ALL], since: start },
      );
      last = await region.release(made.id, String(i));
      sockets.push(await opening);
    }
    await until(() =>
      sockets.every((socket) => socket.messages.some((m) => "index" in m && indexOf(m.index) === last)),
    );
    for (const socket of sockets) {
      const told = socket.changes.map((change) => indexOf(change.index));
      expect(told).toEqual([...new Set(told)].toSorted((a, b) => a - b));
    }
    // Reconnecting with the last index one has brings exactly what came after it.
    const middle = sockets[0]?.changes.at(-2)?.index ?? start;
    const again = await TestSocket.open(region, { configs: [A], since: middle });
    expect((await again.changesOf(1)).map((change) => indexOf(change.index))).toEqual([last]);
  });

  it("E9 bursts that a hub could not take are told as the newest of each config", async () => {
    const region = new TestRegion();
    const a = await region.create("a.json", "0");
    const socket = await TestSocket.open(region, { configs: [ALL] });
    await until(() => socket.messages.length >= 1);
    region.faults.publishFailure = new Error("overloaded");
    let last = 0;
    for (let i = 1; i <= 5; i += 1) {
      last = await region.release(a.id, String(i));
      await region.head("a.json", last);
    }
    region.faults.publishFailure = null;
    await until(() => socket.changes.some((change) => indexOf(change.index) === last));
    expect(socket.changes.filter((change) => indexOf(change.index) > a.index)).toHaveLength(1);
  });

  it("E11 E9 a new epoch tells every watcher to start over", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "0");
    await region.head("a.json", made.index);
    const socket = await TestSocket.open(region, { configs: [A] });
    region.faults.core.core = new MemoryCore({ epoch: 2 });
    const other = await region.create("a.json", "1");
    expect(await socket.message("resync")).toEqual({
      type: "resync",
      index: await tokenAt(other.index, 2),
      jitter_ms: 0,
    });
    const index = await region.release(other.id, "2");
    expect(await socket.changesOf(1)).toMatchObject([{ index: await tokenAt(index, 2) }]);
  });
});

describe("the end of a watch", () => {
  it("E9 closes 4401 when the token expires", async () => {
    const region = new TestRegion();
    await region.head("a.json", (await region.create("a.json", "0")).index);
    const short = { expires_at_ms: Date.now() + 1500 };
    const socket = await TestSocket.open(region, { configs: [A], principal: short });
    await until(() => socket.closed?.code === 4401);
    const late = { expires_at_ms: Date.now() - 1 };
    const request = { configs: [A], principal: late, headers: { upgrade: "websocket" } };
    expect((await region.hub.fetch(watchRequest(region, request))).status).toBe(401);
  });

  it("E9 E2 closes 4401 when the token is revoked, and takes no socket of a revoked one", async () => {
    const region = new TestRegion();
    const expiresAtMs = Date.now() + 60_000;
    const principal = { jti: "t-1", expires_at_ms: expiresAtMs };
    const socket = await TestSocket.open(region, { configs: [A], principal });
    const other = await TestSocket.open(region, { configs: [A] });
    await region.revoke("t-1", expiresAtMs);
    await until(() => socket.closed?.code === 4401);
    const refused = watchRequest(region, { configs: [A], principal, headers: { upgrade: "websocket" } });
    expect((await region.hub.fetch(refused.clone())).status).toBe(401);
    await region.create("a.json", "{}");
    await other.changesOf(1);
    // A hub that starts anew learns of it before it takes anybody.
    await abortAllDurableObjects();
    expect((await region.hub.fetch(refused)).status).toBe(401);
  });

  it("R13 E9 closes 4401 what was opened with a token of before a restore, and takes none of them", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    await region.head("a.json", made.index);
    const { restore } = await region.backup();
    const old = await TestSocket.open(region, { configs: [A] });
    const young = await TestSocket.open(region, {
      configs: [A],
      principal: { issued_at_ms: Date.now() + 60_000 },
    });
    await restore();
    await until(() => old.closed?.code === 4401);
    await young.message("resync");
    expect(young.closed).toBeNull();
    await abortAllDurableObjects();
    const refused = watchRequest(region, { configs: [A], headers: { upgrade: "websocket" } });
    expect((await region.hub.fetch(refused)).status).toBe(401);
  });
});

describe("a hub's lives", () => {
  it("E12 sockets sleep through an eviction and are told what comes after", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "0");
    await region.head("a.json", made.index);
    const socket = await TestSocket.open(region, { configs: [A] });
    await socket.message("hello");
    await evictDurableObject(region.hub);
    const index = await region.release(made.id, "1");
    expect((await socket.changesOf(1)).map((change) => indexOf(change.index))).toEqual([index]);
    await evictDurableObject(region.hub);
    socket.send({ type: "subscribe", configs: ["demo/shop/prod/b.json"] });
    socket.send("nonsense");
    await socket.message("error");
    await region.create("b.json", "0");
    await socket.changesOf(2);
  });

  it("E12 E10 a hub that the replica forgot finds at its next renewal what it was not told", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "0");
    await region.head("a.json", made.index);
    const socket = await TestSocket.open(region, { configs: [A] });
    await runInDurableObject(region.replica, (_, { storage }) => {
      storage.sql.exec("DELETE FROM hub");
    });
    const index = await region.release(made.id, "1");
    await region.head("a.json", index);
    expect(socket.changes).toEqual([]);
    expect(await runDurableObjectAlarm(region.hub)).toBe(true);
    expect((await socket.changesOf(1)).map((change) => indexOf(change.index))).toEqual([index]);
    await region.release(made.id, "2");
    await socket.changesOf(2);
  });

  it("E10 a hub too far behind is told to resync, and learns of the revocations it missed", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "0");
    await region.head("a.json", made.index);
    const expiresAtMs = Date.now() + 60_000;
    const socket = await TestSocket.open(region, { configs: [A] });
    const revoked = await TestSocket.open(region, {
      configs: [A],
      principal: { jti: "t-1", expires_at_ms: expiresAtMs },
    });
    region.faults.publishFailure = new Error("overloaded");
    await region.head("a.json", await region.revoke("t-1", expiresAtMs));
    await region.head("a.json", await region.release(made.id, "1"));
    await runInDurableObject(region.replica, (_, { storage }) => {
      storage.sql.exec("DELETE FROM outbox WHERE seq = (SELECT min(seq) FROM outbox)");
    });
    region.faults.publishFailure = null;
    await socket.message("resync");
    await until(() => revoked.closed?.code === 4401);
  });
});
