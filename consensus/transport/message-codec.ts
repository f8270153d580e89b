/**
 * Raft messages as bytes: a format version, the type, then from, to and term, then the type's own fields in the order
 * of LAYOUTS. Numbers are 64-bit big-endian and must be safe integers; flags are a byte of 0 or 1. Appends end with a
 * count and their entries, snapshots with the encoded membership. Nothing is left over: a message fills its bytes.
 */
import { decodeMembership, encodeMembership } from "../raft/raw-node.ts";
import type { Entry, EntryKind, Message, SnapshotMeta } from "../raft/types.ts";

const FORMAT = 1;
const INT_BYTES = 8;
const COUNT_BYTES = 4;
const HALF = 2 ** 32;
const HEADER_BYTES = 2 + 3 * INT_BYTES;
/** Index, term, kind and length of an entry. */
const ENTRY_HEADER_BYTES = 2 * INT_BYTES + 1 + COUNT_BYTES;
const ENTRY_KINDS: readonly EntryKind[] = ["command", "noop", "membership"];

type Layout = { ints: readonly string[]; flags: readonly string[] };
/** A type's place in this list is its byte: append only. */
const LAYOUTS: readonly (Layout & { type: Message["type"] })[] = [
  { type: "pre_vote", ints: ["lastIndex", "lastTerm"], flags: ["transfer"] },
  { type: "vote", ints: ["lastIndex", "lastTerm"], flags: ["transfer"] },
  { type: "pre_vote_reply", ints: [], flags: ["granted"] },
  { type: "vote_reply", ints: [], flags: ["granted"] },
  { type: "append", ints: ["prevIndex", "prevTerm", "commit"], flags: [] },
  { type: "append_reply", ints: ["matchIndex", "hintIndex", "hintTerm"], flags: ["ok"] },
  { type: "heartbeat", ints: ["commit", "readContext"], flags: [] },
  { type: "heartbeat_reply", ints: ["readContext"], flags: [] },
  { type: "snapshot", ints: [], flags: [] },
  { type: "snapshot_reply", ints: ["matchIndex"], flags: ["ok"] },
  { type: "timeout_now", ints: [], flags: [] },
  { type: "heartbeat_reply", ints: ["readContext", "promiseTicks"], flags: [] },
];
/** Of the two forms of a heartbeat's answer: what builds before promises wrote says nothing of them. */
const PROMISING_REPLY = LAYOUTS.findLastIndex(({ type }) => type === "heartbeat_reply");

/** The bytes are not a message: cut short, too long, of another format, or with numbers that cannot be. */
export class MessageFormatError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "MessageFormatError";
  }
}

export function encodeMessage(message: Message): Buffer {
  const type = isPromise(message)
    ? PROMISING_REPLY
    : LAYOUTS.findIndex((layout) => layout.type === message.type);
  const layout = LAYOUTS[type];
  if (layout === undefined) throw new MessageFormatError(`no layout for ${message.type}`);
  const fields = message as unknown as Record<string, number | boolean>;
  const membership = message.type === "snapshot" ? encodeMembership(message.meta.membership) : null;
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + bodyBytes(message, layout, membership));
  let at = bytes.writeUInt8(FORMAT, 0);
  at = bytes.writeUInt8(type, at);
  for (const name of ["from", "to", "term", ...layout.ints]) at = writeInt(bytes, at, Number(fields[name]));
  for (const name of layout.flags) at = bytes.writeUInt8(fields[name] === true ? 1 : 0, at);
  if (message.type === "append") {
    at = bytes.writeUInt32BE(message.entries.length, at);
    for (const entry of message.entries) at = writeEntry(bytes, at, entry);
  } else if (message.type === "snapshot" && membership !== null) {
    at = writeInt(bytes, at, message.meta.index);
    at = writeInt(bytes, at, message.meta.term);
    bytes.set(membership, at);
  }
  return bytes;
}

/** Whether a message has a form that builds before promises cannot read. */
export function isPromise(message: Message): boolean {
  return message.type === "heartbeat_reply" && message.promiseTicks > 0;
}

/** A message without what it promises, which every build reads. */
export function withoutPromise(message: Message): Message {
  return message.type === "heartbeat_reply" ? { ...message, promiseTicks: 0 } : message;
}

function bodyBytes(message: Message, layout: Layout, membership: Uint8Array | null): number {
  const fixed = layout.ints.length * INT_BYTES + layout.flags.length;
  if (membership !== null) return fixed + 2 * INT_BYTES + membership.byteLength;
  if (message.type !== "append") return fixed;
  const entries = message.entries.reduce((sum, { data }) => sum + ENTRY_HEADER_BYTES + data.byteLength, 0);
  return fixed + COUNT_BYTES + entries;
}

