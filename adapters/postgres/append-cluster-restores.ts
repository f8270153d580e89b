import type { KnownRestore } from "../../domain/backup/lineage.ts";
import { clusterRestores } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Notes restores of a cluster; one that is known already is left out. */
export async function appendClusterRestores(
  tx: Transaction,
  restores: readonly (KnownRestore & { clusterId: string })[],
): Promise<void> {
  if (restores.length === 0) return;
  await tx
    .insert(clusterRestores)
    .values([...restores])
    .onConflictDoNothing();
}
