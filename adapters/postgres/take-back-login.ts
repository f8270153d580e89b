import { takeBackAttempt } from "../../domain/access/login-lock.ts";
import { type LoginSubject, lockLoginRecords, storeLoginRecords } from "./login-records.ts";
import type { Transaction } from "./with-tenant.ts";

/** Takes back what `beginLogin` counted, in a transaction of the system's tenant: the password was right, or nobody could check it. */
export async function takeBackLogin(
  tx: Transaction,
  input: { subjects: readonly LoginSubject[]; outcome: "accepted" | "not_checked"; nowMs: number },
): Promise<void> {
  const records = await lockLoginRecords(tx, input.subjects, input.nowMs);
  await storeLoginRecords(
    tx,
    records.map(({ kind, subject, record }) => ({
      kind,
      subject,
      record: takeBackAttempt(kind, record, input.outcome),
    })),
  );
}
