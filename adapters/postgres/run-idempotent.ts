import { and, asc, eq, inArray, lt } from "drizzle-orm";
import { IDEMPOTENCY_TTL_MS } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { idempotencyKeys } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Expired keys that one write clears away: more than it adds, so that they cannot pile up. */
const EXPIRED_PER_WRITE_MAX = 10;

/**
 * Runs `write` at most once for a key within `IDEMPOTENCY_TTL_MS`, in the caller's transaction: its result is kept if and
 * only if its effects are. The result must be JSON without secrets. A second caller with the same key waits for the
 * first and gets its result (`replayed`); one with another digest gets `idempotency_conflict`.
 */
export async function runIdempotent<T extends object>(
  tx: Transaction,
  key: { tenant: string; scope: string; digest: string; nowMs: number } | null,
  write: () => Promise<T>,
): Promise<{ result: T; replayed: boolean }> {
  if (key === null) return { result: await write(), replayed: false };
  const ofKey = and(eq(idempotencyKeys.tenantId, key.tenant), eq(idempotencyKeys.scope, key.scope));
  const now = new Date(key.nowMs);
  await tx.delete(idempotencyKeys).where(and(ofKey, lt(idempotencyKeys.expiresAt, now)));
  const claimed = await tx
    .insert(idempotencyKeys)
    .values({
      tenantId: key.tenant,
      scope: key.scope,
      digest: key.digest,
      result: {},
      expiresAt: new Date(key.nowMs + IDEMPOTENCY_TTL_MS),
    })
    .onConflictDoNothing()
    .returning({ scope: idempotencyKeys.scope });
  if (claimed.length === 0) {
    const [first] = await tx.select().from(idempotencyKeys).where(ofKey);
    if (first === undefined)
      throw new ConfluxError("unavailable", "The first request of this key is not done.");
    if (first.digest !== key.digest) {
      throw new ConfluxError("idempotency_conflict", "This key was used with another request body.");
    }
    return { result: first.result as T, replayed: true };
  }
  const result = await write();
  await tx.update(idempotencyKeys).set({ result }).where(ofKey);
  await clearExpired(tx, key.tenant, now);
  return { result, replayed: false };
}

async function clearExpired(tx: Transaction, tenant: string, now: Date): Promise<void> {
  const expired = tx
    .select({ scope: idempotencyKeys.scope })
    .from(idempotencyKeys)
    .where(and(eq(idempotencyKeys.tenantId, tenant), lt(idempotencyKeys.expiresAt, now)))
    .orderBy(asc(idempotencyKeys.expiresAt))
    .limit(EXPIRED_PER_WRITE_MAX)
    .for("update", { skipLocked: true });
  await tx
    .delete(idempotencyKeys)
    .where(and(eq(idempotencyKeys.tenantId, tenant), inArray(idempotencyKeys.scope, expired)));
}
