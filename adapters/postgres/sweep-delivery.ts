import { sql } from "drizzle-orm";
import {
  DELIVERY_CLIENT_KEPT_MS,
  DELIVERY_CLIENTS_MAX,
  FETCH_TIME_KEPT_MS,
  PROPAGATION_KEPT_DAYS,
} from "../../contracts/limits.ts";
import type { Transaction } from "./with-tenant.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Rows of each kind that one write clears away. */
const SWEPT_ROWS_MAX = 500;

/**
 * Forgets what one tenant's delivery tables need not keep: what is too old, and of each of `configsWithNewClients` the
 * clients beyond `clientsMax`, the longest silent first. A few rows at a time, more than a write adds on average.
 */
export async function sweepDelivery(
  tx: Transaction,
  tenant: string,
  of: { nowMs: number; configsWithNewClients: readonly string[]; clientsMax?: number },
): Promise<void> {
  const before = (ms: number): string => new Date(of.nowMs - ms).toISOString();
  await tx.execute(sql`
    delete from delivery_clients where tenant_id = ${tenant} and (config, client_id) in (
      select config, client_id from delivery_clients
      where tenant_id = ${tenant} and seen_at < ${before(DELIVERY_CLIENT_KEPT_MS)}::timestamptz
      order by seen_at limit ${SWEPT_ROWS_MAX} for update skip locked)`);
  await tx.execute(sql`
    delete from config_fetches where tenant_id = ${tenant} and (config, region) in (
      select config, region from config_fetches
      where tenant_id = ${tenant} and last_fetched_at < ${before(FETCH_TIME_KEPT_MS)}::timestamptz
      order by last_fetched_at limit ${SWEPT_ROWS_MAX} for update skip locked)`);
  await tx.execute(sql`
    delete from propagation_latency where tenant_id = ${tenant} and (config, region, day, le_ms) in (
      select config, region, day, le_ms from propagation_latency
      where tenant_id = ${tenant} and day < ${before(PROPAGATION_KEPT_DAYS * DAY_MS).slice(0, 10)}::date
      order by day limit ${SWEPT_ROWS_MAX} for update skip locked)`);
  for (const config of of.configsWithNewClients) {
    await tx.execute(sql`
      delete from delivery_clients where tenant_id = ${tenant} and config = ${config} and client_id in (
        select client_id from delivery_clients where tenant_id = ${tenant} and config = ${config}
        order by seen_at desc, client_id offset ${of.clientsMax ?? DELIVERY_CLIENTS_MAX} limit ${SWEPT_ROWS_MAX})`);
  }
}
