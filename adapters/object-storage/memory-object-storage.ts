import {
  checkObjectName,
  checkObjectSize,
  OBJECT_LIST_MAX,
  objectNotFound,
  type ObjectPage,
  type ObjectStorage,
  objectTooLarge,
} from "../../contracts/object-storage/object-storage.ts";

/** Objects for as long as the process lives. */
export class MemoryObjectStorage implements ObjectStorage {
  readonly url = "memory:///";
  readonly #objects = new Map<string, { bytes: Uint8Array; modifiedAtMs: number }>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number = Date.now) {
    this.#nowMs = nowMs;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    checkObjectName(name);
    checkObjectSize(name, bytes.byteLength);
    this.#objects.set(name, { bytes: new Uint8Array(bytes), modifiedAtMs: this.#nowMs() });
  }

  async get(name: string, bytesMax: number): Promise<Uint8Array> {
    checkObjectName(name);
    const found = this.#objects.get(name);
    if (found === undefined) throw objectNotFound(name);
    const { bytes } = found;
    if (bytes.byteLength > bytesMax) throw objectTooLarge(name, bytes.byteLength, bytesMax);
    return new Uint8Array(bytes);
  }

  async list(prefix: string, options: { after: string | null; limit: number }): Promise<ObjectPage> {
    const limit = Math.min(options.limit, OBJECT_LIST_MAX);
    const names = [...this.#objects.keys()]
      .filter((name) => name.startsWith(prefix) && name > (options.after ?? ""))
      .toSorted()
      .slice(0, limit + 1);
    const items = names.slice(0, limit).map((name) => {
      const { bytes, modifiedAtMs } = this.#objects.get(name) ?? { bytes: new Uint8Array(), modifiedAtMs: 0 };
      return { name, bytes: bytes.byteLength, modifiedAtMs };
    });
    return { items, next: names.length > limit ? (items.at(-1)?.name ?? null) : null };
  }

  async remove(names: readonly string[]): Promise<void> {
    for (const name of names) checkObjectName(name);
    for (const name of names) this.#objects.delete(name);
  }
}
