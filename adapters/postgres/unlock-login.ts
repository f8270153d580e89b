import { and, eq } from "drizzle-orm";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { loginAddresses, loginSubjects } from "../../migrations/schema.ts";
import { ofSubjects } from "./login-records.ts";
import type { Transaction } from "./with-tenant.ts";

/** Forgets the failures of a name (its keyed digest), at addresses known for its user too. Answers whether there were any. */
export async function unlockLogin(
  tx: Transaction,
  input: { name: string; userId: string | null },
): Promise<boolean> {
  const known =
    input.userId === null
      ? []
      : await tx
          .select({ subject: loginAddresses.subject })
          .from(loginAddresses)
          .where(and(eq(loginAddresses.tenantId, SYSTEM_TENANT), eq(loginAddresses.userId, input.userId)));
  const subjects = [input.name, ...known.map(({ subject }) => subject)];
  const gone = await tx
    .delete(loginSubjects)
    .where(ofSubjects(subjects))
    .returning({ subject: loginSubjects.subject });
  return gone.length > 0;
}
