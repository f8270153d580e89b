/** What survives a crash of one simulated node: its log, hard state, snapshot and state machine. */
import type { Batch, Entry, HardState, LogReader, Membership, SnapshotMeta } from "../../raft/types.ts";

/** The state machine: how far it is, a running hash of all it applied, and the membership as of there. */
export interface MachineState {
  applied: number;
  hash: number;
  membership: Membership;
}

export interface SimDisk {
  hard: HardState;
  /** Entries after `offset`; the entry at `offset` itself is known by its term only. */
  entries: Entry[];
  offset: number;
  offsetTerm: number;
  snapshot: { meta: SnapshotMeta; state: MachineState } | null;
  machine: MachineState;
}

export function createDisk(membership: Membership): SimDisk {
  return {
    hard: { term: 0, vote: 0, commit: 0 },
    entries: [],
    offset: 0,
    offsetTerm: 0,
    snapshot: null,
    machine: { applied: 0, hash: 0, membership },
  };
}

export function readerOf(disk: SimDisk): LogReader {
  return {
    firstIndex: () => disk.offset + 1,
    lastIndex: () => disk.offset + disk.entries.length,
    term: (index) => (index === disk.offset ? disk.offsetTerm : disk.entries[index - disk.offset - 1]?.term),
    entries: (from, to, bytesMax) => {
      const found: Entry[] = [];
      let bytes = 0;
      for (let index = from; index < to; index += 1) {
        const entry = disk.entries[index - disk.offset - 1];
        if (entry === undefined) break;
        bytes += entry.data.byteLength + 32;
        if (bytes > bytesMax && found.length > 0) break;
        found.push(entry);
      }
      return found;
    },
    snapshot: () => disk.snapshot?.meta ?? null,
  };
}

/** How many separate writes a batch is: a crash may fall between any two. */
export function writesOf(batch: Batch): number {
  return (batch.snapshot === null ? 0 : 1) + batch.entries.length + (batch.hardState === null ? 0 : 1);
}

/** Makes the first `writes` parts of a batch durable, in the order snapshot, entries, hard state. */
export function writeBatch(
  disk: SimDisk,
  batch: Batch,
  writes: number,
  stateOf: (meta: SnapshotMeta) => MachineState,
): void {
  let left = writes;
  if (batch.snapshot !== null && left > 0) {
    left -= 1;
    disk.snapshot = { meta: batch.snapshot, state: stateOf(batch.snapshot) };
    disk.entries = [];
    disk.offset = batch.snapshot.index;
    disk.offsetTerm = batch.snapshot.term;
  }
  for (const entry of batch.entries) {
    if (left === 0) return;
    left -= 1;
    disk.entries.length = entry.index - disk.offset - 1;
    disk.entries.push(entry);
  }
  if (batch.hardState !== null && left > 0) disk.hard = batch.hardState;
}

/** Brings the state machine up to a snapshot that is newer than it. */
export function installSnapshot(disk: SimDisk): boolean {
  if (disk.snapshot === null || disk.snapshot.meta.index <= disk.machine.applied) return false;
  disk.machine = { ...disk.snapshot.state };
  return true;
}

/** Takes a snapshot of the state machine and drops the log up to `keep` entries before it. */
export function compact(disk: SimDisk, keep: number): void {
  const { applied, membership } = disk.machine;
  const term = readerOf(disk).term(applied);
  if (applied === 0 || term === undefined || applied <= (disk.snapshot?.meta.index ?? 0)) return;
  disk.snapshot = { meta: { index: applied, term, membership }, state: { ...disk.machine } };
  const upTo = Math.max(disk.offset, applied - keep);
  const upToTerm = readerOf(disk).term(upTo) ?? 0;
  disk.entries = disk.entries.slice(upTo - disk.offset);
  disk.offset = upTo;
  disk.offsetTerm = upToTerm;
}
