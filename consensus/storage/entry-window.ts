import type { Entry, Index, LogReader, SnapshotMeta, Term } from "../raft/types.ts";

/** What an entry costs in memory beside its data; an estimate for bounds. */
const ENTRY_OVERHEAD_BYTES = 128;

/**
 * The entries after the snapshot, in memory: index `base + 1 + i` is `#entries[i]`, without gaps. Only what is durable
 * may be put here, because the Raft core takes what it reads for persisted.
 */
export class EntryWindow implements LogReader {
  #entries: Entry[] = [];
  #base: Index = 0;
  /** Undefined only during recovery, when the segment that held the entry is gone. */
  #baseTerm: Term | undefined = 0;
  #bytes = 0;
  #snapshot: SnapshotMeta | null = null;

  firstIndex(): Index {
    return this.#base + 1;
  }

  lastIndex(): Index {
    return this.#base + this.#entries.length;
  }

  snapshot(): SnapshotMeta | null {
    return this.#snapshot;
  }

  /** Bytes held, entries' own cost included. */
  bytes(): number {
    return this.#bytes;
  }

  /** The highest index after which at most `bytesMax` are held. */
  indexBefore(bytesMax: number): Index {
    let bytes = 0;
    for (let i = this.#entries.length - 1; i >= 0; i -= 1) {
      bytes += this.#entries[i]!.data.byteLength + ENTRY_OVERHEAD_BYTES;
      if (bytes > bytesMax) return this.#base + 1 + i;
    }
    return this.#base;
  }

  term(index: Index): Term | undefined {
    if (index === this.#base) return this.#baseTerm;
    return this.#entries[index - this.#base - 1]?.term;
  }

  entries(from: Index, to: Index, bytesMax: number): Entry[] {
    const out: Entry[] = [];
    let bytes = 0;
    for (let index = from; index < to; index += 1) {
      const entry = this.#entries[index - this.#base - 1];
      if (entry === undefined) break;
      bytes += entry.data.byteLength;
      if (out.length > 0 && bytes > bytesMax) break;
      out.push(entry);
    }
    return out;
  }

  /** Appends the entry after the last. Throws a `RangeError` for any other index. */
  append(entry: Entry): void {
    if (entry.index !== this.lastIndex() + 1) {
      throw new RangeError(`entry ${entry.index} does not follow entry ${this.lastIndex()}`);
    }
    this.#entries.push(entry);
    this.#bytes += entry.data.byteLength + ENTRY_OVERHEAD_BYTES;
  }

  /** Drops `from` and all after it; below the window (recovery without the first segments) the window moves down. */
  truncate(from: Index): void {
    if (from <= this.#base) {
      this.reset(from - 1, undefined);
      return;
    }
    this.#drop(this.#entries.splice(from - this.#base - 1));
  }

  /** Forgets everything; the next entry is `base + 1`. */
  reset(base: Index, baseTerm: Term | undefined): void {
    this.#entries = [];
    this.#bytes = 0;
    this.#base = base;
    this.#baseTerm = baseTerm;
  }

  /** The snapshot stands for everything up to its index: what follows is kept. */
  compact(snapshot: SnapshotMeta): void {
    this.#snapshot = snapshot;
    if (snapshot.index < this.#base) return;
    if (snapshot.index > this.lastIndex()) {
      throw new RangeError(`snapshot ${snapshot.index} is past the last entry ${this.lastIndex()}`);
    }
    this.#drop(this.#entries.splice(0, snapshot.index - this.#base));
    this.#base = snapshot.index;
    this.#baseTerm = snapshot.term;
  }

  /** The snapshot came from the leader and replaces the log. */
  install(snapshot: SnapshotMeta): void {
    this.#snapshot = snapshot;
    this.reset(snapshot.index, snapshot.term);
  }

  #drop(entries: readonly Entry[]): void {
    for (const entry of entries) this.#bytes -= entry.data.byteLength + ENTRY_OVERHEAD_BYTES;
  }
}
