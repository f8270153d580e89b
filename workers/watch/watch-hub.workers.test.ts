import { describe, expect, it } from "vitest";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { testEnv, TestRegion, until } from "./testing/test-region.ts";
import { indexOf, TestSocket, watchRequest } from "./testing/test-watcher.ts";

const A = "demo/shop/prod/a.json";

describe("watch hub, WebSocket", () => {
  it("E9 tells a watcher of a release within the region, with a signed index", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", "{}");
    await region.head("a.json", made.index);
    const socket = await TestSocket.open(region, { configs: [A] });
    const hello = await socket.message("hello");
    expect(hello).toMatchObject({ type: "hello" });
    const index = await region.release(made.id, "[]");
    const [change] = await socket.changesOf(1);
    expect(Object.keys(change ?? {})).toEqual(["type", "config", "version", "index", "deleted", "jitter_ms"]);
    expect(change).toMatchObject({ config: A, version: 2, deleted: false, jitter_ms: 0 });
    const position = await createIndexSigner(testEnv.INDEX_SIGNING_KEY).verify(change?.index ?? "");
    expect(position).toEqual({ cluster_id: "c1", epoch: 1, index });
  });

  it("E9 watches a whole namespace, and is told of deletions", async () => {
    const region = new TestRegion();
    const socket = await TestSocket.open(region, { configs: ["demo/shop/prod/*"] });
    const made = await region.create("a.json", "{}");
    await socket.changesOf(1);
    const index = await region.delete(made.id);
    const [, gone] = await socket.changesOf(2);
    expect(gone).toMatchObject({ config: A, version: 1, deleted: true });
    expect(indexOf(gone?.index ?? "")).toBe(index);
  });

  it("E9 refuses whoever does not come through the edge", async () => {
    const region = new TestRegion();
    const request = watchRequest(region, { configs: [A], headers: { upgrade: "websocket" } });
    request.headers.delete("x-conflux-watch-principal");
    const response = await region.hub.fetch(request);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ code: "forbidden" });
  });

  it("E9 answers ping without waking", async () => {
    const region = new TestRegion();
    const socket = await TestSocket.open(region, { configs: [A] });
    socket.send("ping");
    await until(() => socket.texts.includes("pong"));
  });
});
