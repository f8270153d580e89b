import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, rmdir, stat } from "node:fs/promises";
import { dirname, join, sep } from "node:path";
import { pathToFileURL } from "node:url";
import {
  checkObjectName,
  checkObjectSize,
  OBJECT_LIST_MAX,
  objectNotFound,
  type ObjectPage,
  type ObjectStorage,
  objectTooLarge,
  type StoredObject,
} from "../../contracts/object-storage/object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";

/** Files being written; their names are no objects' names, since those do not begin with a dot. */
const PARTIAL_PREFIX = ".partial-";
/** A partial file that nobody has touched for so long was left by a process that ended. */
const PARTIAL_MS_MAX = 60 * 60 * 1000;

/**
 * Objects as files below a directory, which is made when it is first written to. A file is written under a name of its
 * own, made durable and then renamed, so that a crash leaves the old object, the new one, or a partial file that the next
 * listing sweeps away.
 */
export class DirectoryObjectStorage implements ObjectStorage {
  readonly url: string;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
    this.url = pathToFileURL(`${directory}${sep}`).href;
  }

  async put(name: string, bytes: Uint8Array): Promise<void> {
    const path = this.#pathOf(name);
    checkObjectSize(name, bytes.byteLength);
    const folder = dirname(path);
    const partial = join(folder, `${PARTIAL_PREFIX}${randomBytes(8).toString("hex")}`);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const file = await open(partial, "wx", 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(partial, path);
      await syncDirectory(folder);
    } catch (error) {
      // What went wrong first is what counts; a partial file that stays is swept away later.
      await rm(partial, { force: true }).catch(() => undefined);
      throw this.#away(error);
    }
  }

  async get(name: string, bytesMax: number): Promise<Uint8Array> {
    const path = this.#pathOf(name);
    try {
      const file = await open(path, "r");
      try {
        const { size } = await file.stat();
        if (size > bytesMax) throw objectTooLarge(name, size, bytesMax);
        return await file.readFile();
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof ConfluxError) throw error;
      if (await this.#isNothingThere(error)) throw objectNotFound(name);
      throw this.#away(error);
    }
  }

  async list(prefix: string, options: { after: string | null; limit: number }): Promise<ObjectPage> {
    const limit = Math.min(options.limit, OBJECT_LIST_MAX);
    try {
      const names = (await this.#namesBelow(prefix))
        .filter((name) => name > (options.after ?? ""))
        .toSorted();
      const items: StoredObject[] = [];
      for (const name of names.slice(0, limit)) {
        const { size, mtimeMs } = await stat(join(this.#directory, name));
        items.push({ name, bytes: size, modifiedAtMs: mtimeMs });
      }
      return { items, next: names.length > limit ? (items.at(-1)?.name ?? null) : null };
    } catch (error) {
      throw this.#away(error);
    }
  }

  async remove(names: readonly string[]): Promise<void> {
    const paths = names.map((name) => this.#pathOf(name));
    try {
      for (const path of paths) await rm(path, { force: true });
      for (const folder of new Set(paths.map((path) => dirname(path)))) await this.#removeEmpty(folder);
    } catch (error) {
      throw this.#away(error);
    }
  }

  #pathOf(name: string): string {
    checkObjectName(name);
    return join(this.#directory, name);
  }

  /** Looks only into the folder that the whole segments of `prefix` name. */
  async #namesBelow(prefix: string): Promise<string[]> {
    const folder = prefix.includes("/") ? prefix.slice(0, prefix.lastIndexOf("/")) : "";
    if (folder !== "") checkObjectName(folder);
    const root = join(this.#directory, folder);
    const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(
      async (error: unknown) => {
        if (await this.#isNothingThere(error)) return [];
        throw error;
      },
    );
    const names: string[] = [];
    for (const entry of entries) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      if (entry.name.startsWith(PARTIAL_PREFIX)) await sweepPartial(path);
      else names.push(path.slice(this.#directory.length + 1).replaceAll(sep, "/"));
    }
    return names.filter((name) => name.startsWith(prefix));
  }

  async #removeEmpty(folder: string): Promise<void> {
    if (folder === this.#directory) return;
    await rmdir(folder).catch((error: unknown) => {
      if (!isMissing(error) && !["ENOTEMPTY", "EEXIST"].includes(codeOf(error))) throw error;
    });
  }

  /**
   * Whether an error only says that there is no such file or folder yet. Where a file stands in the place of the storage's own
   * directory the storage is broken, though the system says the same as of one below it.
   */
  async #isNothingThere(error: unknown): Promise<boolean> {
    if (codeOf(error) !== "ENOTDIR") return isMissing(error);
    try {
      return (await stat(this.#directory)).isDirectory();
    } catch (cause) {
      return codeOf(cause) === "ENOENT";
    }
  }

  #away(cause: unknown): ConfluxError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new ConfluxError("unavailable", `the storage at ${this.url} cannot be used: ${reason}`, { cause });
  }
}

async function sweepPartial(path: string): Promise<void> {
  const { mtimeMs } = await stat(path);
  if (Date.now() - mtimeMs > PARTIAL_MS_MAX) await rm(path, { force: true });
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code);
const isMissing = (error: unknown): boolean => ["ENOENT", "ENOTDIR"].includes(codeOf(error));
