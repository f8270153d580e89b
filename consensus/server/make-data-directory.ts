import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";

/** The state holds contents, and whatever is in the directory is as private as it is. */
const PRIVATE_MODE = 0o700;

interface Steps {
  make: (directory: string, mode?: number) => void;
  sync: (directory: string) => void;
}

/**
 * Makes the directory, for its owner alone, and those above it that are missing, and makes their names durable: what is synced
 * within it later would be gone with the name after a power cut, and the node would take itself for a new one. One that is
 * there keeps its mode. Throws the file system's error, also for a directory that this process may not write.
 */
export function makeDataDirectory(directory: string, steps: Partial<Steps> = {}): void {
  const { make = makeOne, sync = syncDirectory } = steps;
  const path = resolve(directory);
  // One by one: for a read-only file system, Node's own recursion says that the directory does not exist.
  const missing = missingOf(path);
  for (const each of missing) make(each, each === path ? PRIVATE_MODE : undefined);
  for (const each of missing) sync(dirname(each));
  if (!statSync(path).isDirectory()) make(path);
  accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
}

/** The directory and those above it that are not there, from the outermost on. */
function missingOf(path: string): string[] {
  const missing: string[] = [];
  for (let at = path; !existsSync(at) && at !== dirname(at); at = dirname(at)) missing.unshift(at);
  return missing;
}

function makeOne(directory: string, mode?: number): void {
  try {
    mkdirSync(directory, { mode });
  } catch (error) {
    // Another node may have made the one above both.
    if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
