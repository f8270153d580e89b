import type { StateChange, StateView } from "./state-view.ts";

/**
 * The ordered store in memory: for the core in memory and for tests. JSON is kept as text, so that what a reader gets is
 * its own copy and only what JSON can hold survives, as in the durable store.
 */
export class MemoryState implements StateView {
  readonly #json = new Map<string, string>();
  readonly #bytes = new Map<string, Uint8Array>();
  /** Keys of `#json`, ascending. */
  #keys: string[] = [];

  json(key: string): unknown {
    const text = this.#json.get(key);
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  }

  bytes(key: string): Uint8Array | undefined {
    return this.#bytes.get(key)?.slice();
  }

  hasKey(key: string): boolean {
    return this.#json.has(key) || this.#bytes.has(key);
  }

  *scan(
    prefix: string,
    options: { after?: string; limit: number },
  ): Generator<{ key: string; value: unknown }> {
    const { after } = options;
    let i = this.#position(after !== undefined && after >= prefix ? after : prefix);
    if (after !== undefined && this.#keys[i] === after) i += 1;
    const keys = this.#keys.slice(i, i + options.limit);
    for (const key of keys) {
      if (!key.startsWith(prefix)) return;
      yield { key, value: this.json(key) };
    }
  }

  /** Makes the writes of one command. */
  apply(changes: readonly StateChange[]): void {
    for (const change of changes) {
      if (change.op === "put_bytes") this.#bytes.set(change.key, change.bytes.slice());
      else if (change.op === "put_json") this.#put(change.key, JSON.stringify(change.value));
      else this.#delete(change.key);
    }
  }

  #put(key: string, text: string): void {
    if (!this.#json.has(key)) this.#keys.splice(this.#position(key), 0, key);
    this.#json.set(key, text);
  }

  #delete(key: string): void {
    this.#bytes.delete(key);
    if (this.#json.delete(key)) this.#keys.splice(this.#position(key), 1);
  }

  /** Index of the first key that is not before `key`. */
  #position(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#keys[middle] ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
