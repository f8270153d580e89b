import { describe, expect, it } from "vitest";
import { DirectoryContradictionError } from "../raft-log-initialise.ts";
import { WalCorruptError } from "../storage/wal-segment.ts";
import { explainFailure } from "./explain-failure.ts";
import { readEnvironment } from "./read-environment.ts";

const alone = readEnvironment({ CONFLUX_CORE_SERVICE_KEY: "k".repeat(32), CONFLUX_CORE_DATA_DIR: "/data" });
const member = readEnvironment({
  CONFLUX_CORE_SERVICE_KEY: "k".repeat(32),
  CONFLUX_CORE_DATA_DIR: "/data",
  CONFLUX_PEERS:
    "1=127.0.0.1:7501@http://127.0.0.1:7401,2=core-2.conflux.local:7501@http://core-2.conflux.local:7401",
  CONFLUX_PEER_CA_FILE: "/tls/ca.pem",
  CONFLUX_PEER_CERT_FILE: "/tls/cert.pem",
  CONFLUX_PEER_KEY_FILE: "/tls/key.pem",
});
const REPLACE = "restore the disk, or remove this node and add a new one in its place";
const system = (message: string, fields: object): Error => Object.assign(new Error(message), fields);
const sqlite = (message: string, errcode: number): Error =>
  system(message, { code: "ERR_SQLITE_ERROR", errcode });

describe("why a node cannot run", () => {
  it.each([
    {
      name: "a lost log",
      error: new DirectoryContradictionError("/data holds state up to index 61 but its log ends at 56"),
      says: `/data holds state up to index 61 but its log ends at 56; put back what is missing, or ${REPLACE}`,
    },
    {
      name: "another node's directory",
      error: new DirectoryContradictionError("/data belongs to node 1, not to node 7", 1),
      says: "/data belongs to node 1, not to node 7: set CONFLUX_NODE_ID to 1, or CONFLUX_CORE_DATA_DIR to this node's own directory",
    },
    {
      name: "a log that fails its checksum",
      error: new WalCorruptError("/data/wal/1.wal", 8, "rot"),
      says: `write-ahead log /data/wal/1.wal is corrupt at offset 8: rot; nothing was changed: ${REPLACE}`,
    },
    {
      name: "a damaged state",
      error: sqlite("database disk image is malformed", 11),
      says: `/data/state.db is damaged (database disk image is malformed): ${REPLACE}`,
    },
    {
      name: "a damaged file that is named",
      error: Object.assign(sqlite("file is not a database", 26), { path: "/data/directory.lock" }),
      says: `/data/directory.lock is damaged (file is not a database): ${REPLACE}`,
    },
    {
      name: "a full disk",
      error: system("ENOSPC: no space left on device, write", { code: "ENOSPC" }),
      says: "the data directory /data cannot be used: ENOSPC: no space left on device, write; make room on its disk and start the node again",
    },
    {
      name: "a full disk below the state",
      error: sqlite("database or disk is full", 13),
      says: "the data directory /data cannot be used: database or disk is full; make room on its disk and start the node again",
    },
    {
      name: "a read-only disk",
      error: system("EROFS: read-only file system, mkdir '/data'", { code: "EROFS" }),
      says: "the data directory /data cannot be used: EROFS: read-only file system, mkdir '/data'",
    },
    {
      name: "a directory that nobody can make",
      error: system("ENOENT: no such file or directory, mkdir '/proc/c'", {
        code: "ENOENT",
        syscall: "mkdir",
      }),
      says: "the data directory /data cannot be used: ENOENT: no such file or directory, mkdir '/proc/c'",
    },
    {
      name: "the peers' port",
      error: system("listen EADDRINUSE", { code: "EADDRINUSE", address: "0.0.0.0", port: 7501 }),
      says: "port 7501 on 0.0.0.0 is taken: CONFLUX_PEERS names it as node 1's own, name another there and at the other members",
    },
    {
      name: "the callers' port",
      error: system("listen EADDRINUSE", { code: "EADDRINUSE", address: "127.0.0.1", port: 7401 }),
      says: "port 7401 on 127.0.0.1 is taken: set CONFLUX_CORE_LISTEN_PORT to another",
    },
  ])("R3 $name is told in one sentence", ({ error, says }) => {
    expect(explainFailure(error, member)).toBe(says);
  });

  it("R3 a node that is alone is not told to copy from others", () => {
    expect(explainFailure(sqlite("database disk image is malformed", 11), alone)).toBe(
      "/data/state.db is damaged (database disk image is malformed): restore the disk, or begin with an empty data directory and restore a backup",
    );
  });

  it("whatever nobody foresaw is told with its stack", () => {
    const error = new TypeError("x is not a function");
    expect(explainFailure(error, member)).toBe(error.stack);
    expect(explainFailure("thrown as it is", null)).toBe("thrown as it is");
  });
});
