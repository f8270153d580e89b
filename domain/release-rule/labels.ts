/** A client's labels as rules read them: names in lower case, exact values. A `Map` of names to values is one. */
export interface Labels {
  readonly size: number;
  get(name: string): string | undefined;
  keys(): Iterable<string>;
}

/**
 * The labels of one request. They are few and looked at once, so they are searched one by one: a `Map` has to intern
 * every text that it is given or asked for, which costs more than all of the comparisons.
 */
export class LabelList implements Labels {
  /** Each name with its value behind it: one list is half the memory of two. */
  readonly #pairs: string[] = [];

  get size(): number {
    return this.#pairs.length / 2;
  }

  /** Sets a label; the last value of a name is the one that counts. */
  set(name: string, value: string): void {
    const at = this.#find(name);
    this.#pairs[at] = name;
    this.#pairs[at + 1] = value;
  }

  get(name: string): string | undefined {
    return this.#pairs[this.#find(name) + 1];
  }

  keys(): string[] {
    return this.#pairs.filter((_, i) => i % 2 === 0);
  }

  /** Where the name is, or would be. */
  #find(name: string): number {
    const pairs = this.#pairs;
    let at = 0;
    while (at < pairs.length && pairs[at] !== name) at += 2;
    return at;
  }
}
