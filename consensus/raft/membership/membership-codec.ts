import type { Membership, NodeId } from "../types.ts";
import { RaftInvariantError } from "../invariant.ts";

const FORMAT = 1;
const COUNT_BYTES = 4;
const ID_BYTES = 8;
const HALF = 2 ** 32;

/**
 * The data of a membership entry: a format byte, then voters, outgoing and learners, each a 32-bit count and 64-bit
 * ids, big-endian, ids ascending. Equal memberships have equal bytes.
 */
export function encodeMembership(membership: Membership): Uint8Array {
  const lists = [membership.voters, membership.outgoing, membership.learners];
  const size = lists.reduce((sum, ids) => sum + COUNT_BYTES + ids.length * ID_BYTES, 1);
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, FORMAT);
  let at = 1;
  for (const ids of lists) {
    view.setUint32(at, ids.length);
    at += COUNT_BYTES;
    for (const id of ids.toSorted((a, b) => a - b)) {
      view.setUint32(at, Math.floor(id / HALF));
      view.setUint32(at + ID_BYTES / 2, id % HALF);
      at += ID_BYTES;
    }
  }
  return bytes;
}

/** Reads what `encodeMembership` wrote. Throws RaftInvariantError on anything else: the log is damaged. */
export function decodeMembership(bytes: Uint8Array): Membership {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength === 0 || view.getUint8(0) !== FORMAT) {
    throw new RaftInvariantError("membership entry of an unknown format");
  }
  let at = 1;
  const readList = (): NodeId[] => {
    if (at + COUNT_BYTES > bytes.byteLength) throw new RaftInvariantError("membership entry is cut short");
    const count = view.getUint32(at);
    at += COUNT_BYTES;
    if (at + count * ID_BYTES > bytes.byteLength)
      throw new RaftInvariantError("membership entry is cut short");
    const ids: NodeId[] = [];
    for (let i = 0; i < count; i += 1, at += ID_BYTES) {
      ids.push(view.getUint32(at) * HALF + view.getUint32(at + ID_BYTES / 2));
    }
    return ids;
  };
  const membership = { voters: readList(), outgoing: readList(), learners: readList() };
  if (at !== bytes.byteLength) throw new RaftInvariantError("membership entry has bytes too many");
  return membership;
}
