import { join } from "node:path";
import { DirectoryContradictionError } from "../raft-log-initialise.ts";
import { StateFormatError } from "../state/state-schema.ts";
import { DirectoryLockedError } from "../storage/directory-lock.ts";
import { WalCorruptError } from "../storage/wal-segment.ts";
import { EnvironmentError } from "./environment-error.ts";
import type { CoreEnvironment } from "./read-environment.ts";

/** Where the state is, below the data directory. */
export const STATE_FILE = "state.db";

/** What the disk says of a data directory that is not there, not this process's, or full. */
const DISK_CODES = new Set([
  "EACCES",
  "EDQUOT",
  "EEXIST",
  "EIO",
  "ENOSPC",
  "ENOTDIR",
  "EPERM",
  "ERR_SQLITE_ERROR",
  "EROFS",
]);
/** SQLite's codes: the file's pages contradict each other, or it is no database. */
const SQLITE_DAMAGED = new Set([11, 26]);
const SQLITE_FULL = 13;

interface SystemError extends Error {
  code?: string;
  errcode?: number;
  path?: string;
  syscall?: string;
  address?: string;
  port?: number;
}

/** Why a node cannot run: one sentence for what an operator can put right, the stack for everything else. */
export function explainFailure(error: unknown, env: CoreEnvironment | null): string {
  if (error instanceof EnvironmentError || error instanceof DirectoryLockedError) return error.message;
  if (error instanceof WalCorruptError) return `${error.message}; nothing was changed: ${replacing(env)}`;
  if (error instanceof DirectoryContradictionError) {
    const { message, owner } = error;
    if (owner === null) return `${message}; put back what is missing, or ${replacing(env)}`;
    return `${message}: set CONFLUX_NODE_ID to ${owner}, or CONFLUX_CORE_DATA_DIR to this node's own directory`;
  }
  if (!(error instanceof Error)) return String(error);
  const { code, message } = error as SystemError;
  if (code === "EADDRINUSE") return explainTakenPort(error, env);
  if (error instanceof StateFormatError || isOfDisk(error)) return explainDisk(error, env);
  return error.stack ?? message;
}

/** A file that is missing may be anybody's, a directory that cannot be made is the node's own. */
function isOfDisk({ code = "", syscall }: SystemError): boolean {
  return DISK_CODES.has(code) || (code === "ENOENT" && syscall === "mkdir");
}

function explainTakenPort({ address, port }: SystemError, env: CoreEnvironment | null): string {
  const isPeerPort = port !== env?.port && port === env?.peers?.listenPort;
  const where = isPeerPort
    ? `CONFLUX_PEERS names it as node ${env?.nodeId}'s own, name another there and at the other members`
    : "set CONFLUX_CORE_LISTEN_PORT to another";
  return `port ${port} on ${address ?? env?.host} is taken: ${where}`;
}

function explainDisk(error: SystemError, env: CoreEnvironment | null): string {
  const directory = env?.dataDirectory ?? "";
  const { code, errcode = 0, message, path } = error;
  const isSqlite = code === "ERR_SQLITE_ERROR";
  if (isSqlite && SQLITE_DAMAGED.has(errcode)) {
    return `${path ?? join(directory, STATE_FILE)} is damaged (${message}): ${replacing(env)}`;
  }
  const isFull = code === "ENOSPC" || code === "EDQUOT" || (isSqlite && errcode === SQLITE_FULL);
  const remedy = isFull ? "; make room on its disk and start the node again" : "";
  return `the data directory ${directory} cannot be used: ${message}${remedy}`;
}

/** What to do about a disk that has lost or changed what was on it. A node that is alone has nobody to copy from. */
function replacing(env: CoreEnvironment | null): string {
  return env !== null && env.peers === null
    ? "restore the disk, or begin with an empty data directory and restore a backup"
    : "restore the disk, or remove this node and add a new one in its place";
}
