import { describe, expect, it } from "vitest";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import type { HeadChanges, HubChange, RegionReplicaRpc } from "../../contracts/delivery/replica-rpc.ts";
import { HubShard } from "./hub-shard.ts";
import { PENDING_CHANGES_MAX } from "./limits.ts";
import type { ServerMessage } from "./watch-protocol.ts";
import { until } from "./testing/test-region.ts";
import { WatchSession } from "./watch-session.ts";

const line = { cluster_id: "c1", epoch: 1 };
const signer = createIndexSigner("a key of the tests alone");
const name = (config: string): string => `demo/shop/prod/${config}`;
const change = (config: string, index: number): HubChange => ({
  config: name(config),
  version: index,
  index,
  deleted: false,
});

/** A shard at index 10 whose replica answers when the test says so. */
function makeShard() {
  let answer: (changes: HeadChanges) => void = () => {};
  let asked = false;
  const replica = {
    changesSince: () => {
      asked = true;
      return new Promise<HeadChanges>((resolve) => {
        answer = resolve;
      });
    },
  } as unknown as RegionReplicaRpc;
  const shard = new HubShard({
    hub: "hub:r:0",
    signer,
    replica: () => replica,
    position: { ...line, index: 10 },
    reconnectJitterMs: () => 1_000,
    storePosition: () => {},
    forget: () => {},
    end: () => {},
  });
  const told: string[] = [];
  const channel = {
    send: (text: string): boolean => {
      const message = JSON.parse(text) as ServerMessage;
      told.push(
        "index" in message
          ? `${message.type} ${message.index.split(".").slice(1, 3).join(".")}`
          : message.type,
      );
      return true;
    },
    close: () => {},
    save: () => true,
  };
  const principal = { jti: "t", scopes: ["read:**"], issued_at_ms: 1, expires_at_ms: Infinity, region: "r" };
  const state = { principal, configs: [name("*")], from: 0, caught_up: false, opened_at_ms: 1 };
  const session = new WatchSession(state, channel);
  shard.fanOut.sessions.add(session);
  const head = (index: number, changes: HubChange[], more: Partial<HeadChanges> = {}): HeadChanges => ({
    ...line,
    index,
    age_ms: 0,
    entries: changes.map(({ config, version, index: at }) => ({
      name: config,
      doc: "d",
      index: at,
      version,
    })),
    revocations: [],
    tokens_not_before_ms: 0,
    dropped: false,
    ...more,
  });
  return {
    told,
    session,
    publish: (index: number, changes: HubChange[], more: Partial<{ epoch: number; resync: boolean }> = {}) =>
      shard.publish({
        ...line,
        index,
        changes,
        revocations: [],
        tokens_not_before_ms: 0,
        resync: false,
        ...more,
      }),
    /** Resumes from index 5, and answers what has begun when the replica has been asked. */
    resume: async (): Promise<{ done: Promise<void> }> => {
      const done = shard.start(session, await signer.sign({ ...line, index: 5 }));
      await until(() => asked);
      return { done };
    },
    answer: (changes: HeadChanges): void => {
      answer(changes);
    },
    head,
  };
}

describe("a watcher that is caught up while changes come", () => {
  it("E9 gets what came meanwhile after the replay, once, whichever of the two told it", async () => {
    const shard = makeShard();
    const { done } = await shard.resume();
    // The replica had applied 11 when it answered, the hub hears of 11 and 12 before the answer arrives.
    await shard.publish(11, [change("b", 11)]);
    await shard.publish(12, [change("c", 12)]);
    expect(shard.told).toEqual(["hello 1.5"]);
    shard.answer(shard.head(11, [change("a", 7), change("b", 11)]));
    await done;
    expect(shard.told).toEqual(["hello 1.5", "change 1.7", "change 1.11", "change 1.12"]);
    await shard.publish(13, [change("a", 13)]);
    expect(shard.told.at(-1)).toBe("change 1.13");
  });

  it("E9 starts over when the epoch changes meanwhile, and is told nothing of the old one after that", async () => {
    const shard = makeShard();
    const { done } = await shard.resume();
    await shard.publish(3, [], { epoch: 2, resync: false });
    await shard.publish(4, [change("b", 4)], { epoch: 2 });
    shard.answer(shard.head(11, [change("a", 7)]));
    await done;
    expect(shard.told).toEqual(["hello 1.5", "resync 2.4"]);
    await shard.publish(5, [change("b", 5)], { epoch: 2 });
    expect(shard.told.at(-1)).toBe("change 2.5");
    await shard.publish(99, [change("b", 99)]);
    expect(shard.told).toHaveLength(3);
  });

  it("E9 starts over when more came than is held for it", async () => {
    const shard = makeShard();
    const { done } = await shard.resume();
    const many = Array.from({ length: PENDING_CHANGES_MAX + 1 }, (_, i) => change(`c${i}`, 11 + i));
    await shard.publish(11 + PENDING_CHANGES_MAX, many);
    shard.answer(shard.head(11, []));
    await done;
    expect(shard.told).toEqual(["hello 1.5", `resync 1.${11 + PENDING_CHANGES_MAX}`]);
  });

  it("E9 starts over when the replica cannot tell what it missed", async () => {
    const shard = makeShard();
    const { done } = await shard.resume();
    shard.answer(shard.head(12, [], { dropped: true }));
    await done;
    // The hub itself stands at 10: whatever comes after that is still told.
    expect(shard.told).toEqual(["hello 1.5", "resync 1.10"]);
    await shard.publish(12, [change("a", 11)]);
    expect(shard.told.at(-1)).toBe("change 1.11");
  });
});
