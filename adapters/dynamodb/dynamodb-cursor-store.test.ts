import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { DeleteItemCommand, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, describe, expect, it } from "vitest";
import { DYNAMODB_TABLES, FEED_CURSORS_TABLE } from "../../contracts/dynamodb/tables.ts";
import { MemoryCursorStore } from "../memory/memory-cursor-store.ts";
import { connectDynamoDb } from "./connect-dynamodb.ts";
import { createMissingTables } from "./create-tables.ts";
import { DynamoDbCursorStore } from "./dynamodb-cursor-store.ts";
import { cursorStoreConformance } from "./testing/cursor-store-conformance.ts";
import { startDynalite } from "./testing/start-dynalite.ts";

const dynalite = await startDynalite();
const client = connectDynamoDb(dynalite.endpoint);
// Two at once, and again: what two starts of a stand-in do.
await Promise.all([1, 2].map(() => createMissingTables(client, DYNAMODB_TABLES)));
await createMissingTables(client, DYNAMODB_TABLES);
afterAll(() => dynalite.stop());

const key = { projection: "audit", clusterId: "c1" };
const move = { from: null, to: { epoch: 1, index: 1 } };

describe("cursors in DynamoDB", () => {
  cursorStoreConformance((nowMs) => new DynamoDbCursorStore(client, nowMs));

  it("one that was deleted makes whoever still runs lose, and begin anew", async () => {
    const store = new DynamoDbCursorStore(client, Date.now);
    await store.advance(key, move);
    const Key = { [FEED_CURSORS_TABLE.partitionKey]: { S: "audit/c1" } };
    await client.send(new DeleteItemCommand({ TableName: FEED_CURSORS_TABLE.tableName, Key }));
    expect(await store.advance(key, { from: move.to, to: { epoch: 1, index: 2 } })).toBe(false);
    expect(await store.read(key)).toBeNull();
  });

  it("dead, silent or without its table: unavailable, within the limits", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    const { port } = silent.address() as AddressInfo;
    const empty = await startDynalite();
    for (const url of ["http://127.0.0.1:1", `http://127.0.0.1:${port}`, empty.endpoint.url ?? ""]) {
      const away = new DynamoDbCursorStore(connectDynamoDb({ ...dynalite.endpoint, url }), Date.now);
      await expect(away.read(key)).rejects.toMatchObject({ code: "unavailable" });
      await expect(away.advance(key, move)).rejects.toMatchObject({ code: "unavailable" });
    }
    silent.closeAllConnections();
    silent.close();
    await empty.stop();
  });

  it("what we asked wrong is passed on as it is", async () => {
    const Item = { nonsense: { S: "x" } };
    const command = new PutItemCommand({ TableName: FEED_CURSORS_TABLE.tableName, Item });
    await expect(client.send(command)).rejects.toMatchObject({ name: "ValidationException" });
  });
});

describe("cursors in memory", () => {
  let nowMs = () => 0;
  const store = new MemoryCursorStore(() => nowMs());
  cursorStoreConformance((clock) => ({
    read: (k) => ((nowMs = clock), store.read(k)),
    advance: (k, m) => ((nowMs = clock), store.advance(k, m)),
  }));
});
