/**
 * A cache bounded by weight (bytes, or entries of weight 1). Two generations: an entry is read from the young one
 * without being moved, and moves there when it is read from the old one; when the young one has half of the bound, the
 * old one is forgotten. Invariant: the total weight never exceeds the bound. What was read since the last turn
 * of generations survives the next, which is near to "least recently used" and makes a hit one map lookup.
 */
export class BoundedCache<V> {
  readonly #halfWeight: number;
  #young = new Map<string, { value: V; weight: number }>();
  #old = new Map<string, { value: V; weight: number }>();
  #youngWeight = 0;

  constructor(weightMax: number) {
    this.#halfWeight = weightMax / 2;
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young.value;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.set(key, old.value, old.weight);
    return old.value;
  }

  /** Whether the key is held; does not count as a read. */
  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  /** Holds `value`; one heavier than half of the bound is not held (and what the key held before is forgotten). */
  set(key: string, value: V, weight: number): void {
    this.delete(key);
    if (weight > this.#halfWeight) return;
    if (this.#youngWeight + weight > this.#halfWeight) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngWeight = 0;
    }
    this.#young.set(key, { value, weight });
    this.#youngWeight += weight;
  }

  delete(key: string): void {
    const young = this.#young.get(key);
    if (young !== undefined) {
      this.#youngWeight -= young.weight;
      this.#young.delete(key);
    }
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngWeight = 0;
  }
}
