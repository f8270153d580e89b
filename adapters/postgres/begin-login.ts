import { and, eq, gt } from "drizzle-orm";
import { KNOWN_ADDRESS_KEPT_MS } from "../../contracts/limits.ts";
import { countAttempt, waitMs } from "../../domain/access/login-lock.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { loginAddresses } from "../../migrations/schema.ts";
import type { Database } from "./connect.ts";
import { type LoginUser, readUserForLogin } from "./find-user-for-login.ts";
import {
  type LoginSubject,
  lockLoginRecords,
  type LoginSubjectRecord,
  storeLoginRecords,
  sweepLoginRecords,
} from "./login-records.ts";
import { type Transaction, withTenant } from "./with-tenant.ts";

/** Keyed digests of whom an attempt is about; null for what is not known. */
export interface LoginKeys {
  name: string;
  address: string | null;
  /** Of the name at the address. */
  nameAtAddress: string | null;
}

export type LoginStart =
  | {
      allowed: true;
      user: LoginUser | null;
      /** What the attempt was counted under. */
      subjects: LoginSubject[];
    }
  | { allowed: false; waitMs: number };

/**
 * Counts an attempt to sign in, or refuses it because its name or its address is locked; a name that no user has is treated
 * alike. The counted attempt stands as failed until `takeBackLogin`.
 */
export function beginLogin(
  database: Database,
  input: { username: string; keys: LoginKeys; nowMs: number },
): Promise<LoginStart> {
  const { username, keys, nowMs } = input;
  return withTenant(database, SYSTEM_TENANT, async (tx) => {
    const subjects = await subjectsOf(tx, keys, nowMs);
    const records = await lockLoginRecords(tx, subjects, nowMs);
    const longestMs = Math.max(...records.map(({ record }) => waitMs(record, nowMs)));
    if (longestMs > 0) {
      // Leaves no row behind that was only made to be looked at.
      await storeLoginRecords(tx, records);
      return { allowed: false, waitMs: longestMs };
    }
    await storeLoginRecords(
      tx,
      records.map((counted) => countedOnce(counted, nowMs)),
    );
    for (const { subject, record } of records) {
      if (record.failures === 0) await sweepLoginRecords(tx, subject, nowMs);
    }
    return { allowed: true, user: await readUserForLogin(tx, username), subjects };
  });
}

const countedOnce = ({ kind, subject, record }: LoginSubjectRecord, nowMs: number): LoginSubjectRecord => ({
  kind,
  subject,
  record: countAttempt(kind, record, nowMs),
});

/** At an address where the user has signed in lately, the name counts apart from everybody else's guesses at it. */
async function subjectsOf(tx: Transaction, keys: LoginKeys, nowMs: number): Promise<LoginSubject[]> {
  const { name, address, nameAtAddress } = keys;
  const known =
    nameAtAddress === null
      ? []
      : await tx
          .select({ subject: loginAddresses.subject })
          .from(loginAddresses)
          .where(
            and(
              eq(loginAddresses.tenantId, SYSTEM_TENANT),
              eq(loginAddresses.subject, nameAtAddress),
              gt(loginAddresses.lastAt, new Date(nowMs - KNOWN_ADDRESS_KEPT_MS)),
            ),
          );
  const subjects: LoginSubject[] =
    nameAtAddress !== null && known.length > 0
      ? [{ kind: "known_address", subject: nameAtAddress }]
      : [{ kind: "name", subject: name }];
  if (address !== null) subjects.push({ kind: "address", subject: address });
  return subjects;
}
