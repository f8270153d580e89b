import { beforeEach, describe, expect, it } from "vitest";
import type { StateChange } from "../../domain/command/state-view.ts";
import { stateKey } from "../../domain/command/state-view.ts";
import { MemoryState } from "../../domain/command/memory-state.ts";
import { parsePeerAddress, PeerBook } from "./peer-book.ts";

const named = [1, 2, 3].map((nodeId) => ({
  nodeId,
  host: "env",
  port: 7500 + nodeId,
  url: `http://env:${nodeId}`,
}));
let state: MemoryState;
let peers: string[];
let welcomesAll: boolean;
let book: PeerBook;

function open(nodeId: number): PeerBook {
  const made = new PeerBook(nodeId, named);
  made.useStreams({
    setPeers: (next, options) => {
      peers = next.map((peer) => `${peer.nodeId}=${peer.host}:${peer.port}`);
      ({ welcomesAll } = options);
    },
    probe: () => Promise.reject(new AggregateError([], "")),
  });
  made.useState(state);
  return made;
}
function record(node_id: number, raft_address: string, removed = false): void {
  const value = { node_id, raft_address, url: `http://state:${node_id}`, disk_id: "d", removed };
  const changes: StateChange[] = [{ op: "put_json", key: stateKey.node(node_id), value }];
  state.apply(changes);
  book.refresh();
}
beforeEach(() => {
  state = new MemoryState();
  peers = [];
  book = open(1);
  book.useMembers(() => [1, 2, 3]);
});

describe("an address of a peer", () => {
  it.each<[string, unknown]>([
    ["h:7501", { host: "h", port: 7501 }],
    ["10.0.0.1:1", { host: "10.0.0.1", port: 1 }],
    ["node-1.core.local:65535", { host: "node-1.core.local", port: 65_535 }],
    ["[::1]:7501", { host: "::1", port: 7501 }],
    ["[fd00::10.0.0.1]:7501", { host: "fd00::10.0.0.1", port: 7501 }],
    ["h", null],
    ["h:", null],
    [":7501", null],
    ["h:0", null],
    ["h:65536", null],
    ["h:123456", null],
    ["::1:7501", null],
    ["[h]:7501", null],
    ["h:7501/", null],
    ["", null],
  ])("%s", (text, expected) => {
    expect(parsePeerAddress(text)).toEqual(expected);
  });
});

describe("R5 who the peers of a node are", () => {
  it("those that the environment names, never the node itself", () => {
    expect(peers).toEqual(["2=env:7502", "3=env:7503"]);
    expect(welcomesAll).toBe(false);
  });

  it("where the state says, once it says so; and whoever it adds", () => {
    record(2, "moved:1");
    record(4, "[::1]:2");
    record(1, "own:1");
    expect(peers).toEqual(["2=moved:1", "3=env:7503", "4=::1:2"]);
    expect(book.addressOf(2)).toEqual({ peer: "moved:1", url: "http://state:2" });
    expect(book.addressOf(3)).toEqual({ peer: "env:7503", url: "http://env:3" });
    expect(book.addressOf(9)).toEqual({ peer: "", url: "" });
  });

  it("a record without an address, as a removal makes one, leaves the environment's word", () => {
    record(2, "", true);
    expect(book.addressOf(2).peer).toBe("env:7502");
  });

  it("one that is being removed, until a membership without it is applied", () => {
    book.membershipApplied([1, 2, 3]);
    record(3, "h:3", true);
    expect(peers).toContain("3=h:3");
    book.useMembers(() => [1, 2]);
    expect(book.isMember(3)).toBe(true);
    expect(peers).toContain("3=h:3");
    book.membershipApplied([1, 2]);
    expect(book.isMember(3)).toBe(false);
    expect(peers).toEqual(["2=env:7502"]);
  });

  it("one that an operator expects, for as long as it is expected", () => {
    book.expect({ nodeId: 4, host: "h", port: 4 });
    expect(peers).toContain("4=h:4");
    book.expectNoMore(4);
    expect(peers).not.toContain("4=h:4");
  });

  it("everyone is welcome to a node that does not know the cluster yet, and nobody else afterwards", () => {
    book = open(4);
    book.refresh();
    expect([peers, welcomesAll]).toEqual([["1=env:7501", "2=env:7502", "3=env:7503"], true]);
    record(4, "h:4");
    expect(welcomesAll).toBe(false);
  });
});

describe("R5 what is wrong at an address", () => {
  it("is said in the words of whoever looked", async () => {
    const peer = { nodeId: 2, host: "h", port: 1 };
    const asked: unknown[] = [];
    const probing = (fails: Error | null): void =>
      book.useStreams({
        setPeers: () => undefined,
        probe: async (...args) => {
          asked.push(args);
          if (fails !== null) throw fails;
        },
      });
    probing(new Error("it is node 3"));
    expect(await book.troubleAt(peer, 10)).toBe("it is node 3");
    probing(null);
    expect(await book.troubleAt(peer, 10)).toBeNull();
    expect(asked).toEqual([
      [peer, 10],
      [peer, 10],
    ]);
  });
});
