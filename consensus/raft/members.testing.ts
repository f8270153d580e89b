/** Members of a cluster for tests of the core: each with a log in memory, worked by hand or settled together. */
import { entryBytes } from "./raft-log-view.ts";
import { createRawNode } from "./raw-node.ts";
import type {
  Batch,
  Entry,
  HardState,
  LogReader,
  Membership,
  Message,
  RaftConfig,
  RawNode,
} from "./types.ts";

export const CONFIG: Omit<RaftConfig, "id"> = {
  electionTicks: 10,
  heartbeatTicks: 1,
  appendBytesMax: 1 << 16,
  inflightMax: 16,
  inflightBytesMax: 1 << 20,
  uncommittedBytesMax: 1 << 20,
  random: () => 0.5,
};

export interface Member {
  id: number;
  raw: RawNode;
  entries: Entry[];
  compactedTo: { index: number };
  hard: HardState;
  applied: Entry[];
  reads: { request: number; index: number }[];
}

/** `compactedTo` is where the readable log begins; what is below is a snapshot. */
function readerOf(entries: Entry[], compactedTo: { index: number }): LogReader {
  const termOf = (index: number): number | undefined => (index === 0 ? 0 : entries[index - 1]?.term);
  return {
    firstIndex: () => compactedTo.index + 1,
    lastIndex: () => entries.length,
    term: (index) => (index < compactedTo.index ? undefined : termOf(index)),
    entries: (from, to, bytesMax) => {
      let bytes = 0;
      const fits = (entry: Entry, i: number): boolean => (bytes += entryBytes(entry)) <= bytesMax || i === 0;
      const all = entries.slice(from - 1, to - 1);
      const end = all.findIndex((entry, i) => !fits(entry, i));
      return end < 0 ? all : all.slice(0, end);
    },
    snapshot: () => {
      const { index } = compactedTo;
      return index === 0 ? null : { index, term: termOf(index) ?? 0, membership: voters(1, 2, 3) };
    },
  };
}

/** A member with this log already durable. */
export function memberWith(options: {
  id?: number;
  membership?: Membership;
  terms?: number[];
  hard?: HardState;
  applied?: number;
  compactedTo?: number;
  config?: Partial<RaftConfig>;
}): Member {
  const id = options.id ?? 1;
  const entries = (options.terms ?? []).map((term, i): Entry => entryAt(i + 1, term));
  const hard = options.hard ?? { term: options.terms?.at(-1) ?? 0, vote: 0, commit: 0 };
  const compactedTo = { index: options.compactedTo ?? 0 };
  const raw = createRawNode({
    config: { ...CONFIG, ...options.config, id },
    log: readerOf(entries, compactedTo),
    hardState: hard,
    membership: options.membership ?? voters(1, 2, 3),
    applied: options.applied ?? 0,
  });
  return { id, raw, entries, compactedTo, hard, applied: [], reads: [] };
}

/** A member at its very first start. */
export function startMember(id: number, membership: Membership, config: Partial<RaftConfig> = {}): Member {
  return memberWith({ id, membership, config });
}

/** The same member after a crash: what was durable is all it has. */
export function restart(member: Member, config: Partial<RaftConfig> = {}): void {
  member.raw = createRawNode({
    config: { ...CONFIG, ...config, id: member.id },
    log: readerOf(member.entries, member.compactedTo),
    hardState: member.hard,
    membership: voters(1, 2, 3),
    applied: member.compactedTo.index,
  });
}

/** Makes a batch durable and reports it; what it says goes to the caller. */
export function persist(member: Member, batch: Batch): Message[] {
  if (batch.hardState !== null) member.hard = batch.hardState;
  const from = batch.entries[0]?.index;
  if (from !== undefined) member.entries.length = from - 1;
  member.entries.push(...batch.entries);
  member.raw.persisted(batch);
  member.applied.push(...batch.committed);
  member.reads.push(...batch.readStates);
  const last = batch.committed.at(-1);
  if (last !== undefined) member.raw.applied(last.index);
  return batch.messages;
}

/** Works off all batches there are; answers what was sent. */
export function work(member: Member): Message[] {
  const sent: Message[] = [];
  while (member.raw.hasReady()) {
    const batch = member.raw.ready();
    sent.push(...batch.messagesNow, ...persist(member, batch));
  }
  return sent;
}

/** Delivers until nothing is said any more, without the messages that `lost` names. */
export function settle(members: readonly Member[], lost: (message: Message) => boolean = () => false): void {
  for (;;) {
    const sent = members.flatMap(work).filter((message) => !lost(message));
    if (sent.length === 0) return;
    for (const message of sent) members.find(({ id }) => id === message.to)?.raw.step(message);
  }
}

export function ticks(member: Member, count: number): void {
  for (let i = 0; i < count; i += 1) member.raw.tick();
}

/** Three voters; the first leads and has committed its no-op. */
export function startThree(config: Partial<RaftConfig> = {}): [Member, Member, Member] {
  const start = (id: number): Member => startMember(id, voters(1, 2, 3), config);
  const members: [Member, Member, Member] = [start(1), start(2), start(3)];
  // In one step, so that with leases nobody holds a promise from its start any more.
  for (const member of members) ticks(member, member.id === 1 ? 15 : CONFIG.electionTicks);
  settle(members);
  return members;
}

export const bytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
export const voters = (...ids: number[]): Membership => ({ voters: ids, outgoing: [], learners: [] });
export const entryAt = (index: number, term: number): Entry => ({
  index,
  term,
  kind: "command",
  data: bytes(`${index}`),
});
