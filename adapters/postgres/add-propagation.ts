import { sql } from "drizzle-orm";
import { propagationLatency } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** One client that had a change within `leMs` of its log entry. */
export interface PropagationSample {
  config: string;
  region: string;
  /** `YYYY-MM-DD`, UTC. */
  day: string;
  leMs: number;
}

/** Counts samples of one tenant. Counters are taken in the order of their keys. */
export async function addPropagation(
  tx: Transaction,
  tenant: string,
  samples: readonly PropagationSample[],
): Promise<void> {
  const groups = Map.groupBy(
    samples,
    ({ config, region, day, leMs }) => `${config} ${region} ${day} ${leMs}`,
  );
  const rows = [...groups]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, group]) => {
      const [first] = group;
      return first === undefined ? [] : [{ ...first, tenantId: tenant, samples: group.length }];
    });
  if (rows.length === 0) return;
  const { tenantId, config, region, day, leMs } = propagationLatency;
  await tx
    .insert(propagationLatency)
    .values(rows)
    .onConflictDoUpdate({
      target: [tenantId, config, region, day, leMs],
      set: { samples: sql`${propagationLatency.samples} + excluded.samples` },
    });
}
