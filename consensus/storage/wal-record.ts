import type { Entry, EntryKind, HardState, Index, Membership, NodeId, SnapshotMeta } from "../raft/types.ts";

/** Who this log belongs to, written once at first boot. */
export interface ClusterMeta {
  nodeId: NodeId;
  /** The membership the cluster began with; changes since then are entries. */
  membership: Membership;
}

/** First record of every segment: where it stands, and where the segment before it ended. */
export interface SegmentHeader {
  sequence: number;
  /** Index of the first entry that can follow here. */
  firstIndex: Index;
  /** Bytes used in the segment before, and the checksum of its last record; null in the very first. */
  previous: { endBytes: number; crc: number } | null;
}

export type WalRecord =
  | { type: "segment"; header: SegmentHeader }
  | { type: "cluster"; cluster: ClusterMeta }
  | { type: "hard_state"; hardState: HardState }
  | { type: "entry"; entry: Entry }
  /** Everything from `from` on is void; the entries that replace it follow. */
  | { type: "truncate"; from: Index }
  /** Entries up to the snapshot's index are not needed any more; without `keepSuffix` none is. */
  | { type: "snapshot"; snapshot: SnapshotMeta; keepSuffix: boolean };

/** Numbers on disk: append only, never reused. */
export const RECORD_TYPES = {
  segment: 1,
  cluster: 2,
  hard_state: 3,
  entry: 4,
  truncate: 5,
  snapshot: 6,
} as const satisfies Record<WalRecord["type"], number>;

export const RECORD_TYPE_MAX = 6;

const ENTRY_KINDS: readonly EntryKind[] = ["command", "noop", "membership"];
/** index, term, kind, padding to four bytes. */
export const ENTRY_PREFIX_BYTES = 20;
const HARD_STATE_BYTES = 24;
const TRUNCATE_BYTES = 8;
const TWO_32 = 2 ** 32;

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { fatal: true });

/** Safe integers as two big-endian words: BigInt conversions would cost more than the rest of the encoding. */
function putInteger(bytes: Uint8Array, offset: number, value: number): void {
  const high = Math.floor(value / TWO_32);
  const low = value >>> 0;
  for (let i = 0; i < 4; i += 1) {
    bytes[offset + i] = high >>> (24 - 8 * i);
    bytes[offset + 4 + i] = low >>> (24 - 8 * i);
  }
}

function getInteger(view: DataView, offset: number): number {
  const value = view.getUint32(offset) * TWO_32 + view.getUint32(offset + 4);
  if (!Number.isSafeInteger(value)) throw new RangeError("an integer past 2^53");
  return value;
}

/** Writes an entry's payload at `at`, its ENTRY_PREFIX_BYTES and its data: nothing is allocated for it. */
export function putEntry(bytes: Uint8Array, at: number, entry: Entry): void {
  putInteger(bytes, at, entry.index);
  putInteger(bytes, at + 8, entry.term);
  bytes[at + 16] = ENTRY_KINDS.indexOf(entry.kind);
  bytes.fill(0, at + 17, at + ENTRY_PREFIX_BYTES);
  bytes.set(entry.data, at + ENTRY_PREFIX_BYTES);
}

/** Encodes what follows the header of any record but an entry. */
export function encodePayload(record: Exclude<WalRecord, { type: "entry" }>): Uint8Array {
  switch (record.type) {
    case "hard_state": {
      const head = new Uint8Array(HARD_STATE_BYTES);
      putInteger(head, 0, record.hardState.term);
      putInteger(head, 8, record.hardState.vote);
      putInteger(head, 16, record.hardState.commit);
      return head;
    }
    case "truncate": {
      const head = new Uint8Array(TRUNCATE_BYTES);
      putInteger(head, 0, record.from);
      return head;
    }
    case "segment":
      return utf8.encode(JSON.stringify(record.header));
    case "cluster":
      return utf8.encode(JSON.stringify(record.cluster));
    case "snapshot":
    default: {
      const { snapshot, keepSuffix } = record;
      return utf8.encode(JSON.stringify({ snapshot, keepSuffix }));
    }
  }
}

/**
 * Decodes what `encodePayload` and `putEntry` made; the data of an entry is a copy, so that it does not pin a whole segment.
 * Throws a `RangeError` or `SyntaxError` for a payload of another format (its checksum was right, so it is newer).
 */
export function decodePayload(type: number, payload: Uint8Array): WalRecord {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  switch (type) {
    case RECORD_TYPES.entry: {
      const kind = ENTRY_KINDS[view.getUint8(16)];
      if (kind === undefined) throw new RangeError(`unknown entry kind ${view.getUint8(16)}`);
      const data = new Uint8Array(payload.subarray(ENTRY_PREFIX_BYTES));
      return {
        type: "entry",
        entry: { index: getInteger(view, 0), term: getInteger(view, 8), kind, data },
      };
    }
    case RECORD_TYPES.hard_state: {
      const hardState = {
        term: getInteger(view, 0),
        vote: getInteger(view, 8),
        commit: getInteger(view, 16),
      };
      return { type: "hard_state", hardState };
    }
    case RECORD_TYPES.truncate:
      return { type: "truncate", from: getInteger(view, 0) };
    case RECORD_TYPES.segment:
      return { type: "segment", header: JSON.parse(text.decode(payload)) as SegmentHeader };
    case RECORD_TYPES.cluster:
      return { type: "cluster", cluster: JSON.parse(text.decode(payload)) as ClusterMeta };
    case RECORD_TYPES.snapshot: {
      const { snapshot, keepSuffix } = JSON.parse(text.decode(payload)) as {
        snapshot: SnapshotMeta;
        keepSuffix: boolean;
      };
      return { type: "snapshot", snapshot, keepSuffix };
    }
    default:
      throw new RangeError(`unknown record type ${type}`);
  }
}
