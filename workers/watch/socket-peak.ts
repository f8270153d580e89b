/** How much of the peak is left a run of the hub's alarm later: half of it after an hour and ten minutes. */
const KEPT_PART = 0.99;
const PEAK_KEY = "socket_peak";

/**
 * The most sockets that a hub has had of late. It outlives the hub: after a deploy, which ends every socket, the first who
 * come back would else be told the window of an empty hub, and all come at once after the next one.
 */
export class SocketPeak {
  readonly #storage: SyncKvStorage;
  #peak: number;

  constructor(storage: SyncKvStorage) {
    this.#storage = storage;
    this.#peak = storage.get<number>(PEAK_KEY) ?? 0;
  }

  /** At least `sockets`, which the hub has now. */
  of(sockets: number): number {
    return Math.max(this.#peak, sockets);
  }

  /** To be called once a run of the alarm. */
  note(sockets: number): void {
    const next = Math.max(sockets, Math.floor(this.#peak * KEPT_PART));
    if (next === this.#peak) return;
    this.#peak = next;
    this.#storage.put(PEAK_KEY, next);
  }
}
