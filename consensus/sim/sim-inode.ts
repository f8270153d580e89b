/**
 * One simulated file: what a running process sees, and what a power cut would leave of it.
 *
 * Invariant: a sector is in `#dirty`, `#syncing` or `#lost` exactly when the device may hold something else than the page
 * cache, and the value there is what the device holds (null: nothing, it reads as zeros).
 */
import type { Prng } from "./prng.ts";

const SECTOR_BYTES = 512;
const FIRST_CAPACITY_BYTES = 8 * 1024;

type Sectors = Map<number, Uint8Array | null>;

export class Inode {
  #bytes = Buffer.alloc(FIRST_CAPACITY_BYTES);
  #size = 0;
  #durableSize = 0;
  #dirty: Sectors = new Map();
  /** Being written back; a power cut leaves any part of it. */
  #syncing: Sectors = new Map();
  /** A failed sync left these clean in the cache but not on the device. */
  #lost: Sectors = new Map();
  /** What each sync made durable, in order; and what was written since. */
  #durableWrites: { position: number; length: number }[] = [];
  #writes: { position: number; length: number }[] = [];

  size(): number {
    return this.#size;
  }

  read(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(0, this.#size));
  }

  /** What the device holds. */
  device(): Uint8Array {
    const bytes = new Uint8Array(this.#bytes.subarray(0, this.#durableSize));
    for (const sectors of [this.#dirty, this.#syncing, this.#lost]) {
      for (const [sector, old] of sectors) {
        const from = sector * SECTOR_BYTES;
        if (from >= bytes.byteLength) continue;
        const room = bytes.subarray(from, from + SECTOR_BYTES);
        if (old === null) room.fill(0);
        else room.set(old.subarray(0, room.byteLength));
      }
    }
    return bytes;
  }

  write(position: number, data: Uint8Array): void {
    const end = position + data.byteLength;
    this.#grow(end);
    this.#touch(position, end);
    this.#bytes.set(data, position);
    this.#size = Math.max(this.#size, end);
    this.#writes.push({ position, length: data.byteLength });
  }

  truncate(size: number): void {
    this.#grow(size);
    this.#touch(Math.min(size, this.#size), Math.max(size, this.#size));
    this.#bytes.fill(0, size, Math.max(size, this.#size));
    this.#size = size;
  }

  /** A sync begins: it covers what was written until now. */
  beginSync(): void {
    for (const [sector, old] of this.#dirty) if (!this.#syncing.has(sector)) this.#syncing.set(sector, old);
    this.#dirty = new Map();
  }

  endSync(): void {
    this.#syncing = new Map();
    this.#durableSize = this.#size;
    // What one sync covers is one group, in however many writes it came.
    const writes = this.#writes.splice(0);
    if (writes.length === 0) return;
    const position = Math.min(...writes.map((write) => write.position));
    const end = Math.max(...writes.map((write) => write.position + write.length));
    this.#durableWrites.push({ position, length: end - position });
  }

  /** The device refused: any part is written, and the kernel calls all of it clean. */
  failSync(prng: Prng): void {
    for (const [sector, old] of this.#syncing) if (prng.chance(0.5)) this.#lost.set(sector, old);
    this.#syncing = new Map();
  }

  /** Everything, now. */
  sync(): void {
    this.beginSync();
    this.endSync();
  }

  /** Only what had reached the device remains, and any part of what had not; a sector may be torn. */
  cutPower(prng: Prng): void {
    const kept = prng.pick([0, 0.5, 0.9, 1]) ?? 0;
    let end = this.#durableSize;
    for (const sectors of [this.#dirty, this.#syncing, this.#lost]) {
      for (const [sector, old] of sectors) {
        const from = sector * SECTOR_BYTES;
        if (sectors !== this.#lost && prng.chance(kept)) {
          end = Math.max(end, Math.min(this.#size, from + SECTOR_BYTES));
          continue;
        }
        const isTorn = sectors !== this.#lost && prng.chance(0.1);
        const tornAt = isTorn ? prng.below(SECTOR_BYTES) : 0;
        if (old === null) this.#bytes.fill(0, from + tornAt, from + SECTOR_BYTES);
        else this.#bytes.set(old.subarray(tornAt), from + tornAt);
      }
    }
    // A size is metadata of its own: it may be there without the data.
    this.#size = prng.chance(0.5) ? end : Math.max(end, Math.min(this.#size, end + prng.below(4096)));
    this.#bytes.fill(0, this.#size);
    this.sync();
    this.#durableWrites = this.#durableWrites.filter(({ position, length }) => position + length <= end);
  }

  /**
   * Damage at rest where the log claims to see it: before the last durable write. A bit flips, or an older write turns out
   * to lie elsewhere. Says what it did; null when there is nothing to damage.
   */
  damage(prng: Prng): string | null {
    const last = this.#durableWrites.at(-1);
    const older = this.#durableWrites.filter(
      ({ position, length }) => last !== undefined && position + length <= last.position,
    );
    const target = prng.pick(older);
    if (last === undefined || target === undefined) return null;
    const { position, length } = target;
    if (prng.chance(0.6)) {
      const at = position + prng.below(length);
      this.#bytes[at] = (this.#bytes[at] ?? 0) ^ (1 << prng.below(8));
      return `a bit at ${at} flips`;
    }
    const elsewhere = prng.below(Math.max(1, last.position - length));
    const moved = Uint8Array.from(this.#bytes.subarray(position, position + length));
    this.#bytes.fill(0, position, position + length);
    this.#bytes.set(moved, elsewhere);
    return `the write for ${position} lies at ${elsewhere}`;
  }

  #grow(end: number): void {
    if (end <= this.#bytes.byteLength) return;
    const bytes = Buffer.alloc(Math.max(end + SECTOR_BYTES, 2 * this.#bytes.byteLength));
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }

  /** Before [from, to) changes: notes what the device holds there. */
  #touch(from: number, to: number): void {
    for (let sector = Math.floor(from / SECTOR_BYTES); sector * SECTOR_BYTES < to; sector += 1) {
      if (this.#dirty.has(sector)) continue;
      if (this.#lost.has(sector)) {
        this.#dirty.set(sector, this.#lost.get(sector) ?? null);
        this.#lost.delete(sector);
        continue;
      }
      const start = sector * SECTOR_BYTES;
      const isNew = start >= this.#durableSize && !this.#syncing.has(sector);
      this.#dirty.set(
        sector,
        isNew ? null : Uint8Array.from(this.#bytes.subarray(start, start + SECTOR_BYTES)),
      );
    }
  }
}
