import { close, closeSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";

/** Puts `from`, which must be durable, in the place of `to`, in one step that survives a power cut. */
export function replaceFile(from: string, to: string): void {
  withoutWaiting(to, () => renameSync(from, to));
  syncDirectory(dirname(to));
}

/** Nothing to remove is no error. */
export function removeFile(path: string): void {
  withoutWaiting(path, () => rmSync(path, { force: true }));
}

/**
 * While a file is open its name can go at once; freeing a gigabyte takes a tenth of a second and more, and falls to whoever
 * closes it last: here a thread of the pool.
 */
function withoutWaiting(path: string, act: () => void): void {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, "r");
  } catch {
    // It is not there, or cannot be opened: then it takes what it takes.
  }
  try {
    act();
  } finally {
    // Nothing was written through it that its closing could lose.
    if (descriptor !== null) close(descriptor, () => undefined);
  }
}

/** Makes creations, renames and removals in the directory survive a power cut. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
