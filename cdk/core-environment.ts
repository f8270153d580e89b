import {
  CORE_NODES,
  CORE_PEER_PORT,
  CORE_PORT,
  type DeploymentSettings,
  DISCOVERY_DOMAIN,
} from "./deployment-settings.ts";

/** Where a node's disk is mounted. */
export const CORE_DATA_DIRECTORY = "/data";
/** Where a task finds its certificate. Made anew for each task, gone with it. */
export const IDENTITY_DIRECTORY = "/identity";
/** The fields of a node's identity secret, each a PEM text, which become files of these names. */
export const IDENTITY_FIELDS = ["ca", "cert", "key"] as const;
/** Longer than a pause of a network disk, which must not start an election. */
const ELECTION_TIMEOUT_MS = 1_000;

/** Set from Secrets Manager, so it stands in no template. */
export const CORE_SECRET_VARIABLES = ["CONFLUX_CORE_SERVICE_KEY"] as const;

const discoveryName = (nodeId: number): string => `core-${nodeId}.${DISCOVERY_DOMAIN}`;
const nodeIds = Array.from({ length: CORE_NODES }, (_, i) => i + 1);

/** The nodes' base URLs inside the VPC, in node order. */
export const internalCoreUrls = (): string[] =>
  nodeIds.map((id) => `http://${discoveryName(id)}:${CORE_PORT}`);

/** The nodes' base URLs outside it, behind the load balancer: CORE_URLS of the Workers. */
export const publicCoreUrls = (settings: DeploymentSettings): string[] =>
  nodeIds.map((id) => `https://node-${id}.${settings.coreDomain}`);

/** A backup an hour, three days of them, and the newest for ever; a minute between two rounds of the retention. */
const BACKUPS = {
  CONFLUX_BACKUP_INTERVAL_S: "3600",
  CONFLUX_BACKUP_KEEP_COUNT: "72",
  CONFLUX_BACKUP_KEEP_DAYS: "30",
  CONFLUX_RETENTION_INTERVAL_S: "60",
} as const;

/**
 * The plain variables of node `nodeId`: with the secret ones, exactly what consensus/server reads. `backupBucket`: the
 * bucket's name; `configKeyArn`: the KMS key of encrypted configs whose application has none.
 */
export function coreEnvironment(
  nodeId: number,
  settings: DeploymentSettings,
  { backupBucket, configKeyArn }: { backupBucket: string; configKeyArn: string },
): Record<string, string> {
  const peers = nodeIds.map(
    (id) => `${id}=${discoveryName(id)}:${CORE_PEER_PORT}@http://${discoveryName(id)}:${CORE_PORT}`,
  );
  return {
    CONFLUX_NODE_ID: String(nodeId),
    CONFLUX_CLUSTER_ID: settings.clusterId,
    CONFLUX_CORE_LISTEN_HOST: "0.0.0.0",
    CONFLUX_CORE_LISTEN_PORT: String(CORE_PORT),
    CONFLUX_CORE_DATA_DIR: CORE_DATA_DIRECTORY,
    // SQLite's write-ahead log needs shared memory, which a network disk does not have.
    CONFLUX_STATE_JOURNAL: "truncate",
    CONFLUX_BACKUP_STORE: `s3://${backupBucket}`,
    ...BACKUPS,
    CONFLUX_KMS_REGION: settings.region,
    CONFLUX_KMS_DEFAULT_KEY_ID: configKeyArn,
    CONFLUX_PEERS: peers.join(","),
    CONFLUX_PEER_LISTEN_HOST: "0.0.0.0",
    CONFLUX_PEER_CA_FILE: `${IDENTITY_DIRECTORY}/ca.pem`,
    CONFLUX_PEER_CERT_FILE: `${IDENTITY_DIRECTORY}/cert.pem`,
    CONFLUX_PEER_KEY_FILE: `${IDENTITY_DIRECTORY}/key.pem`,
    CONFLUX_ELECTION_TIMEOUT_MS: String(ELECTION_TIMEOUT_MS),
    // A task may be paused by its host, and leases lean on clocks.
    CONFLUX_READ_MODE: "quorum",
  };
}
