import { setTimeout as sleep } from "node:timers/promises";
import { CreateTableCommand, DescribeTableCommand, type DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { TableDefinition } from "../../contracts/dynamodb/tables.ts";
import { isAwsError, mapAwsError } from "../aws/map-aws-error.ts";

const CREATE_MS_MAX = 30_000;
const POLL_MS = 50;

/**
 * Makes the tables that are missing and waits until each can be used: what the infrastructure does in a deployment,
 * for stand-ins. Repeatable, also at the same time. Rejects with `unavailable` when DynamoDB is away or too slow.
 */
export async function createMissingTables(
  client: DynamoDBClient,
  tables: readonly TableDefinition[],
): Promise<void> {
  for (const table of tables) {
    try {
      if (!(await isActive(client, table))) await create(client, table);
    } catch (error) {
      throw mapAwsError(error, "DynamoDB");
    }
  }
}

async function create(client: DynamoDBClient, { tableName, partitionKey }: TableDefinition): Promise<void> {
  try {
    await client.send(
      new CreateTableCommand({
        TableName: tableName,
        BillingMode: "PAY_PER_REQUEST",
        AttributeDefinitions: [{ AttributeName: partitionKey, AttributeType: "S" }],
        KeySchema: [{ AttributeName: partitionKey, KeyType: "HASH" }],
      }),
    );
  } catch (error) {
    // Somebody else makes it, or has.
    if (!isAwsError(error, "ResourceInUseException")) throw error;
  }
  const deadlineMs = performance.now() + CREATE_MS_MAX;
  while (!(await isActive(client, { tableName }))) {
    if (performance.now() > deadlineMs) {
      throw new ConfluxError("unavailable", `Table ${tableName} is not usable after ${CREATE_MS_MAX} ms.`);
    }
    await sleep(POLL_MS);
  }
}

async function isActive(
  client: DynamoDBClient,
  { tableName }: Pick<TableDefinition, "tableName">,
): Promise<boolean> {
  try {
    const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }));
    return Table?.TableStatus === "ACTIVE";
  } catch (error) {
    if (isAwsError(error, "ResourceNotFoundException")) return false;
    throw error;
  }
}
