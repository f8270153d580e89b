import { CORE_PORT, type DeploymentSettings } from "./deployment-settings.ts";

/** Where a node's disk is mounted. */
export const CORE_DATA_DIRECTORY = "/data";
/** Set from Secrets Manager, so it stands in no template. */
export const CORE_SECRET_VARIABLES = ["CONFLUX_CORE_SERVICE_KEY"] as const;

/** The plain variables of node `nodeId`: with the secret ones, exactly what consensus/server/read-environment.ts reads. */
export function coreEnvironment(nodeId: number, settings: DeploymentSettings): Record<string, string> {
  return {
    CONFLUX_NODE_ID: String(nodeId),
    CONFLUX_CLUSTER_ID: settings.clusterId,
    CONFLUX_CORE_LISTEN_HOST: "0.0.0.0",
    CONFLUX_CORE_LISTEN_PORT: String(CORE_PORT),
    CONFLUX_CORE_DATA_DIR: CORE_DATA_DIRECTORY,
    // SQLite's write-ahead log needs shared memory, which a network disk does not have.
    CONFLUX_STATE_JOURNAL: "truncate",
  };
}
