/**
 * The state machine of a simulated node. Its store is atomic at some index, like SQLite's, and many batches may share one commit:
 * killed, it is where the last commit left it; after a power cut, at any batch between that and the last `makeDurable`.
 */
import type { StateMachine } from "../replicated-log.ts";
import { TRANSACTION_BATCHES_MAX } from "../state/open-transaction.ts";
import type { Prng } from "./prng.ts";
import type { SimResult } from "./sim-command.ts";
import { type SimDisk, SimDiskError } from "./sim-disk.ts";
import type { SimProcess } from "./sim-process.ts";
import { SimState } from "./sim-state.ts";

type Applied = { index: number; data: Uint8Array | null };

/** What the store has on its device and, batch by batch, what it was told since. */
export class SimStore {
  #durable = new SimState();
  #since: (readonly Applied[])[] = [];
  /** So many of `#since` are committed. */
  #committed = 0;
  readonly #settings: SimStoreSettings;

  constructor(settings: SimStoreSettings) {
    this.#settings = settings;
  }

  note(batch: readonly Applied[]): void {
    this.#since.push(batch);
    if (this.#since.length - this.#committed >= this.#settings.batchesMax) this.commit();
  }

  isOpen(): boolean {
    return this.#since.length > this.#committed;
  }

  commit(): void {
    this.#committed = this.#since.length;
    if (this.#settings.syncsAlways) this.sync();
  }

  /** What is committed survives a power cut from now on. */
  sync(): void {
    const committed = this.#since.splice(0, this.#committed);
    for (const batch of committed) for (const { index, data } of batch) this.#durable.apply(index, data);
    this.#committed = 0;
  }

  makeDurable(): void {
    this.commit();
    this.sync();
  }

  replace(bytes: Uint8Array): void {
    this.#durable = SimState.parse(bytes);
    this.#since = [];
    this.#committed = 0;
  }

  /** The process ended: what was open is gone. */
  rollBack(): void {
    this.#since = this.#since.slice(0, this.#committed);
  }

  cutPower(prng: Prng): void {
    this.#since = this.#since.slice(0, prng.below(this.#committed + 1));
    this.makeDurable();
  }

  /** The state a process finds when it opens the store. */
  open(): SimState {
    const state = SimState.parse(this.#durable.serialise());
    const committed = this.#since.slice(0, this.#committed);
    for (const batch of committed) for (const { index, data } of batch) state.apply(index, data);
    return state;
  }
}

/** How a node's store writes. */
export interface SimStoreSettings {
  /** Each commit is durable by itself, as on a network file system. */
  syncsAlways: boolean;
  /** That share a commit. */
  batchesMax: number;
}

/** Three of ten sync each commit; up to 32 batches share one. */
export function drawStoreSettings(prng: Prng): SimStoreSettings {
  const drawn = prng.next();
  return { syncsAlways: drawn < 0.3, batchesMax: 1 + Math.floor((drawn * 1000) % TRANSACTION_BATCHES_MAX) };
}

export interface SimMachineOptions {
  disk: SimDisk;
  store: SimStore;
  process: SimProcess;
  prng: Prng;
  onApplied: (state: SimState, entry: Applied, result: SimResult | null) => void;
  onInstalled: (state: SimState) => void;
}

/** Of the operations of a state on a disk that is full. */
const FULL_DISK_CHANCE = 0.2;

export class SimMachine implements StateMachine<SimResult> {
  readonly #options: SimMachineOptions;
  #state: SimState;
  /** What was applied and not committed is lost: nothing may be read or done any more. */
  #failure: SimDiskError | null = null;

  constructor(options: SimMachineOptions) {
    this.#options = options;
    this.#state = options.store.open();
  }

  get state(): SimState {
    if (this.#failure !== null) throw this.#failure;
    return this.#state;
  }

  lastApplied(): number {
    return this.#state.index;
  }

  apply(entries: readonly Applied[]): (SimResult | null)[] {
    const { store, prng, onApplied } = this.#options;
    this.#write(FULL_DISK_CHANCE);
    const results = entries.map((entry) => {
      const result = this.state.apply(entry.index, entry.data);
      onApplied(this.state, entry, result);
      return result;
    });
    store.note(entries);
    // As SQLite does when it carries its journal over.
    if (prng.chance(0.02)) store.sync();
    return results;
  }

  settle(): void {
    if (this.#failure !== null || this.#options.store.isOpen()) this.#write(FULL_DISK_CHANCE);
    this.#options.store.commit();
  }

  makeDurable(): void {
    if (this.#failure !== null || this.#options.store.isOpen()) this.#write(1);
    else this.#options.process.crashPoint();
    this.#options.store.makeDurable();
  }

  /** The copy takes a while; it is of what is committed at its end. */
  copyTo(path: string): Promise<number> {
    const { disk, process, prng, store } = this.#options;
    if (this.#failure !== null || store.isOpen()) this.#write(1);
    store.commit();
    return new Promise((resolve, reject) => {
      process.after(1 + prng.next() * 20, () => {
        try {
          process.crashPoint();
          disk.allocate(1);
          const file = disk.has(path) ? disk.get(path) : disk.create(path);
          file.truncate(0);
          const state = store.open();
          file.write(0, state.serialise());
          resolve(state.index);
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }

  install(path: string, index: number): void {
    const { disk, store, process, onInstalled } = this.#options;
    process.crashPoint();
    const bytes = disk.get(path).read();
    const state = SimState.parse(bytes);
    if (state.index !== index) throw new Error(`the snapshot stands at ${state.index}, not at ${index}`);
    store.replace(bytes);
    this.#state = state;
    disk.unlink(path);
    onInstalled(state);
  }

  close(): void {
    if (this.#options.process.isAlive && this.#failure === null) this.#options.store.commit();
  }

  /** May crash, or fail on a full disk: then what is open is lost, as with SQLite, and so it is told from then on. */
  #write(chance: number): void {
    const { disk, process, prng, store } = this.#options;
    if (this.#failure !== null) throw this.#failure;
    process.crashPoint();
    if (!disk.isFull || !prng.chance(chance)) return;
    store.rollBack();
    this.#state = store.open();
    this.#failure = new SimDiskError("ENOSPC", "the state cannot grow");
    throw this.#failure;
  }
}
