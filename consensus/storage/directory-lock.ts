import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const LOCK_FILE = "directory.lock";
const PID_FILE = "directory.lock.pid";
const SQLITE_BUSY = 5;

export interface DirectoryLock {
  /** Idempotent. The lock also goes when the process dies, however it dies. */
  release(): void;
}

/** Another process has the directory. */
export class DirectoryLockedError extends Error {
  readonly directory: string;
  /** Of the holder, as it noted it; null when it did not get that far. */
  readonly pid: number | null;
  constructor(directory: string, pid: number | null) {
    const holder = pid === null ? "another process" : `process ${pid}`;
    super(`the data directory ${directory} is in use by ${holder}`);
    this.name = "DirectoryLockedError";
    this.directory = directory;
    this.pid = pid;
  }
}

/**
 * Takes a data directory (made if missing) for this process alone. It is SQLite's exclusive lock on a file in the directory, which is
 * an fcntl lock: the kernel drops it with the process, so no stale lock can stay behind. Nobody but SQLite may open that
 * file, since POSIX drops a process's locks when it closes *any* descriptor of the file.
 * Throws `DirectoryLockedError`, or the file system's error for a directory that cannot be written.
 */
export function lockDirectory(directory: string): DirectoryLock {
  mkdirSync(directory, { recursive: true });
  const database = new DatabaseSync(join(directory, LOCK_FILE), { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    throw new DirectoryLockedError(directory, readPid(directory));
  }
  const pidPath = join(directory, PID_FILE);
  writeFileSync(pidPath, `${process.pid}\n`);
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      rmSync(pidPath, { force: true });
      database.close();
    },
  };
}

function readPid(directory: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(join(directory, PID_FILE), "utf8"), 10);
    return Number.isNaN(pid) ? null : pid;
  } catch {
    // The holder has not noted its pid yet; the lock itself is what counts.
    return null;
  }
}
