import { type DynamoDBClient, GetItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { FEED_CURSORS_TABLE } from "../../contracts/dynamodb/tables.ts";
import {
  type CursorKey,
  type CursorStore,
  type FeedPosition,
  CURSOR_TTL_S,
  checkForward,
} from "../../contracts/projection/cursor-store.ts";
import { isAwsError, mapAwsError } from "../aws/map-aws-error.ts";

const { tableName: TableName, partitionKey, ttlAttribute } = FEED_CURSORS_TABLE;

/**
 * Cursors as items of one table. A move is one conditional write on the place it starts from, so DynamoDB decides
 * between two writers; an item past its time counts as absent although DynamoDB removes it only later.
 */
export class DynamoDbCursorStore implements CursorStore {
  private readonly client: DynamoDBClient;
  private readonly nowMs: () => number;

  constructor(client: DynamoDBClient, nowMs: () => number) {
    this.client = client;
    this.nowMs = nowMs;
  }

  async read(key: CursorKey): Promise<FeedPosition | null> {
    const command = new GetItemCommand({ TableName, Key: itemKey(key), ConsistentRead: true });
    const { Item } = await this.client.send(command).catch((error: unknown) => {
      throw mapAwsError(error, "DynamoDB");
    });
    if (!Item || Number(Item[ttlAttribute]?.N) <= this.nowS()) return null;
    return { epoch: Number(Item["epoch"]?.N), index: Number(Item["log_index"]?.N) };
  }

  async advance(key: CursorKey, move: { from: FeedPosition | null; to: FeedPosition }): Promise<boolean> {
    checkForward(move);
    const { from, to } = move;
    const command = new PutItemCommand({
      TableName,
      Item: {
        ...itemKey(key),
        epoch: { N: String(to.epoch) },
        log_index: { N: String(to.index) },
        [ttlAttribute]: { N: String(this.nowS() + CURSOR_TTL_S) },
      },
      ...(from === null ? this.isAbsent() : this.isAt(from)),
    });
    try {
      await this.client.send(command);
      return true;
    } catch (error) {
      if (isAwsError(error, "ConditionalCheckFailedException")) return false;
      throw mapAwsError(error, "DynamoDB");
    }
  }

  private isAbsent() {
    return {
      ConditionExpression: `attribute_not_exists(${partitionKey}) OR ${ttlAttribute} <= :now`,
      ExpressionAttributeValues: { ":now": { N: String(this.nowS()) } },
    };
  }

  private isAt({ epoch, index }: FeedPosition) {
    return {
      ConditionExpression: "epoch = :epoch AND log_index = :log_index",
      ExpressionAttributeValues: { ":epoch": { N: String(epoch) }, ":log_index": { N: String(index) } },
    };
  }

  private nowS(): number {
    return Math.floor(this.nowMs() / 1000);
  }
}

/** Names of projections have no slash, so the first one ends them. */
const itemKey = ({ projection, clusterId }: CursorKey) => ({
  [partitionKey]: { S: `${projection}/${clusterId}` },
});
