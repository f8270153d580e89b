/** A DynamoDB table: what the infrastructure makes and the clients name. Billed per request; keys are strings. */
export interface TableDefinition {
  readonly tableName: string;
  readonly partitionKey: string;
  /** Seconds since 1970; DynamoDB removes the item some time after, so readers check it too. Null: items stay. */
  readonly ttlAttribute: string | null;
}

/**
 * Where each projection of each cluster's feed stands (contracts/projection/cursor-store.ts), and with which chain the next run
 * of the audit's anchors begins.
 */
export const FEED_CURSORS_TABLE = {
  tableName: "conflux-feed-cursors",
  partitionKey: "cursor_id",
  ttlAttribute: "expires_at_s",
} as const satisfies TableDefinition;

/** Who works on what just now (contracts/lease/lease-store.ts). */
export const LEASES_TABLE = {
  tableName: "conflux-leases",
  partitionKey: "lease_id",
  ttlAttribute: "expires_at_s",
} as const satisfies TableDefinition;

/** Every table there is. */
export const DYNAMODB_TABLES: readonly TableDefinition[] = [FEED_CURSORS_TABLE, LEASES_TABLE];
