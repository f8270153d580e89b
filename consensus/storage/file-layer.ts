import fs from "node:fs";
import { dirname } from "node:path";

/** An open file of the log. Positions and sizes are bytes. */
export interface LogFile {
  /** Writes the pieces end to end from `position`; answers how many bytes were taken, which may be fewer. */
  writev(pieces: readonly Uint8Array[], position: number): Promise<number>;
  /** Resolves when every completed write has reached the device (fdatasync). */
  datasync(): Promise<void>;
  /**
   * All of `writev` and `datasync` before it returns: the thread stands still for as long as the disk takes, and no hand-over
   * to another one is paid. Throws when either fails; then nothing is known about the file. Absent: the layer cannot.
   */
  writevSynced?(pieces: readonly Uint8Array[], position: number): void;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}

/** The part of a file system the write-ahead log stands on; an argument, so that tests can make it fail. */
export interface FileLayer {
  /** Makes it unless it is there; either way it survives a power cut. */
  ensureDirectory(directory: string): Promise<void>;
  list(directory: string): Promise<string[]>;
  read(path: string): Promise<Uint8Array>;
  /** `create` fails when the file exists; `existing` fails when it does not. */
  open(path: string, mode: "create" | "existing"): Promise<LogFile>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes creations, renames and removals in the directory survive a power cut. */
  syncDirectory(directory: string): Promise<void>;
}

function settle<T>(run: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => (error === null ? resolve(value) : reject(error)));
  });
}

/** Completion without a value: `fdatasync` and its like. */
function settleVoid(run: (done: (error: Error | null) => void) => void): Promise<void> {
  return settle<void>((done) => run((error) => done(error, undefined)));
}

function logFile(fd: number): LogFile {
  return {
    writev: (pieces, position) =>
      settle<number>((done) => fs.writev(fd, pieces, position, (error, written) => done(error, written))),
    datasync: () => settleVoid((done) => fs.fdatasync(fd, done)),
    writevSynced: (pieces, position) => {
      let rest = pieces;
      for (let at = position; rest.length > 0;) {
        const written = fs.writevSync(fd, rest, at);
        at += written;
        rest = unwritten(rest, written);
      }
      fs.fdatasyncSync(fd);
    },
    truncate: (sizeBytes) => settleVoid((done) => fs.ftruncate(fd, sizeBytes, (error) => done(error))),
    close: () => settleVoid((done) => fs.close(fd, (error) => done(error ?? null))),
  };
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await fs.promises.open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The real file system. Descriptors are bare numbers: a promise-based handle costs a turn of the loop more. */
export const nodeFileLayer: FileLayer = {
  ensureDirectory: async (directory) => {
    await fs.promises.mkdir(directory, { recursive: true });
    await syncDirectory(dirname(directory));
  },
  list: (directory) => fs.promises.readdir(directory),
  read: (path) => fs.promises.readFile(path),
  open: async (path, mode) =>
    logFile(await settle<number>((done) => fs.open(path, mode === "create" ? "wx+" : "r+", 0o600, done))),
  rename: (from, to) => fs.promises.rename(from, to),
  unlink: (path) => fs.promises.unlink(path),
  syncDirectory,
};

/** Writes the pieces end to end, as often as it takes. Throws when the file takes nothing more. */
export async function writeAll(
  file: LogFile,
  pieces: readonly Uint8Array[],
  position: number,
): Promise<void> {
  let rest = pieces.filter((piece) => piece.byteLength > 0);
  let at = position;
  while (rest.length > 0) {
    const written = await file.writev(rest, at);
    at += written;
    rest = unwritten(rest, written);
  }
}

/** What is left of the pieces after `written` bytes. Throws when the file took none. */
function unwritten(pieces: readonly Uint8Array[], written: number): Uint8Array[] {
  if (written <= 0) throw new Error("the file takes no more bytes");
  let skip = written;
  return pieces.flatMap((piece) => {
    const cut = Math.min(skip, piece.byteLength);
    skip -= cut;
    return cut === piece.byteLength ? [] : [piece.subarray(cut)];
  });
}
