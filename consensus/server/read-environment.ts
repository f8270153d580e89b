import { KMS_KEY_ID } from "../../domain/encryption/envelope-text.ts";
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
  /** Null: no key service is set up. */
  keyService: KeyServiceEnvironment | null;
}

export interface KeyServiceEnvironment {
  /** A stand-in for KMS; undefined: KMS itself. */
  endpointUrl: string | undefined;
  region: string | undefined;
  /** Whom a stand-in serves; undefined: credentials come from the environment or the task's role. */
  accessKeyId: string | undefined;
  defaultKeyId: string | null;
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
    keyService: readKeyService(env),
  };
}

/** KMS is there where AWS is, which sets a region, and where a stand-in is named. Throws `EnvironmentError`. */
function readKeyService(env: Readonly<Record<string, string | undefined>>): KeyServiceEnvironment | null {
  const given = (name: string): string | undefined => (env[name] === "" ? undefined : env[name]);
  const endpointUrl = given("KMS_ENDPOINT");
  const region = given("CONFLUX_KMS_REGION") ?? given("AWS_REGION");
  const defaultKeyId = given("CONFLUX_KMS_DEFAULT_KEY_ID") ?? null;
  if (endpointUrl !== undefined && !URL.canParse(endpointUrl)) {
    throw new EnvironmentError("KMS_ENDPOINT is not valid: a URL like http://localhost:8080");
  }
  if (defaultKeyId !== null && !KMS_KEY_ID.test(defaultKeyId)) {
    throw new EnvironmentError("CONFLUX_KMS_DEFAULT_KEY_ID is not valid: the id, alias or ARN of a KMS key");
  }
  if (endpointUrl === undefined && region === undefined) {
    if (defaultKeyId === null) return null;
    throw new EnvironmentError("CONFLUX_KMS_DEFAULT_KEY_ID needs AWS_REGION or KMS_ENDPOINT beside it");
  }
  return { endpointUrl, region, accessKeyId: given("KMS_ACCESS_KEY_ID"), defaultKeyId };
}
