import { sql } from "drizzle-orm";
import type { Database } from "./connect.ts";
import { inTransaction } from "./with-tenant.ts";

/**
 * Notes which epoch a cluster is in and before which moment its tokens are called in. Neither ever goes back, so what is
 * told late or twice changes nothing. A cluster that no tenant belongs to is nothing to note.
 */
export function adoptClusterEpoch(
  database: Database,
  cluster: { clusterId: string; epoch: number; tokensNotBeforeMs: number },
): Promise<void> {
  return inTransaction(database, async (tx) => {
    const notBefore = sql`to_timestamp(${cluster.tokensNotBeforeMs}::float8 / 1000)`;
    await tx.execute(sql`
      update clusters set epoch = greatest(epoch, ${cluster.epoch}::int),
        tokens_not_before = greatest(tokens_not_before, ${notBefore})
      where id = ${cluster.clusterId} and (epoch < ${cluster.epoch}::int or tokens_not_before < ${notBefore})`);
  });
}
