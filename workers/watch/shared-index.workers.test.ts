import { evictDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { testEnv, TestRegion, until } from "./testing/test-region.ts";
import { TestStream } from "./testing/test-stream.ts";
import { indexOf, TestSocket } from "./testing/test-watcher.ts";

const ALL = "demo/shop/prod/*";
const [A, B] = ["demo/shop/prod/a.json", "demo/shop/prod/b.json"];
const signer = createIndexSigner(testEnv.INDEX_SIGNING_KEY);

interface Released {
  region: TestRegion;
  a: { id: string; index: number };
  /** Of the one entry that changed both. */
  index: number;
}

/** A region with a and b, and `change`, which releases both in one entry of the log, as a batch of releases does. */
async function twoConfigs(): Promise<{ region: TestRegion; change: () => Promise<Released> }> {
  const region = new TestRegion();
  const a = await region.create("a.json", "0");
  const b = await region.create("b.json", "0");
  await region.head("b.json", b.index);
  const { core } = region.faults;
  const change = async (): Promise<Released> => {
    core.failure = new Error("connection refused");
    await region.release(a.id, "1");
    const index = await region.release(b.id, "1");
    core.editFeed = (answer) => {
      const first = answer.entries[0];
      const last = answer.entries.at(-1);
      if (first === undefined || last?.index !== index) return answer;
      const events = answer.entries.flatMap((entry) => entry.events);
      return { ...answer, entries: [{ ...last, prev_index: first.prev_index, events }] };
    };
    core.failure = null;
    await region.head("b.json", index);
    core.editFeed = (answer) => answer;
    return { region, a, index };
  };
  return { region, change };
}

describe("changes that share an index", () => {
  it("E9 a WebSocket cut between the two is told the second when it resumes from the first", async () => {
    const { region, change } = await twoConfigs();
    const socket = await TestSocket.open(region, { configs: [ALL] });
    const { a, index } = await change();
    const [first, second] = await socket.changesOf(2);
    expect([first?.config, second?.config]).toEqual([A, B]);
    // To a fetch, both ask for the state that has both.
    for (const told of [first, second]) {
      expect(await signer.verify(told?.index ?? "")).toEqual({ cluster_id: "c1", epoch: 1, index });
    }
    const cut = await TestSocket.open(region, { configs: [ALL], since: first?.index ?? "" });
    expect((await cut.changesOf(2)).map((told) => [told.config, indexOf(told.index)])).toEqual([
      [A, index],
      [B, index],
    ]);
    // Cut again at once: what a client has after its hello must not claim more than it was told.
    const hello = await cut.message("hello");
    const again = await TestSocket.open(region, { configs: [B], since: "index" in hello ? hello.index : "" });
    expect(await again.changesOf(1)).toMatchObject([{ config: B }]);
    const whole = await TestSocket.open(region, { configs: [ALL], since: second?.index ?? "" });
    const next = await region.release(a.id, "2");
    expect((await whole.changesOf(1)).map((told) => indexOf(told.index))).toEqual([next]);
  });

  it("E9 E12 also when the hub was put to sleep in between, and when it has not heard of the index itself", async () => {
    const { region, change } = await twoConfigs();
    const socket = await TestSocket.open(region, { configs: [ALL] });
    const { index } = await change();
    const [first] = await socket.changesOf(2);
    await evictDurableObject(region.hub);
    const cut = await TestSocket.open(region, { configs: [B], since: first?.index ?? "" });
    expect(await cut.changesOf(1)).toMatchObject([{ config: B }]);
    const next = await change();
    const early = await signer.signPart({ cluster_id: "c1", epoch: 1, index: next.index + 4 });
    const ahead = await TestSocket.open(region, { configs: [ALL], since: early });
    const last = await change();
    expect(last.index).toBe(next.index + 4);
    expect((await ahead.changesOf(2)).map((told) => told.config)).toEqual([A, B]);
    expect(index).toBeLessThan(next.index);
  });

  it("E9 the id of an event says the same as its index", async () => {
    const { region, change } = await twoConfigs();
    const stream = await TestStream.open(region, { configs: [ALL] });
    await change();
    const [, first, second] = await stream.event(3);
    expect([first, second].map((event) => event?.id)).toEqual(
      [first, second].map((event) =>
        event !== undefined && "index" in event.message ? event.message.index : "",
      ),
    );
    await stream.close();
    const cut = await TestStream.open(region, {
      configs: [ALL],
      headers: { "last-event-id": first?.id ?? "" },
    });
    const told = await cut.event(3);
    expect(told.map(({ message }) => ("config" in message ? message.config : message.type))).toEqual([
      "hello",
      A,
      B,
    ]);
    await cut.close();
  });

  it("E9 a watcher of one of them is not told twice while it stays", async () => {
    const { region, change } = await twoConfigs();
    const socket = await TestSocket.open(region, { configs: [A] });
    const { a } = await change();
    const next = await region.release(a.id, "2");
    await until(() => socket.changes.some((told) => indexOf(told.index) === next));
    expect(socket.changes).toHaveLength(2);
  });
});
