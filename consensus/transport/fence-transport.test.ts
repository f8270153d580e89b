import { describe, expect, it } from "vitest";
import type { Message } from "../raft/types.ts";
import { fenceTransport } from "./fence-transport.ts";
import type { Receive, Transport } from "./transport.ts";

function setUp(hasLog: boolean) {
  const sent: Message[] = [];
  const received: Message[] = [];
  let deliver: Receive = () => undefined;
  const inner: Transport = {
    send: (messages) => sent.push(...messages),
    onMessage: (receive) => {
      deliver = receive ?? deliver;
    },
    sendSnapshot: () => Promise.resolve(),
    onUnreachable: () => undefined,
  };
  const transport = fenceTransport(inner, { hasLog, files: { remove: () => undefined } });
  transport.onMessage((message) => received.push(message));
  return { transport, sent, received, deliver: (message: Message) => deliver(message) };
}
const heartbeat = (from: number, term: number, commit: number): Message => ({
  type: "heartbeat",
  from,
  to: 6,
  term,
  commit,
  readContext: 0,
});
const acknowledgement = (to: number, term: number): Message => ({
  type: "append_reply",
  from: 6,
  to,
  term,
  ok: true,
  matchIndex: 3,
  hintIndex: 0,
  hintTerm: 0,
});

describe("R5 a node that lost its disk", () => {
  it("follows no leader that counts on it, though a late message of one before that was heard first", () => {
    const { sent, received, deliver } = setUp(false);
    deliver(heartbeat(4, 3, 18));
    deliver(heartbeat(5, 4, 18));
    expect(received).toEqual([]);
    expect(sent.map(({ to, term }) => ({ to, term }))).toEqual([
      { to: 4, term: 4 },
      { to: 5, term: 5 },
    ]);
    deliver(heartbeat(3, 5, 0));
    expect(received).toEqual([heartbeat(3, 5, 0)]);
  });

  it("is told what is committed once it has acknowledged something, or has its log", () => {
    const { transport, received, deliver } = setUp(false);
    deliver(heartbeat(4, 3, 0));
    deliver(heartbeat(5, 4, 0));
    transport.send([acknowledgement(5, 4)]);
    deliver(heartbeat(5, 4, 3));
    expect(received).toEqual([heartbeat(5, 4, 0), heartbeat(5, 4, 3)]);
    const later = setUp(true);
    later.deliver(heartbeat(5, 4, 3));
    expect(later.received).toEqual([heartbeat(5, 4, 3)]);
  });
});