function writeInt(bytes: Buffer, at: number, value: number): number {
  bytes.writeUInt32BE(Math.floor(value / HALF), at);
  return bytes.writeUInt32BE(value % HALF, at + INT_BYTES / 2);
}

function writeEntry(bytes: Buffer, start: number, entry: Entry): number {
  let at = writeInt(bytes, start, entry.index);
  at = writeInt(bytes, at, entry.term);
  at = bytes.writeUInt8(ENTRY_KINDS.indexOf(entry.kind), at);
  at = bytes.writeUInt32BE(entry.data.byteLength, at);
  bytes.set(entry.data, at);
  return at + entry.data.byteLength;
}

/** Reads what `encodeMessage` wrote; its entries share bytes of their own. Throws `MessageFormatError` for anything else. */
export function decodeMessage(bytes: Buffer): Message {
  const reader = new Reader(bytes);
  const format = reader.byte();
  if (format !== FORMAT) throw new MessageFormatError(`message format ${format}, this build knows ${FORMAT}`);
  const type = reader.byte();
  const layout = LAYOUTS[type];
  if (layout === undefined) throw new MessageFormatError(`message type ${type} is not known`);
  const fields: Record<string, unknown> = { type: layout.type };
  for (const name of ["from", "to", "term", ...layout.ints]) fields[name] = reader.int();
  for (const name of layout.flags) fields[name] = reader.flag();
  if (type === PROMISING_REPLY && fields["promiseTicks"] === 0)
    throw new MessageFormatError("a promise of nothing");
  if (layout.type === "heartbeat_reply") fields["promiseTicks"] ??= 0;
  if (layout.type === "append") fields["entries"] = readEntries(reader);
  if (layout.type === "snapshot") fields["meta"] = readMeta(reader);
  if (reader.left() !== 0) throw new MessageFormatError(`${reader.left()} bytes follow the message`);
  return fields as unknown as Message;
}

/** One copy for all entries of a message: they are kept, and must not pin what the socket read into. */
function readEntries(arriving: Reader): Entry[] {
  const count = arriving.count();
  if (count * ENTRY_HEADER_BYTES > arriving.left()) throw new MessageFormatError("the append is cut short");
  const own = new Uint8Array(arriving.bytes(arriving.left()));
  const reader = new Reader(Buffer.from(own.buffer));
  const entries: Entry[] = [];
  for (let i = 0; i < count; i += 1) {
    const index = reader.int();
    const term = reader.int();
    const kind = ENTRY_KINDS[reader.byte()];
    if (kind === undefined) throw new MessageFormatError("an entry of an unknown kind");
    entries.push({ index, term, kind, data: reader.view(own, reader.count()) });
  }
  if (reader.left() !== 0) throw new MessageFormatError(`${reader.left()} bytes follow the message`);
  return entries;
}

function readMeta(reader: Reader): SnapshotMeta {
  const index = reader.int();
  const term = reader.int();
  try {
    return { index, term, membership: decodeMembership(reader.bytes(reader.left())) };
  } catch (cause) {
    throw new MessageFormatError("the snapshot's membership cannot be read", { cause });
  }
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  left(): number {
    return this.#bytes.byteLength - this.#at;
  }
  bytes(length: number): Buffer {
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }
  /** The next `length` bytes as a view of `own`, which this reads. */
  view(own: Uint8Array, length: number): Uint8Array {
    const at = this.#skip(length);
    return own.subarray(at, at + length);
  }
  /** Where the next `length` bytes begin. */
  #skip(length: number): number {
    if (length > this.left()) throw new MessageFormatError("the message is cut short");
    this.#at += length;
    return this.#at - length;
  }
  byte(): number {
    return this.#bytes[this.#skip(1)]!;
  }
  count(): number {
    return this.#bytes.readUInt32BE(this.#skip(COUNT_BYTES));
  }
  int(): number {
    const at = this.#skip(INT_BYTES);
    const value = this.#bytes.readUInt32BE(at) * HALF + this.#bytes.readUInt32BE(at + INT_BYTES / 2);
    if (!Number.isSafeInteger(value)) throw new MessageFormatError("a number is too large");
    return value;
  }
  flag(): boolean {
    const value = this.byte();
    if (value > 1) throw new MessageFormatError(`a flag of ${value}`);
    return value === 1;
  }
}
