import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const LOCK_FILE = "directory.lock";
const PID_FILE = "directory.lock.pid";
const SQLITE_BUSY = 5;

/** Kept reachable: a connection that the garbage collector takes is closed, and its lock is gone while the process lives. */
const heldByThisProcess = new Set<DatabaseSync>();

export interface DirectoryLock {
  /** Idempotent. The lock also goes when the process dies, however it dies. */
  release(): void;
}

/** Another process has the directory. */
export class DirectoryLockedError extends Error {
  readonly directory: string;
  /** Of the holder, as it noted it; null when it did not get that far. */
  readonly pid: number | null;
  constructor(directory: string, pid: number | null, host: string | null = null) {
    const isElsewhere = host !== null && host !== hostname();
    const holder = pid === null ? "another process" : `process ${pid}${isElsewhere ? ` on ${host}` : ""}`;
    super(`the data directory ${directory} is in use by ${holder}`);
    this.name = "DirectoryLockedError";
    this.directory = directory;
    this.pid = pid;
  }
}

/**
 * Takes a data directory (made if missing) for this process alone. It is SQLite's exclusive lock on a file in the directory, which is
 * an fcntl lock: the kernel drops it with the process, so no stale lock can stay behind, and the noted pid, which another
 * process may have by now, decides nothing. Nobody but SQLite may open that file, since POSIX drops a process's locks when
 * it closes *any* descriptor of the file.
 *
 * Across machines it holds where the file system carries such locks (NFS 4, so EFS; not NFS 3 with `nolock`). There it is a
 * lease: a holder that is cut off from the server for longer than the lease (EFS: about 90 s) loses it without being told,
 * while it may still run. So the infrastructure must not start a second task before the first has ended (0 % / 100 % in
 * ECS); the lock is the second line, not the first.
 * Throws `DirectoryLockedError`, or the file system's or SQLite's error for a directory that cannot be written.
 */
export function lockDirectory(directory: string): DirectoryLock {
  mkdirSync(directory, { recursive: true });
  const database = new DatabaseSync(join(directory, LOCK_FILE), { timeout: 0 });
  try {
    database.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    const isBusy = (error as { errcode?: number }).errcode === SQLITE_BUSY;
    if (!isBusy) throw Object.assign(error as Error, { path: join(directory, LOCK_FILE) });
    const { pid, host } = readHolder(directory);
    throw new DirectoryLockedError(directory, pid, host);
  }
  const pidPath = join(directory, PID_FILE);
  writeFileSync(pidPath, `${process.pid} ${hostname()}\n`);
  heldByThisProcess.add(database);
  let held = true;
  return {
    release: () => {
      if (!held) return;
      held = false;
      rmSync(pidPath, { force: true });
      heldByThisProcess.delete(database);
      database.close();
    },
  };
}

function readHolder(directory: string): { pid: number | null; host: string | null } {
  try {
    const [pid = "", host] = readFileSync(join(directory, PID_FILE), "utf8").trim().split(" ");
    return { pid: /^\d+$/.test(pid) ? Number(pid) : null, host: host ?? null };
  } catch {
    // The holder has not noted itself yet; the lock itself is what counts.
    return { pid: null, host: null };
  }
}
