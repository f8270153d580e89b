/**
 * The log as the core sees it: the durable log of the driver with an unstable tail laid over it.
 * Invariant: every index below `tailFrom` is durable (or in the snapshot being installed); the tail is contiguous from
 * `tailFrom`; nothing at or below `commit` is ever cut. What breaks it: a driver whose LogReader does not show a batch's
 * entries once `persisted` was called for it, or still shows entries behind an installed snapshot.
 */
import type { Entry, Index, LogReader, SnapshotMeta, Term } from "./types.ts";
import { invariant } from "./invariant.ts";

/** What an entry costs against byte limits, over its data. */
const ENTRY_OVERHEAD_BYTES = 32;

export function entryBytes(entry: Entry): number {
  return entry.data.byteLength + ENTRY_OVERHEAD_BYTES;
}

export interface RaftLogView {
  readonly reader: LogReader;
  /** Not yet known durable, contiguous from `tailFrom`. */
  tail: Entry[];
  tailFrom: Index;
  /** To be installed by the next batch, or being installed. */
  pendingSnapshot: SnapshotMeta | null;
  commit: Index;
  /** Set when the tail was cut while a batch was out: then that batch's entries no longer speak for the tail. */
  cutSinceTaken: boolean;
  /** Entries of the tail that the batch being persisted holds. */
  takenCount: number;
}

export function createLogView(reader: LogReader, commit: Index): RaftLogView {
  return {
    reader,
    tail: [],
    tailFrom: reader.lastIndex() + 1,
    pendingSnapshot: null,
    commit,
    cutSinceTaken: false,
    takenCount: 0,
  };
}

export function lastIndex(view: RaftLogView): Index {
  return view.tailFrom - 1 + view.tail.length;
}

/** The highest index known durable here. */
export function stableIndex(view: RaftLogView): Index {
  return view.pendingSnapshot === null ? view.tailFrom - 1 : 0;
}

export function firstIndex(view: RaftLogView): Index {
  return view.pendingSnapshot === null ? view.reader.firstIndex() : view.pendingSnapshot.index + 1;
}

export function newestSnapshot(view: RaftLogView): SnapshotMeta | null {
  return view.pendingSnapshot ?? view.reader.snapshot();
}

/** Term of an entry or of the snapshot's index; 0 before the log; undefined when compacted or not there. */
export function termAt(view: RaftLogView, index: Index): Term | undefined {
  if (index === 0) return 0;
  if (index >= view.tailFrom) return view.tail[index - view.tailFrom]?.term;
  if (view.pendingSnapshot !== null) {
    return index === view.pendingSnapshot.index ? view.pendingSnapshot.term : undefined;
  }
  return view.reader.term(index);
}

export function lastTerm(view: RaftLogView): Term {
  const term = termAt(view, lastIndex(view));
  invariant(term !== undefined, () => `the last entry ${lastIndex(view)} has no term`);
  return term;
}

/** Entries of [from, to), cut after `bytesMax` but never empty when `from` exists. */
export function entriesBetween(view: RaftLogView, from: Index, to: Index, bytesMax: number): Entry[] {
  if (from >= to) return [];
  let entries: Entry[] = [];
  let bytes = 0;
  if (from < view.tailFrom) {
    const durableTo = Math.min(to, view.tailFrom);
    entries = view.reader.entries(from, durableTo, bytesMax);
    invariant(
      entries.length > 0 && entries[0]?.index === from,
      () => `the log reader has no entry ${from} (first ${view.reader.firstIndex()})`,
    );
    if (from + entries.length < durableTo || durableTo === to) return entries;
    for (const entry of entries) bytes += entryBytes(entry);
  }
  const start = Math.max(from, view.tailFrom) - view.tailFrom;
  let end = start;
  while (end < view.tail.length && view.tailFrom + end < to) {
    const entry = view.tail[end];
    if (entry === undefined) break;
    bytes += entryBytes(entry);
    if (bytes > bytesMax && (end > start || entries.length > 0)) break;
    end += 1;
  }
  const fromTail = view.tail.slice(start, end);
  return entries.length === 0 ? fromTail : entries.concat(fromTail);
}

/** Appends one entry at the end: the leader's way. */
export function appendOne(view: RaftLogView, entry: Entry): void {
  view.tail.push(entry);
}

/**
 * Appends a leader's entries, dropping what conflicts with them. Returns the first index that changed, or 0 when all
 * were there already. A conflict at or below `commit` is a broken promise of someone: RaftInvariantError.
 */
export function appendFromLeader(view: RaftLogView, entries: readonly Entry[]): Index {
  const at = entries.findIndex((entry) => termAt(view, entry.index) !== entry.term);
  const first = entries[at];
  if (first === undefined) return 0;
  invariant(
    first.index > view.commit,
    () =>
      `entry ${first.index} of term ${first.term} would overwrite a committed one (commit ${view.commit})`,
  );
  if (first.index <= lastIndex(view)) {
    view.cutSinceTaken = true;
    if (first.index < view.tailFrom) {
      view.tail = [];
      view.tailFrom = first.index;
    } else {
      view.tail.length = first.index - view.tailFrom;
    }
  }
  invariant(first.index === lastIndex(view) + 1, () => `entry ${first.index} leaves a gap`);
  for (let i = at; i < entries.length; i += 1) {
    const entry = entries[i];
    if (entry !== undefined) view.tail.push(entry);
  }
  return first.index;
}

/** Replaces the whole log by a snapshot that is to be installed. */
export function restoreSnapshot(view: RaftLogView, meta: SnapshotMeta): void {
  view.pendingSnapshot = meta;
  view.tail = [];
  view.tailFrom = meta.index + 1;
  view.cutSinceTaken = true;
  commitTo(view, meta.index);
}

/** Moves the commit index forward; never back, never past the log. */
export function commitTo(view: RaftLogView, index: Index): boolean {
  if (index <= view.commit) return false;
  invariant(index <= lastIndex(view), () => `commit ${index} is past the last entry ${lastIndex(view)}`);
  view.commit = index;
  return true;
}

/**
 * From `index` downwards, the first index whose term is at most `term`: nothing above it can match a log whose entry
 * at `index` has `term`. Its own term is 0 when it is compacted.
 */
export function findConflictByTerm(
  view: RaftLogView,
  index: Index,
  term: Term,
): { index: Index; term: Term } {
  for (let at = index; at > 0; at -= 1) {
    const ours = termAt(view, at);
    if (ours === undefined) return { index: at, term: 0 };
    if (ours <= term) return { index: at, term: ours };
  }
  return { index: 0, term: 0 };
}

/** Takes the tail and a pending snapshot for a batch. */
export function takeUnstable(view: RaftLogView): { entries: Entry[]; snapshot: SnapshotMeta | null } {
  view.cutSinceTaken = false;
  view.takenCount = view.tail.length;
  return { entries: view.tail.slice(), snapshot: view.pendingSnapshot };
}

/**
 * The batch taken last is durable. When the tail was cut meanwhile nothing is marked: the next batch writes it again,
 * which is always right and rarely happens.
 */
export function markStable(view: RaftLogView, snapshot: SnapshotMeta | null): void {
  if (view.pendingSnapshot !== null && view.pendingSnapshot === snapshot) view.pendingSnapshot = null;
  if (view.cutSinceTaken) return;
  if (view.takenCount === view.tail.length) view.tail = [];
  else view.tail.splice(0, view.takenCount);
  view.tailFrom += view.takenCount;
  view.takenCount = 0;
}
