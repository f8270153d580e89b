import { afterAll, describe, expect, it } from "vitest";
import { LEASES_TABLE } from "../../contracts/dynamodb/tables.ts";
import { MemoryLeaseStore } from "../memory/memory-lease-store.ts";
import { connectDynamoDb } from "./connect-dynamodb.ts";
import { createMissingTables } from "./create-tables.ts";
import { DynamoDbLeaseStore } from "./dynamodb-lease-store.ts";
import { leaseStoreConformance } from "./testing/lease-store-conformance.ts";
import { startDynalite } from "./testing/start-dynalite.ts";

const dynalite = await startDynalite();
const client = connectDynamoDb(dynalite.endpoint);
await createMissingTables(client, [LEASES_TABLE]);
afterAll(() => dynalite.stop());

describe("leases in DynamoDB", () => {
  leaseStoreConformance((nowMs) => new DynamoDbLeaseStore(client, nowMs));

  it("dead or without its table: unavailable, within the limits", async () => {
    const empty = await startDynalite();
    for (const url of ["http://127.0.0.1:1", empty.endpoint.url ?? ""]) {
      const away = new DynamoDbLeaseStore(connectDynamoDb({ ...dynalite.endpoint, url }), Date.now);
      await expect(away.acquire("x", "a", 1000)).rejects.toMatchObject({ code: "unavailable" });
      await expect(away.release("x", "a")).rejects.toMatchObject({ code: "unavailable" });
    }
    await empty.stop();
  });
});

describe("leases in memory", () => {
  let nowMs = () => 0;
  const store = new MemoryLeaseStore(() => nowMs());
  leaseStoreConformance((clock) => ({
    acquire: (...lease) => ((nowMs = clock), store.acquire(...lease)),
    release: (...lease) => ((nowMs = clock), store.release(...lease)),
  }));
});
