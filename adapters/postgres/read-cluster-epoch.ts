import { eq } from "drizzle-orm";
import { clusters } from "../../migrations/schema.ts";
import type { Database } from "./connect.ts";
import { inTransaction } from "./with-tenant.ts";

/** The highest epoch of a cluster that has been noted; 0 for one that is not known. */
export function readClusterEpoch(database: Database, clusterId: string): Promise<number> {
  return inTransaction(database, async (tx) => {
    const [row] = await tx.select({ epoch: clusters.epoch }).from(clusters).where(eq(clusters.id, clusterId));
    return row?.epoch ?? 0;
  });
}
