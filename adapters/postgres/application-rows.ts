import { asc, eq, gt, sql } from "drizzle-orm";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { applications } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

export type ApplicationRow = typeof applications.$inferSelect;

/** Adds an application of the transaction's tenant; `already_exists` when it has one of this name. */
export async function insertApplication(
  tx: Transaction,
  input: { tenant: string; name: string; kmsKeyId: string | null },
): Promise<ApplicationRow> {
  const [row] = await tx
    .insert(applications)
    .values({ tenantId: input.tenant, name: input.name, kmsKeyId: input.kmsKeyId })
    .onConflictDoNothing()
    .returning();
  if (row !== undefined) return row;
  throw new ConfluxError("already_exists", `The tenant has an application ${input.name}.`);
}

/** An application of the transaction's tenant, or null. */
export async function findApplication(tx: Transaction, name: string): Promise<ApplicationRow | null> {
  const [row] = await tx.select().from(applications).where(eq(applications.name, name));
  return row ?? null;
}

/** Applications of the transaction's tenant, by name. */
export async function listApplications(
  tx: Transaction,
  page: { cursor: string | null; limit: number },
): Promise<{ items: ApplicationRow[]; nextCursor: string | null }> {
  const rows = await tx
    .select()
    .from(applications)
    .where(page.cursor === null ? undefined : gt(applications.name, page.cursor))
    .orderBy(asc(applications.name))
    .limit(page.limit + 1);
  const items = rows.slice(0, page.limit);
  return { items, nextCursor: rows.length > page.limit ? (items.at(-1)?.name ?? null) : null };
}

/** Changes the key when one is given; null when the application is gone. */
export async function changeApplication(
  tx: Transaction,
  input: { name: string; kmsKeyId?: string | null | undefined },
): Promise<ApplicationRow | null> {
  const [row] = await tx
    .update(applications)
    .set({
      ...(input.kmsKeyId === undefined ? {} : { kmsKeyId: input.kmsKeyId }),
      revision: sql`${applications.revision} + 1`,
    })
    .where(eq(applications.name, input.name))
    .returning();
  return row ?? null;
}

export async function deleteApplication(tx: Transaction, name: string): Promise<void> {
  await tx.delete(applications).where(eq(applications.name, name));
}
