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
  readonly #names: string[] = [];
  readonly #values: string[] = [];

  get size(): number {
    return this.#names.length;
  }

  /** Sets a label; the last value of a name is the one that counts. */
  set(name: string, value: string): void {
    const at = this.#find(name);
    this.#names[at] = name;
    this.#values[at] = value;
  }

  get(name: string): string | undefined {
    return this.#values[this.#find(name)];
  }

  keys(): readonly string[] {
    return this.#names;
  }

  /** Where the name is, or would be. */
  #find(name: string): number {
    const names = this.#names;
    let at = 0;
    while (at < names.length && names[at] !== name) at += 1;
    return at;
  }
}
