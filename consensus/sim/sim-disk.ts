/**
 * The disk of one simulated machine: files and their directory entries, each durable only once synced. It outlives the
 * processes that use it; `sim-files.ts` is how they do.
 */
import { dirname } from "node:path";
import type { Prng } from "./prng.ts";
import { Inode } from "./sim-inode.ts";
import type { SimProcess } from "./sim-process.ts";

/** A failure that the simulator made. */
export class SimDiskError extends Error {
  constructor(code: "ENOSPC" | "EIO", what: string) {
    super(`${code}: ${what} (injected)`);
    this.name = "SimDiskError";
  }
}

type Entries = Map<string, Inode>;
interface Change {
  directory: string;
  set: [string, Inode][];
  remove: string[];
}

export class SimDisk {
  readonly #prng: Prng;
  /** What processes see, and what a power cut leaves. */
  #names: Entries = new Map();
  #durable: Entries = new Map();
  #pending: Change[] = [];
  /** Milliseconds that a write and a sync take at most. */
  writeMs = 0.2;
  syncMs = 2;
  isFull = false;
  /** Syncs that will fail. */
  failingSyncs = 0;
  lockedBy: SimProcess | null = null;
  /** Damaged at rest: its node may refuse to start. */
  isDamaged = false;

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  get(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new Error(`ENOENT: ${path}`);
    return inode;
  }

  has(path: string): boolean {
    return this.#names.has(path);
  }

  list(directory: string): string[] {
    const paths = [...this.#names.keys()].filter((path) => dirname(path) === directory);
    return paths.map((path) => path.slice(directory.length + 1)).toSorted();
  }

  /** Names and bytes that a power cut would leave of a directory at least. */
  device(directory: string): [string, Uint8Array][] {
    const found = [...this.#durable].filter(([path]) => dirname(path) === directory);
    const named = found.map(([path, inode]): [string, Uint8Array] => [
      path.slice(directory.length + 1),
      inode.device(),
    ]);
    return named.toSorted(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Whether a power cut may undo what was created, renamed or removed in a directory. */
  hasUnsyncedNames(directory: string): boolean {
    return this.#pending.some((change) => change.directory === directory);
  }

  create(path: string): Inode {
    if (this.has(path)) throw new Error(`EEXIST: ${path}`);
    const inode = new Inode();
    this.#change({ directory: dirname(path), set: [[path, inode]], remove: [] });
    return inode;
  }

  rename(from: string, to: string): void {
    this.#change({ directory: dirname(to), set: [[to, this.get(from)]], remove: [from] });
  }

  unlink(path: string): void {
    this.#change({ directory: dirname(path), set: [], remove: [path] });
  }

  syncDirectory(directory: string): void {
    for (const change of this.#pending) if (change.directory === directory) apply(this.#durable, change);
    this.#pending = this.#pending.filter((change) => change.directory !== directory);
  }

  /** Throws when there is no room for so many bytes more. */
  allocate(bytes: number): void {
    if (bytes > 0 && this.isFull) throw new SimDiskError("ENOSPC", "no space left");
  }

  /** Of each directory a prefix of what was not synced remains, of each file any part. */
  cutPower(): void {
    const directories = new Set(this.#pending.map(({ directory }) => directory));
    for (const directory of directories) {
      const changes = this.#pending.filter((change) => change.directory === directory);
      for (const change of changes.slice(0, this.#prng.below(changes.length + 1)))
        apply(this.#durable, change);
    }
    this.#pending = [];
    this.#names = new Map(this.#durable);
    for (const inode of this.#names.values()) inode.cutPower(this.#prng);
  }

  /** Damages a file of the log at rest; null when there is none to damage. */
  damage(directory: string): string | null {
    const path = this.#prng.pick(this.list(directory).filter((name) => name.endsWith(".wal")));
    if (path === undefined || this.isDamaged) return null;
    const what = this.get(`${directory}/${path}`).damage(this.#prng);
    if (what === null) return null;
    this.isDamaged = true;
    return `${path}: ${what}`;
  }

  #change(change: Change): void {
    apply(this.#names, change);
    this.#pending.push(change);
  }
}

function apply(entries: Entries, { set, remove }: Change): void {
  for (const path of remove) entries.delete(path);
  for (const [path, inode] of set) entries.set(path, inode);
}
