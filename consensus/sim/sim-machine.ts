/**
 * The state machine of a simulated node. Its store is atomic at some index, like SQLite's: killed, it is where the last
 * `apply` left it; after a power cut, at any batch since the last `makeDurable`.
 */
import type { StateMachine } from "../replicated-log.ts";
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
  /** Each `apply` is durable by itself, as on a network file system. */
  readonly syncsAlways: boolean;

  constructor(syncsAlways: boolean) {
    this.syncsAlways = syncsAlways;
  }

  note(batch: readonly Applied[]): void {
    this.#since.push(batch);
    if (this.syncsAlways) this.makeDurable();
  }

  makeDurable(): void {
    for (const batch of this.#since) for (const { index, data } of batch) this.#durable.apply(index, data);
    this.#since = [];
  }

  replace(bytes: Uint8Array): void {
    this.#durable = SimState.parse(bytes);
    this.#since = [];
  }

  cutPower(prng: Prng): void {
    this.#since = this.#since.slice(0, prng.below(this.#since.length + 1));
    this.makeDurable();
  }

  /** The state a process finds when it opens the store. */
  open(): SimState {
    const state = SimState.parse(this.#durable.serialise());
    for (const batch of this.#since) for (const { index, data } of batch) state.apply(index, data);
    return state;
  }
}

export interface SimMachineOptions {
  disk: SimDisk;
  store: SimStore;
  process: SimProcess;
  prng: Prng;
  onApplied: (state: SimState, entry: Applied, result: SimResult | null) => void;
  onInstalled: (state: SimState) => void;
}

export class SimMachine implements StateMachine<SimResult> {
  readonly #options: SimMachineOptions;
  state: SimState;

  constructor(options: SimMachineOptions) {
    this.#options = options;
    this.state = options.store.open();
  }

  lastApplied(): number {
    return this.state.index;
  }

  apply(entries: readonly Applied[]): (SimResult | null)[] {
    const { disk, store, process, prng, onApplied } = this.#options;
    process.crashPoint();
    if (disk.isFull && prng.chance(0.2)) throw new SimDiskError("ENOSPC", "the state cannot grow");
    const results = entries.map((entry) => {
      const result = this.state.apply(entry.index, entry.data);
      onApplied(this.state, entry, result);
      return result;
    });
    store.note(entries);
    if (prng.chance(0.02)) store.makeDurable();
    return results;
  }

  makeDurable(): void {
    this.#options.process.crashPoint();
    this.#options.store.makeDurable();
  }

  /** The copy takes a while; it is of the state as it is at the end. */
  copyTo(path: string): Promise<number> {
    const { disk, process, prng } = this.#options;
    return new Promise((resolve, reject) => {
      process.after(1 + prng.next() * 20, () => {
        try {
          process.crashPoint();
          disk.allocate(1);
          const file = disk.has(path) ? disk.get(path) : disk.create(path);
          file.truncate(0);
          file.write(0, this.state.serialise());
          resolve(this.state.index);
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
    this.state = state;
    disk.unlink(path);
    onInstalled(state);
  }

  close(): void {
    // Nothing is open.
  }
}
