/**
 * The state machine's store as `apply` sees it: ordered string keys, JSON or raw bytes as values.
 * Reads see the state before the command; `apply` returns its writes and never makes them.
 */
export interface StateView {
  json(key: string): unknown;
  /** The bytes of a row that `put_bytes` wrote. */
  bytes(key: string): Uint8Array | undefined;
  hasKey(key: string): boolean;
  /** A content (`stateKey.blob`); undefined when it is not there. */
  bytes(key: string): Uint8Array | undefined;
  /** Rows whose key begins with `prefix`, in key order, after `after` (exclusive). */
  scan(prefix: string, options: { after?: string; limit: number }): Iterable<{ key: string; value: unknown }>;
}

export type StateChange =
  | { op: "put_json"; key: string; value: unknown }
  | { op: "put_bytes"; key: string; bytes: Uint8Array }
  | { op: "delete"; key: string }
  /** Sets the rows of a chunk (backup/restore-rows.ts) aside, where no read sees them. */
  | { op: "stage_rows"; chunk: Uint8Array }
  | { op: "drop_staged" }
  /** The staged rows become the state; of the others, those that restores keep stay (`isKeptRow`). */
  | { op: "adopt_staged" };

/** Keys of the ordered store. Segments are names (no slash), so prefixes cannot run into each other. */
export const stateKey = {
  config: (configId: string): string => `c/${configId}`,
  configByName: (tenant: string, app: string, env: string, name: string): string =>
    `n/${tenant}/${app}/${env}/${name}`,
  /** What a deleted config was called: enough to answer a repeated delete. */
  deletedConfig: (configId: string): string => `z/${configId}`,
  version: (configId: string, versionId: number): string => `v/${configId}/${pad(versionId)}`,
  versionPrefix: (configId: string): string => `v/${configId}/`,
  /** Which of a config's versions its retention has removed; missing while it has removed none. */
  removedVersions: (configId: string): string => `removed-versions/${configId}`,
  removedVersionsPrefix: "removed-versions/",
  blob: (tenant: string, sha256: string): string => `b/${tenant}/${sha256}`,
  /** How many versions share a blob. */
  blobRefs: (tenant: string, sha256: string): string => `r/${tenant}/${sha256}`,
  idempotency: (tenant: string, scope: string): string => `i/${tenant}/${scope}`,
  /** Idempotency results in order of expiry. */
  idempotencyExpiry: (tenant: string, expiresAtMs: number, scope: string): string =>
    `x/${tenant}/${pad(expiresAtMs)}/${scope}`,
  idempotencyExpiryPrefix: (tenant: string): string => `x/${tenant}/`,
  idempotencyCount: (tenant: string): string => `y/${tenant}`,
  configByNamePrefix: "n/",
  configsOfTenantPrefix: (tenant: string): string => `n/${tenant}/`,
  /** How many configs a tenant has; missing until a command first asks (config/count-configs.ts). */
  configCount: (tenant: string): string => `k/${tenant}`,
  configCountPrefix: "k/",
  revocation: (jti: string): string => `t/${jti}`,
  revocationPrefix: "t/",
  revocationExpiry: (expiresAtMs: number, jti: string): string => `u/${pad(expiresAtMs)}/${jti}`,
  revocationExpiryPrefix: "u/",
  pendingRestore: "system/restoring",
  restored: "system/restored",
  node: (nodeId: number): string => `node/${pad(nodeId)}`,
  nodePrefix: "node/",
  publish: (publishId: string): string => `p/${publishId}`,
  publishPrefix: "p/",
  /** A config's plans, the newest first. */
  publishByConfig: (configId: string, startedIndex: number): string =>
    `q/${configId}/${pad(Number.MAX_SAFE_INTEGER - startedIndex)}`,
  publishByConfigPrefix: (configId: string): string => `q/${configId}/`,
  /** The id of the plan that runs for a config. */
  runningPublish: (configId: string): string => `o/${configId}`,
  runningPublishPrefix: "o/",
  /** Running plans in the order in which their stages have baked. */
  publishDue: (dueAtMs: number, publishId: string): string => `d/${pad(dueAtMs)}/${publishId}`,
  publishDuePrefix: "d/",
  /** What a bundle owns. */
  bundleConfig: (tenant: string, bundleId: string, configId: string): string =>
    `l/${tenant}/${bundleId}/${configId}`,
  bundleConfigPrefix: (tenant: string, bundleId: string): string => `l/${tenant}/${bundleId}/`,
  bundlePrefix: "l/",
  /** The newest anchors of a tenant's audit chain. */
  auditAnchors: (tenant: string): string => `a/${tenant}`,
  auditAnchorsPrefix: "a/",
  /** What a tenant asks of changes: approvals, and windows in which there are none. */
  changeRules: (tenant: string): string => `change-rules/${tenant}`,
  changeRulesPrefix: "change-rules/",
  changeRequest: (requestId: string): string => `change-request/${requestId}`,
  changeRequestPrefix: "change-request/",
  /** A tenant's change requests, the newest first. */
  changeRequestByTenant: (tenant: string, index: number): string =>
    `change-requests/${tenant}/${pad(Number.MAX_SAFE_INTEGER - index)}`,
  changeRequestByTenantPrefix: (tenant: string): string => `change-requests/${tenant}/`,
  changeRequestByTenantsPrefix: "change-requests/",
} as const;

/**
 * Rows about the state itself, and about the nodes that hold it: in no backup, and kept over a restore. A restored cluster
 * is made of the nodes that it has now, whichever it had then.
 */
export const KEPT_PREFIXES: readonly string[] = ["system/", "node/"];
export function isKeptRow(key: string): boolean {
  return KEPT_PREFIXES.some((prefix) => key.startsWith(prefix));
}

/** Zero-padded so that the order of the text is the order of the numbers. */
export function pad(n: number): string {
  return String(n).padStart(16, "0");
}
