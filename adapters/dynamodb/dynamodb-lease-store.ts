import { DeleteItemCommand, type DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { LEASES_TABLE } from "../../contracts/dynamodb/tables.ts";
import type { LeaseStore } from "../../contracts/lease/lease-store.ts";
import { isAwsError, mapAwsError } from "../aws/map-aws-error.ts";

const { tableName: TableName, partitionKey, ttlAttribute } = LEASES_TABLE;

/**
 * Leases as items of one table. Each verb is one conditional write, so DynamoDB decides between two holders; a lease past
 * its end counts as none although DynamoDB removes its item only later.
 */
export class DynamoDbLeaseStore implements LeaseStore {
  private readonly client: DynamoDBClient;
  private readonly nowMs: () => number;

  constructor(client: DynamoDBClient, nowMs: () => number) {
    this.client = client;
    this.nowMs = nowMs;
  }

  acquire(name: string, holder: string, ttlMs: number): Promise<boolean> {
    const nowMs = this.nowMs();
    return settle(
      this.client.send(
        new PutItemCommand({
          TableName,
          Item: {
            [partitionKey]: { S: name },
            holder: { S: holder },
            ends_at_ms: { N: String(nowMs + ttlMs) },
            // Rounded up: DynamoDB must not remove a lease that has not ended.
            [ttlAttribute]: { N: String(Math.ceil((nowMs + ttlMs) / 1000)) },
          },
          ConditionExpression: `attribute_not_exists(${partitionKey}) OR ends_at_ms <= :now OR holder = :holder`,
          ExpressionAttributeValues: { ":now": { N: String(nowMs) }, ":holder": { S: holder } },
        }),
      ),
    );
  }

  async release(name: string, holder: string): Promise<void> {
    await settle(
      this.client.send(
        new DeleteItemCommand({
          TableName,
          Key: { [partitionKey]: { S: name } },
          ConditionExpression: "holder = :holder",
          ExpressionAttributeValues: { ":holder": { S: holder } },
        }),
      ),
    );
  }
}

/** Whether the write happened: false when its condition did not hold. */
async function settle(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (isAwsError(error, "ConditionalCheckFailedException")) return false;
    throw mapAwsError(error, "DynamoDB");
  }
}
