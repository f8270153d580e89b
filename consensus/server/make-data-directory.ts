import { closeSync, fsyncSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Makes the directory and those above it that are missing, and makes their names durable: what is synced within it later
 * would be gone with the name after a power cut, and the node would take itself for a new one. Throws the file system's error.
 */
export function makeDataDirectory(
  directory: string,
  sync: (directory: string) => void = syncDirectory,
): void {
  const path = resolve(directory);
  const first = mkdirSync(path, { recursive: true });
  if (first === undefined) return;
  const end = dirname(resolve(first));
  let parent = path;
  do {
    parent = dirname(parent);
    sync(parent);
  } while (parent !== end && parent !== dirname(parent));
}

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
