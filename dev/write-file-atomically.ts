import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";

/** Owner only: these files hold tokens and keys. */
export const PRIVATE_MODE = 0o600;

/** Writes a private file so that a reader sees the old or the new text, and a crash leaves one of them. */
export function writeFileAtomically(path: string, text: string): void {
  const temporary = `${path}.new`;
  const file = openSync(temporary, "w", PRIVATE_MODE);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(temporary, path);
}
