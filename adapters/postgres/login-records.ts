import { and, asc, eq, inArray, lt, sql } from "drizzle-orm";
import { LOGIN_SUBJECTS_PER_SHARD_MAX, SESSION_SWEEP_MAX } from "../../contracts/limits.ts";
import type { LoginRecord, LoginSubjectKind } from "../../domain/access/login-lock.ts";
import { LOGIN_FAILURES_KEPT_MS } from "../../domain/limits.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { loginSubjects } from "../../migrations/schema.ts";
import type { Transaction } from "./with-tenant.ts";

/** Whose failures count: `subject` is a keyed digest. */
export interface LoginSubject {
  kind: LoginSubjectKind;
  subject: string;
}
export type LoginSubjectRecord = LoginSubject & { record: LoginRecord };

/**
 * The records of `subjects`, made where they are missing and locked until the transaction ends: attempts made at once on any
 * isolate go one after the other. In the order of the subjects, so that no two transactions deadlock.
 */
export async function lockLoginRecords(
  tx: Transaction,
  subjects: readonly LoginSubject[],
  nowMs: number,
): Promise<LoginSubjectRecord[]> {
  const sorted = subjects.toSorted((a, b) => (a.subject < b.subject ? -1 : 1));
  const rows = await tx
    .insert(loginSubjects)
    .values(
      sorted.map(({ subject }) => ({
        tenantId: SYSTEM_TENANT,
        subject,
        shard: shardOf(subject),
        lastAt: new Date(nowMs),
      })),
    )
    .onConflictDoUpdate({
      target: [loginSubjects.tenantId, loginSubjects.subject],
      set: { subject: sql`excluded.subject` },
    })
    .returning();
  const bySubject = new Map(rows.map((row) => [row.subject, row]));
  return sorted.map(({ kind, subject }) => {
    const row = bySubject.get(subject);
    return {
      kind,
      subject,
      record: {
        failures: row?.failures ?? 0,
        lastAtMs: row?.lastAt.getTime() ?? nowMs,
        lockedUntilMs: row?.lockedUntil.getTime() ?? 0,
      },
    };
  });
}

/** Stores records that this transaction has locked; one without failures is removed. */
export async function storeLoginRecords(
  tx: Transaction,
  records: readonly LoginSubjectRecord[],
): Promise<void> {
  const kept = records.filter(({ record }) => record.failures > 0);
  const gone = records.filter(({ record }) => record.failures === 0).map(({ subject }) => subject);
  if (kept.length > 0) {
    await tx
      .insert(loginSubjects)
      .values(
        kept.map(({ subject, record }) => ({
          tenantId: SYSTEM_TENANT,
          subject,
          shard: shardOf(subject),
          failures: record.failures,
          lastAt: new Date(record.lastAtMs),
          lockedUntil: new Date(record.lockedUntilMs),
        })),
      )
      .onConflictDoUpdate({
        target: [loginSubjects.tenantId, loginSubjects.subject],
        set: {
          failures: sql`excluded.failures`,
          lastAt: sql`excluded.last_at`,
          lockedUntil: sql`excluded.locked_until`,
        },
      });
  }
  if (gone.length > 0) await tx.delete(loginSubjects).where(ofSubjects(gone));
}

export const ofSubjects = (subjects: readonly string[]) =>
  and(eq(loginSubjects.tenantId, SYSTEM_TENANT), inArray(loginSubjects.subject, [...subjects]));

/** Clears a few records that are forgotten, and what a shard has beyond its bound: the longest quiet first. */
export async function sweepLoginRecords(tx: Transaction, subject: string, nowMs: number): Promise<void> {
  const ofShard = and(eq(loginSubjects.tenantId, SYSTEM_TENANT), eq(loginSubjects.shard, shardOf(subject)));
  const forgotten = tx
    .select({ subject: loginSubjects.subject })
    .from(loginSubjects)
    .where(and(ofShard, lt(loginSubjects.lastAt, new Date(nowMs - LOGIN_FAILURES_KEPT_MS))))
    .orderBy(asc(loginSubjects.lastAt))
    .limit(SESSION_SWEEP_MAX)
    .for("update", { skipLocked: true });
  await tx
    .delete(loginSubjects)
    .where(and(eq(loginSubjects.tenantId, SYSTEM_TENANT), inArray(loginSubjects.subject, forgotten)));
  const [count] = await tx
    .select({ n: sql<number>`count(*)::int` })
    .from(loginSubjects)
    .where(ofShard);
  const over = (count?.n ?? 0) - LOGIN_SUBJECTS_PER_SHARD_MAX;
  if (over <= 0) return;
  const longestQuiet = tx
    .select({ subject: loginSubjects.subject })
    .from(loginSubjects)
    .where(ofShard)
    .orderBy(asc(loginSubjects.lastAt))
    .limit(Math.min(over, SESSION_SWEEP_MAX))
    .for("update", { skipLocked: true });
  await tx
    .delete(loginSubjects)
    .where(and(eq(loginSubjects.tenantId, SYSTEM_TENANT), inArray(loginSubjects.subject, longestQuiet)));
}

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** The first eight bits of a digest in base64url. */
function shardOf(subject: string): number {
  const [first = "A", second = "A"] = subject;
  return ((BASE64URL.indexOf(first) << 2) | (BASE64URL.indexOf(second) >> 4)) & 0xff;
}
