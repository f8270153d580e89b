import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { removeFile, replaceFile, syncDirectory } from "./replace-file.ts";

/** The part of a file system that whole snapshot files stand on: rare, small calls, so synchronous ones. */
export interface SnapshotFiles {
  /** Makes it unless it is there; either way it survives a power cut. */
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
    syncDirectory(dirname(directory));
  },
  exists: existsSync,
  remove: removeFile,
  replace: replaceFile,
};
