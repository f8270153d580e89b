import { dirname, basename } from "node:path";
import type { FileLayer, LogFile } from "./file-layer.ts";

interface MemoryFile {
  bytes: Uint8Array;
  /** What is on the platter: the rest of `bytes` is in the page cache. */
  durable: Uint8Array;
}

/** Names of one directory, and those that a power cut would leave. */
interface MemoryDirectory {
  names: Map<string, MemoryFile>;
  durable: Map<string, MemoryFile>;
}

export interface MemoryFileLayer extends FileLayer {
  /** Forgets what was not synced: contents without `datasync`, names without `syncDirectory`. Open files are dead. */
  cutPower(): void;
  /** Every operation after the next so many fails, until the power is cut. */
  failAfter(operations: number): void;
}

/**
 * Files in memory that lose exactly what a file system may lose when the power goes: contents are durable by `datasync` of
 * the file, names (created, renamed, removed) by `syncDirectory` of their directory.
 */
export function memoryFileLayer(): MemoryFileLayer {
  const directories = new Map<string, MemoryDirectory>();
  let boot = 0;
  let operationsLeft = Infinity;
  const at = (path: string): MemoryDirectory => {
    const directory = directories.get(dirname(path));
    if (directory === undefined) throw systemError("ENOENT", dirname(path));
    return directory;
  };
  const find = (path: string): MemoryFile => {
    const file = at(path).names.get(basename(path));
    if (file === undefined) throw systemError("ENOENT", path);
    return file;
  };
  const now = <T>(act: () => T): T => {
    if (operationsLeft <= 0) throw systemError("EIO", "the disk is gone");
    operationsLeft -= 1;
    return act();
  };
  const settled = <T>(act: () => T): Promise<T> => new Promise((resolve) => resolve(now(act)));
  return {
    ensureDirectory: (directory) =>
      settled(() => {
        if (!directories.has(directory)) directories.set(directory, { names: new Map(), durable: new Map() });
      }),
    list: (directory) => settled(() => [...at(`${directory}/x`).names.keys()]),
    read: (path) => settled(() => find(path).bytes.slice()),
    open: (path, mode) =>
      settled(() => {
        const { names } = at(path);
        const name = basename(path);
        if (mode === "create") {
          if (names.has(name)) throw systemError("EEXIST", path);
          names.set(name, { bytes: new Uint8Array(), durable: new Uint8Array() });
        }
        const openedIn = boot;
        return openFile(find(path), (act) =>
          now(() => {
            if (openedIn !== boot) throw systemError("EBADF", path);
            return act();
          }),
        );
      }),
    ...namesOf(directories, settled, at, find),
    cutPower: () => {
      boot += 1;
      operationsLeft = Infinity;
      for (const directory of directories.values()) {
        directory.names = new Map(directory.durable);
        for (const file of directory.names.values()) file.bytes = file.durable.slice();
      }
    },
    failAfter: (operations) => {
      operationsLeft = operations;
    },
  };
}

/** The operations on names alone. */
function namesOf(
  directories: Map<string, MemoryDirectory>,
  settled: <T>(act: () => T) => Promise<T>,
  at: (path: string) => MemoryDirectory,
  find: (path: string) => MemoryFile,
): Pick<FileLayer, "rename" | "unlink" | "syncDirectory"> {
  return {
    rename: (from, to) =>
      settled(() => {
        const file = find(from);
        at(from).names.delete(basename(from));
        at(to).names.set(basename(to), file);
      }),
    unlink: (path) =>
      settled(() => {
        find(path);
        at(path).names.delete(basename(path));
      }),
    syncDirectory: (directory) =>
      settled(() => {
        const { names } = at(`${directory}/x`);
        directories.get(directory)!.durable = new Map(names);
      }),
  };
}

/** `now` does one operation, or throws instead. */
function openFile(file: MemoryFile, now: <T>(act: () => T) => T): LogFile {
  const settled = <T>(act: () => T): Promise<T> => new Promise((resolve) => resolve(now(act)));
  const write = (pieces: readonly Uint8Array[], position: number): number => {
    const total = pieces.reduce((sum, piece) => sum + piece.byteLength, 0);
    const grown = new Uint8Array(Math.max(file.bytes.byteLength, position + total));
    grown.set(file.bytes);
    let offset = position;
    for (const piece of pieces) {
      grown.set(piece, offset);
      offset += piece.byteLength;
    }
    file.bytes = grown;
    return total;
  };
  const sync = (): void => {
    file.durable = file.bytes.slice();
  };
  return {
    writev: (pieces, position) => settled(() => write(pieces, position)),
    datasync: () => settled(sync),
    writevSynced: (pieces, position) => {
      now(() => write(pieces, position));
      now(sync);
    },
    truncate: (sizeBytes) =>
      settled(() => {
        file.bytes = file.bytes.slice(0, sizeBytes);
      }),
    close: () => settled(() => undefined),
  };
}

function systemError(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
