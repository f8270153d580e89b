/**
 * The network between simulated nodes: it loses, repeats, delays, reorders and cuts, each direction by itself. Snapshots
 * travel as files, from the disk of one to that of the other.
 */
import { decodeMessage, encodeMessage } from "../transport/message-codec.ts";
import type { Message, NodeId } from "../raft/types.ts";
import type { Receive, SnapshotMessage, Transport } from "../transport/transport.ts";
import type { Prng } from "./prng.ts";
import type { SimDisk } from "./sim-disk.ts";
import type { SimProcess } from "./sim-process.ts";
import type { VirtualTime } from "./virtual-time.ts";

export interface Weather {
  loss: number;
  duplication: number;
  delayMs: number;
  /** Of messages that take much longer than others. */
  stragglers: number;
}

export const FAIR_WEATHER: Weather = { loss: 0, duplication: 0, delayMs: 1, stragglers: 0 };

interface Station {
  process: SimProcess;
  disk: SimDisk;
  receive: Receive;
}

export class SimNetwork {
  readonly #time: VirtualTime;
  readonly #prng: Prng;
  readonly #onSent: (message: Message) => void;
  readonly #stations = new Map<NodeId, Station>();
  /** Directions that are cut, as "from>to". */
  readonly #cut = new Set<string>();
  weather: Weather = FAIR_WEATHER;
  /** Messages go through their bytes. */
  isEncoding = false;
  #files = 0;

  constructor(time: VirtualTime, prng: Prng, onSent: (message: Message) => void) {
    this.#time = time;
    this.#prng = prng;
    this.#onSent = onSent;
  }

  transport(id: NodeId, process: SimProcess, disk: SimDisk): Transport {
    let unreachable: ((nodeId: NodeId) => void) | null = null;
    return {
      send: (messages) => {
        if (!process.isAlive) return;
        for (const message of messages) {
          this.#onSent(message);
          if (this.#send(message) || !this.#prng.chance(0.3)) continue;
          process.after(1, () => unreachable?.(message.to));
        }
      },
      onMessage: (receive) => {
        if (receive !== null) this.#stations.set(id, { process, disk, receive });
        else if (this.#stations.get(id)?.process === process) this.#stations.delete(id);
      },
      sendSnapshot: (message, path) => {
        this.#onSent(message);
        return this.#sendSnapshot(message, disk.get(path).read(), process);
      },
      onUnreachable: (report) => {
        unreachable = report;
      },
    };
  }

  /** The node will never run again; its last process left no word when it was killed. */
  forget(id: NodeId): void {
    this.#stations.delete(id);
  }

  isCut(from: NodeId, to: NodeId): boolean {
    return this.#cut.has(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  /** Cuts one node off, both ways. */
  isolate(ids: readonly NodeId[], lonely: NodeId): void {
    for (const id of ids) if (id !== lonely) this.#cut.add(`${id}>${lonely}`).add(`${lonely}>${id}`);
  }

  /** Nothing reaches it; what it sends goes out. */
  deafen(ids: readonly NodeId[], lonely: NodeId): void {
    for (const id of ids) if (id !== lonely) this.#cut.add(`${id}>${lonely}`);
  }

  /** Cuts a part off, or one node off, or single directions. */
  partition(ids: readonly NodeId[], lonely: NodeId): void {
    this.#cut.clear();
    const kind = this.#prng.below(4);
    const left = new Set(ids.filter(() => this.#prng.chance(0.5)));
    for (const from of ids) {
      for (const to of ids) {
        const isCut =
          kind === 0
            ? left.has(from) !== left.has(to)
            : kind === 1
              ? this.#prng.chance(0.25)
              : kind === 2
                ? from === lonely || to === lonely
                : from === lonely;
        if (isCut && from !== to) this.#cut.add(`${from}>${to}`);
      }
    }
  }

  #delayMs(): number {
    const { delayMs, stragglers } = this.weather;
    const delay = delayMs * (0.2 + this.#prng.next());
    return this.#prng.chance(stragglers) ? delay * (1 + 50 * this.#prng.next()) : delay;
  }

  /** False: it is lost at once. */
  #send(message: Message): boolean {
    const { loss, duplication } = this.weather;
    if (this.isCut(message.from, message.to) || this.#prng.chance(loss)) return false;
    const bytes = this.isEncoding ? encodeMessage(message) : null;
    const copies = this.#prng.chance(duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      this.#time.after(this.#delayMs(), () => this.#deliver(bytes === null ? message : decodeMessage(bytes)));
    }
    return true;
  }

  #deliver(message: Message): void {
    const station = this.#stations.get(message.to);
    if (station === undefined || this.isCut(message.from, message.to)) return;
    station.process.arrive(() => station.receive(message));
  }

  /** Takes its time; a cut, or a loss, on the way is noticed mostly. */
  #sendSnapshot(message: SnapshotMessage, bytes: Uint8Array, process: SimProcess): Promise<void> {
    return new Promise((resolve, reject) => {
      const isLost = this.#prng.chance(4 * this.weather.loss);
      process.after(5 * this.#delayMs() + bytes.byteLength / 1_000, () => {
        if (isLost || this.isCut(message.from, message.to) || !this.#stations.has(message.to)) {
          return reject(new Error(`node ${message.to} cannot be reached`));
        }
        this.#time.after(this.#delayMs(), () => this.#deliverSnapshot(message, bytes));
        return resolve();
      });
    });
  }

  #deliverSnapshot(message: SnapshotMessage, bytes: Uint8Array): void {
    const station = this.#stations.get(message.to);
    if (station === undefined || this.isCut(message.from, message.to)) return;
    const { process, disk, receive } = station;
    this.#files += 1;
    const path = `/data/arrived/${this.#files}`;
    process.arrive(() => {
      if (disk.isFull) return;
      const file = disk.create(path);
      file.write(0, bytes);
      file.sync();
      receive(message, path);
    });
  }
}
