import { existsSync, mkdirSync, rmSync } from "node:fs";
import { replaceFile } from "./replace-file.ts";

/** The part of a file system that whole snapshot files stand on: rare, small calls, so synchronous ones. */
export interface SnapshotFiles {
  ensureDirectory(directory: string): void;
  exists(path: string): boolean;
  /** Nothing to remove is no error. */
  remove(path: string): void;
  /** Puts `from`, which must be durable, in the place of `to`, in one step that survives a power cut. */
  replace(from: string, to: string): void;
}

export const nodeSnapshotFiles: SnapshotFiles = {
  ensureDirectory: (directory) => {
    mkdirSync(directory, { recursive: true });
  },
  exists: existsSync,
  remove: (path) => rmSync(path, { force: true }),
  replace: replaceFile,
};
