import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { StartRefusal, systemErrorCode } from "./refusal.ts";

/** What lies where in a data directory. */
export interface DataPaths {
  dataDir: string;
  logs: string;
  /** 0600 */
  secrets: string;
  /** 0600; written when the stack is ready (api.md). */
  devJson: string;
  /** Processes that were started and not yet seen to end. */
  ledger: string;
  /** Small things to remember from start to start. */
  memo: string;
  /** 0600; the token signing key, sealed by KMS. */
  signingKey: string;
  /** 0600; the keys of the local KMS. */
  kmsKeys: string;
  dynamoDb: string;
  workers: string;
  /** Bundles and compiled code, kept from start to start. */
  build: string;
  compileCache: string;
  /** The one file that a program was bundled into. */
  bundle: (name: string) => string;
  core: (nodeId: number) => string;
  /** Held by whoever runs a node beside the stack. */
  coreLock: (nodeId: number) => string;
  /** Backups of the core, whichever node takes them. */
  backups: string;
  /** Certificates with which core nodes know each other; 0700. */
  peers: string;
}

export function dataPaths(dataDir: string, buildDir: string | null = null): DataPaths {
  const build = buildDir ?? join(dataDir, "build");
  return {
    dataDir,
    logs: join(dataDir, "logs"),
    secrets: join(dataDir, "secrets.json"),
    devJson: join(dataDir, "dev.json"),
    ledger: join(dataDir, "children.json"),
    memo: join(dataDir, "memo.json"),
    signingKey: join(dataDir, "token-signing-key.json"),
    kmsKeys: join(dataDir, "kms", "keys.json"),
    dynamoDb: join(dataDir, "dynamodb"),
    workers: join(dataDir, "workers"),
    build,
    compileCache: join(build, "compile-cache"),
    bundle: (name) => join(build, `${name}.mjs`),
    core: (nodeId) => join(dataDir, `core-${nodeId}`),
    coreLock: (nodeId) => join(dataDir, "locks", `core-${nodeId}`),
    backups: join(dataDir, "backups"),
    peers: join(dataDir, "peers"),
  };
}

/**
 * Makes the data directory and its folders where they are missing. Throws a `StartRefusal` that names the path and
 * what is wrong with it when it cannot be used.
 */
export function prepareDataDirectory(paths: DataPaths): void {
  // Others may search it: Postgres runs as a user of its own when we are root. What is secret has a mode of its own.
  makeFolder(paths.dataDir, 0o755);
  makeFolder(paths.logs, 0o700);
  makeFolder(paths.workers, 0o700);
  makeFolder(dirname(paths.kmsKeys), 0o700);
  makeFolder(paths.dynamoDb, 0o700);
}

function makeFolder(path: string, mode: number): void {
  try {
    makeMissing(path, mode);
    if (!statSync(path).isDirectory()) {
      throw new StartRefusal(
        `The data directory ${path} cannot be used: a file is in its place; set CONFLUX_DATA_DIR to another.`,
      );
    }
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof StartRefusal) throw error;
    throw new StartRefusal(
      `The data directory ${path} cannot be used: ${reason(error)}; set CONFLUX_DATA_DIR to another.`,
    );
  }
}

/** Level by level: where the kernel allows no folder (below /proc), Node's own `recursive` tries for ever. */
function makeMissing(path: string, mode: number): void {
  if (existsSync(path)) return;
  makeMissing(dirname(path), mode);
  mkdirSync(path, { mode });
}

function reason(error: unknown): string {
  const words: Record<string, string> = {
    EACCES: "permission is denied",
    EPERM: "permission is denied",
    EEXIST: "a file is in its place",
    ENOTDIR: "a file is in its place",
    EROFS: "the file system is read-only",
    ENOSPC: "the disk is full",
    ENOENT: "no folder can be made there",
  };
  return words[systemErrorCode(error)] ?? String(error);
}
