import { EnvironmentError } from "./environment-error.ts";
import { type BackupEnvironment, readBackupEnvironment } from "./read-backup-environment.ts";
import { type PeerEnvironment, readPeers } from "./read-peers.ts";
import { SERVICE_KEY_BYTES_MIN } from "./service-auth.ts";

export interface CoreEnvironment {
  nodeId: number;
  host: string;
  port: number;
  dataDirectory: string;
  clusterId: string;
  serviceKey: string;
  journal: "wal" | "truncate";
  /** Null: a cluster of this one node. */
  peers: PeerEnvironment | null;
  /** Null: no storage for backups is set up. */
  backup: BackupEnvironment | null;
}

/** Reads a node's settings. Throws `EnvironmentError`. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): CoreEnvironment {
  const text = (name: string, fallback: string | null, valid: RegExp, rule: string): string => {
    const value = env[name] ?? fallback;
    if (value === null) throw new EnvironmentError(`${name} is not set: ${rule}`);
    if (!valid.test(value)) throw new EnvironmentError(`${name} is not valid: ${rule}`);
    return value;
  };
  const port = Number(text("CONFLUX_CORE_LISTEN_PORT", "7401", /^\d{1,5}$/, "a port, or 0 for any free one"));
  if (port > 65_535) throw new EnvironmentError("CONFLUX_CORE_LISTEN_PORT is not valid: at most 65535");
  const serviceKey = text(
    "CONFLUX_CORE_SERVICE_KEY",
    null,
    /./,
    "the key that service tokens are signed with",
  );
  if (Buffer.byteLength(serviceKey) < SERVICE_KEY_BYTES_MIN) {
    throw new EnvironmentError(
      `CONFLUX_CORE_SERVICE_KEY is too short: at least ${SERVICE_KEY_BYTES_MIN} bytes`,
    );
  }
  const journal = text(
    "CONFLUX_STATE_JOURNAL",
    "wal",
    /^(?:wal|truncate)$/,
    "wal, or truncate on a network disk",
  );
  const nodeId = Number(text("CONFLUX_NODE_ID", "1", /^[1-9]\d{0,8}$/, "a positive whole number"));
  const host = text("CONFLUX_CORE_LISTEN_HOST", "127.0.0.1", /^[\w.:-]+$/, "an address of this machine");
  return {
    nodeId,
    host,
    port,
    dataDirectory: text("CONFLUX_CORE_DATA_DIR", null, /./, "the directory that this node keeps its data in"),
    clusterId: text("CONFLUX_CLUSTER_ID", "c1", /^[a-z][a-z0-9]{0,31}$/, "1-32 of a-z 0-9, a letter first"),
    serviceKey,
    journal: journal === "truncate" ? "truncate" : "wal",
    peers: readPeers(env, { nodeId, host }),
    backup: readBackupEnvironment(env),
  };
}
