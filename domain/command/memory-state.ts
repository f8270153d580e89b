import { decodeStateRows } from "../backup/restore-rows.ts";
import { decodeUtf8 } from "../decode-utf8.ts";
import { isKeptRow, type StateChange, type StateView } from "./state-view.ts";

/**
 * The ordered store in memory: for the core in memory and for tests. JSON is kept as text, so that what a reader gets is
 * its own copy and only what JSON can hold survives, as in the durable store.
 */
export class MemoryState implements StateView {
  #json = new Map<string, string>();
  #bytes = new Map<string, Uint8Array>();
  /** Rows of a restore that is under way. */
  readonly #staged: Uint8Array[] = [];
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
      else if (change.op === "delete") this.#delete(change.key);
      else if (change.op === "stage_rows") this.#staged.push(change.chunk.slice());
      else if (change.op === "drop_staged") this.#staged.length = 0;
      else this.#adoptStaged();
    }
  }

  /** Every row as it is kept, JSON as text, in the order of the keys: what a backup is made of. */
  rows(): { key: string; value: string | Uint8Array }[] {
    const json = this.#keys.map((key) => ({ key, value: this.#json.get(key) ?? "" }));
    const bytes = [...this.#bytes].map(([key, value]) => ({ key, value }));
    return [...json, ...bytes.toSorted((a, b) => (a.key < b.key ? -1 : 1))];
  }

  #adoptStaged(): void {
    this.#json = new Map([...this.#json].filter(([key]) => isKeptRow(key)));
    this.#bytes = new Map();
    for (const chunk of this.#staged.splice(0)) {
      for (const { key: bytes, kind, value } of decodeStateRows(chunk)) {
        const key = decodeUtf8(bytes);
        if (isKeptRow(key)) continue;
        if (kind === "json") this.#json.set(key, decodeUtf8(value));
        else this.#bytes.set(key, value);
      }
    }
    this.#keys = [...this.#json.keys()].toSorted();
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
