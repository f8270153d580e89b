import {
  LOGIN_ADDRESS_FAILURES_FREE,
  LOGIN_FAILURES_KEPT_MS,
  LOGIN_LOCK_FIRST_MS,
  LOGIN_LOCK_MS_MAX,
  LOGIN_NAME_FAILURES_FREE,
} from "../limits.ts";

/** What is remembered of sign-ins that failed for one subject: a name, an address, or a name at an address known for it. */
export interface LoginRecord {
  /** Attempts that failed, or whose outcome is not known yet. */
  failures: number;
  lastAtMs: number;
  /** Until then every attempt is refused, right or wrong. */
  lockedUntilMs: number;
}

export type LoginSubjectKind = "name" | "address" | "known_address";

const FAILURES_FREE: Record<LoginSubjectKind, number> = {
  name: LOGIN_NAME_FAILURES_FREE,
  address: LOGIN_ADDRESS_FAILURES_FREE,
  known_address: LOGIN_NAME_FAILURES_FREE,
};

/** A record of nothing. */
export const NO_FAILURES: LoginRecord = { failures: 0, lastAtMs: 0, lockedUntilMs: 0 };

/** How long the `failures`-th failure locks its subject. */
export function lockMs(kind: LoginSubjectKind, failures: number): number {
  const over = failures - FAILURES_FREE[kind];
  if (over < 0) return 0;
  return Math.min(LOGIN_LOCK_MS_MAX, LOGIN_LOCK_FIRST_MS * 2 ** Math.min(over, 30));
}

/** How long an attempt made now has to wait; 0 when it may go on. */
export function waitMs(record: LoginRecord, nowMs: number): number {
  return Math.max(0, record.lockedUntilMs - nowMs);
}

/**
 * Counts an attempt before its password is looked at, as if it had failed: attempts made at once cannot slip past the
 * limit together. Only for a record that is not locked; an attempt during a lock changes nothing, so that it cannot
 * prolong it.
 */
export function countAttempt(kind: LoginSubjectKind, record: LoginRecord, nowMs: number): LoginRecord {
  const isForgotten = nowMs - record.lastAtMs > LOGIN_FAILURES_KEPT_MS;
  const failures = (isForgotten ? 0 : record.failures) + 1;
  return { failures, lastAtMs: nowMs, lockedUntilMs: lockEndMs(kind, failures, nowMs) };
}

/**
 * Takes one attempt back: its password was right, or could not be checked. The failures of others stay: who has a password
 * of their own cannot wipe out the guesses they made at another's, and whether a name exists does not show in its locks. At a
 * known address a right password forgets all.
 */
export function takeBackAttempt(
  kind: LoginSubjectKind,
  record: LoginRecord,
  outcome: "accepted" | "not_checked",
): LoginRecord {
  if (kind === "known_address" && outcome === "accepted") return NO_FAILURES;
  const failures = Math.max(0, record.failures - 1);
  const lockedUntilMs = Math.min(record.lockedUntilMs, lockEndMs(kind, failures, record.lastAtMs));
  return { failures, lastAtMs: record.lastAtMs, lockedUntilMs };
}

/** No lock is 0 and not the present: the clock of another isolate may be a little behind. */
function lockEndMs(kind: LoginSubjectKind, failures: number, fromMs: number): number {
  const forMs = lockMs(kind, failures);
  return forMs === 0 ? 0 : fromMs + forMs;
}

/**
 * The address whose failures count together: an IPv4 address, or the /64 an IPv6 one is in, since whoever has one of those
 * has them all. Null where the platform told none.
 */
export function addressSubject(ip: string): string | null {
  if (ip === "") return null;
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  if (!ip.includes(":")) return ip;
  const [head = "", tail] = ip.toLowerCase().split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill("0"), ...right];
  const prefix = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${prefix.join(":")}::/64`;
}
