import { describe, expect, it } from "vitest";
import type { Batch, Entry, HardState, LogReader, Membership, Message, RawNode } from "./types.ts";
import { createRawNode } from "./raw-node.ts";

const CONFIG = {
  electionTicks: 10,
  heartbeatTicks: 1,
  appendBytesMax: 1 << 16,
  inflightMax: 16,
  uncommittedBytesMax: 1 << 20,
  random: () => 0.5,
};

interface Member {
  raw: RawNode;
  entries: Entry[];
  hard: HardState;
  applied: Entry[];
  reads: { request: number; index: number }[];
}

function readerOf(entries: Entry[]): LogReader {
  return {
    firstIndex: () => 1,
    lastIndex: () => entries.length,
    term: (index) => (index === 0 ? 0 : entries[index - 1]?.term),
    entries: (from, to) => entries.slice(from - 1, to - 1),
    snapshot: () => null,
  };
}

function startMember(id: number, membership: Membership): Member {
  const entries: Entry[] = [];
  const hard = { term: 0, vote: 0, commit: 0 };
  const log = readerOf(entries);
  const raw = createRawNode({ config: { ...CONFIG, id }, log, hardState: hard, membership, applied: 0 });
  return { raw, entries, hard, applied: [], reads: [] };
}

function work(member: Member): Message[] {
  const sent: Message[] = [];
  while (member.raw.hasReady()) {
    const batch: Batch = member.raw.ready();
    sent.push(...batch.messagesNow);
    if (batch.hardState !== null) member.hard = batch.hardState;
    const from = batch.entries[0]?.index;
    if (from !== undefined) member.entries.length = from - 1;
    member.entries.push(...batch.entries);
    member.raw.persisted(batch);
    sent.push(...batch.messages);
    member.applied.push(...batch.committed);
    member.reads.push(...batch.readStates);
    const last = batch.committed.at(-1);
    if (last !== undefined) member.raw.applied(last.index);
  }
  return sent;
}

function settle(members: Member[]): void {
  for (;;) {
    const sent = members.flatMap(work);
    if (sent.length === 0) return;
    for (const message of sent) members.find((m) => m.raw.status().id === message.to)?.raw.step(message);
  }
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const voters = (...ids: number[]): Membership => ({ voters: ids, outgoing: [], learners: [] });

describe("createRawNode", () => {
  it("R1 R2 a single node elects itself and commits after its own persist", () => {
    const one = startMember(1, voters(1));
    one.raw.campaign();
    settle([one]);
    expect(one.raw.status()).toMatchObject({ role: "leader", term: 1, commit: 1 });
    expect(one.raw.propose(bytes("a"))).toEqual({ ok: true, index: 2, term: 1 });
    expect(one.raw.propose(bytes("b"))).toEqual({ ok: true, index: 3, term: 1 });
    const batch = one.raw.ready();
    expect(batch.entries).toHaveLength(2);
    expect(batch.committed).toHaveLength(0);
    expect(one.raw.status().commit).toBe(1);
    one.entries.push(...batch.entries);
    one.raw.persisted(batch);
    expect(one.raw.status().commit).toBe(3);
    settle([one]);
    expect(one.applied.map((e) => e.index)).toEqual([1, 2, 3]);
  });

  it("R1 R2 three nodes elect by ticks, replicate and commit", () => {
    const members = [1, 2, 3].map((id) => startMember(id, voters(1, 2, 3)));
    const [one] = members;
    for (let i = 0; i < 15; i += 1) one?.raw.tick();
    settle(members);
    expect(one?.raw.status()).toMatchObject({ role: "leader", term: 1, commit: 1 });
    for (let i = 0; i < 100; i += 1) one?.raw.propose(bytes(`v${i}`));
    settle(members);
    for (const member of members) {
      expect(member.raw.status()).toMatchObject({ leader: 1, commit: 101, applied: 101 });
      expect(member.entries).toEqual(one?.entries);
    }
    expect(one?.raw.readIndex(7)).toBe(true);
    settle(members);
    expect(one?.reads).toEqual([{ request: 7, index: 101 }]);
  });
});
