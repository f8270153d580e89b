import type { Entry, EntryKind, Index, LogReader, SnapshotMeta, Term } from "../raft/types.ts";

/** What an entry costs in memory beside its data; an estimate for bounds. */
const ENTRY_OVERHEAD_BYTES = 128;
/** Data of entries is kept together in pieces of so many bytes; longer data is a piece of its own. */
const SLAB_BYTES = 256 * 1024;
const KINDS: readonly EntryKind[] = ["command", "noop", "membership"];

/**
 * The entries after the snapshot, in memory: index `base + 1 + i` is at place `i` of each list, without gaps. Only what is
 * durable may be put here, because the Raft core takes what it reads for persisted.
 *
 * There are hundreds of thousands of them and each is read once or twice, so they are kept as bytes and numbers and made anew
 * for each reader: objects that live as long as the window would be copied and marked by the garbage collector, and take more
 * memory than their data. The copy also lets go of whatever the given data was a part of.
 */
export class EntryWindow implements LogReader {
  /** Where the data of each entry lies. */
  #slabs: ArrayBuffer[] = [];
  #offsets: number[] = [];
  #lengths: number[] = [];
  #terms: Term[] = [];
  #kinds: number[] = [];
  /** The piece that is being filled. */
  #slab = new ArrayBuffer(0);
  #slabUsed = 0;
  #base: Index = 0;
  /** Undefined only during recovery, when the segment that held the entry is gone. */
  #baseTerm: Term | undefined = 0;
  #bytes = 0;
  #snapshot: SnapshotMeta | null = null;

  firstIndex(): Index {
    return this.#base + 1;
  }

  lastIndex(): Index {
    return this.#base + this.#terms.length;
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
    for (let i = this.#lengths.length - 1; i >= 0; i -= 1) {
      bytes += this.#lengths[i]! + ENTRY_OVERHEAD_BYTES;
      if (bytes > bytesMax) return this.#base + 1 + i;
    }
    return this.#base;
  }

  term(index: Index): Term | undefined {
    if (index === this.#base) return this.#baseTerm;
    return this.#terms[index - this.#base - 1];
  }

  /** Their data must not be changed. */
  entries(from: Index, to: Index, bytesMax: number): Entry[] {
    const out: Entry[] = [];
    if (from <= this.#base) return out;
    const end = Math.min(to - this.#base - 1, this.#terms.length);
    let bytes = 0;
    for (let i = from - this.#base - 1; i < end; i += 1) {
      const length = this.#lengths[i]!;
      bytes += length;
      if (out.length > 0 && bytes > bytesMax) break;
      const slab: ArrayBuffer = this.#slabs[i]!;
      const data = new Uint8Array(slab, this.#offsets[i], length);
      out.push({ index: this.#base + 1 + i, term: this.#terms[i]!, kind: KINDS[this.#kinds[i]!]!, data });
    }
    return out;
  }

  /** Appends a copy of the entry after the last. Throws a `RangeError` for any other index. */
  append(entry: Entry): void {
    if (entry.index !== this.lastIndex() + 1) {
      throw new RangeError(`entry ${entry.index} does not follow entry ${this.lastIndex()}`);
    }
    const { byteLength } = entry.data;
    if (this.#slabUsed + byteLength > this.#slab.byteLength) {
      this.#slab = new ArrayBuffer(Math.max(byteLength, SLAB_BYTES));
      this.#slabUsed = 0;
    }
    new Uint8Array(this.#slab, this.#slabUsed, byteLength).set(entry.data);
    this.#slabs.push(this.#slab);
    this.#offsets.push(this.#slabUsed);
    this.#lengths.push(byteLength);
    this.#terms.push(entry.term);
    this.#kinds.push(KINDS.indexOf(entry.kind));
    this.#slabUsed += byteLength;
    this.#bytes += byteLength + ENTRY_OVERHEAD_BYTES;
  }

  /** Drops `from` and all after it; below the window (recovery without the first segments) the window moves down. */
  truncate(from: Index): void {
    if (from <= this.#base) {
      this.reset(from - 1, undefined);
      return;
    }
    this.#drop(from - this.#base - 1, Infinity);
  }

  /** Forgets everything; the next entry is `base + 1`. */
  reset(base: Index, baseTerm: Term | undefined): void {
    this.#drop(0, Infinity);
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
    this.#drop(0, snapshot.index - this.#base);
    this.#base = snapshot.index;
    this.#baseTerm = snapshot.term;
  }

  /** The snapshot came from the leader and replaces the log. */
  install(snapshot: SnapshotMeta): void {
    this.#snapshot = snapshot;
    this.reset(snapshot.index, snapshot.term);
  }

  #drop(at: number, count: number): void {
    for (const list of [this.#slabs, this.#offsets, this.#terms, this.#kinds]) list.splice(at, count);
    for (const length of this.#lengths.splice(at, count)) this.#bytes -= length + ENTRY_OVERHEAD_BYTES;
  }
}
