import { scanAll } from "./scan-all.ts";
import type { StateChange, StateView } from "./state-view.ts";

type RowChange = Extract<StateChange, { key: string }>;

/**
 * A state with writes that are not made yet: what a command does in several steps, each of which must see the one before
 * (a count, the references of a content), though `apply` makes its writes all at once. For writes of rows alone.
 */
export class StagedState implements StateView {
  readonly #base: StateView;
  readonly #rows = new Map<string, RowChange>();

  constructor(base: StateView) {
    this.#base = base;
  }

  /** Throws for a change that is none of a row. */
  stage(changes: readonly StateChange[]): void {
    for (const change of changes) {
      if (!("key" in change)) throw new Error(`${change.op} cannot be staged`);
      // Last of all writes, so that a row that was deleted and made again stands in its order.
      this.#rows.delete(change.key);
      this.#rows.set(change.key, change);
    }
  }

  /** One write a row: the last one. */
  changes(): StateChange[] {
    return [...this.#rows.values()];
  }

  json(key: string): unknown {
    const row = this.#rows.get(key);
    if (row === undefined) return this.#base.json(key);
    return row.op === "put_json" ? row.value : undefined;
  }

  bytes(key: string): Uint8Array | undefined {
    const row = this.#rows.get(key);
    if (row === undefined) return this.#base.bytes(key);
    return row.op === "put_bytes" ? row.bytes : undefined;
  }

  hasKey(key: string): boolean {
    const row = this.#rows.get(key);
    return row === undefined ? this.#base.hasKey(key) : row.op !== "delete";
  }

  *scan(
    prefix: string,
    { after, limit }: { after?: string; limit: number },
  ): Generator<{ key: string; value: unknown }> {
    const own = [...this.#rows.values()]
      .filter(({ op, key }) => op === "put_json" && key.startsWith(prefix) && key > (after ?? ""))
      .map(({ key }) => key)
      .toSorted();
    let left = limit;
    for (const row of scanAll(this.#base, prefix, after)) {
      for (; left > 0 && own[0] !== undefined && own[0] < row.key; left -= 1) yield this.#take(own);
      if (left === 0) return;
      // Written or deleted here: the writes have their own turn.
      if (this.#rows.has(row.key)) continue;
      yield row;
      left -= 1;
    }
    for (; left > 0 && own.length > 0; left -= 1) yield this.#take(own);
  }

  #take(own: string[]): { key: string; value: unknown } {
    const key = own.shift() ?? "";
    return { key, value: this.json(key) };
  }
}
