import { BUILD, compareSemver, PRE_RELEASE, type SemVersion } from "./semver-version.ts";

interface Bound {
  version: SemVersion;
  inclusive: boolean;
}
/** Versions between two bounds, in the order of precedence. Null: no bound on that side. */
export interface SemverInterval {
  low: Bound | null;
  high: Bound | null;
}
/** A version is in a range when it is in one of its intervals. */
export type SemverRange = readonly SemverInterval[];

const PART = "(?:0|[1-9]\\d{0,15}|[xX*])";
const PARTIAL = `v?(${PART})(?:\\.(${PART})(?:\\.(${PART})(?:-(${PRE_RELEASE}))?(?:\\+${BUILD})?)?)?`;
const COMPARATOR = new RegExp(`^(>=|<=|>|<|=|\\^|~)?${PARTIAL}$`);
const HYPHEN = /^(\S+)\s+-\s+(\S+)$/;
const SPACE_AFTER_OPERATOR = /(>=|<=|>|<|=|\^|~)\s+/g;

/**
 * Reads a range as npm writes it: comparators `>=1.2.0 <2.0.0`, `^1.2.3`, `~1.2`, `1.x`, `1.2.0 - 2.0.0`, alternatives
 * with `||`. Null for everything else. A version that is not whole (`1.2`) stands for all versions that begin with it,
 * their pre-releases included. The order is that of precedence alone: `2.1.0-beta` is over `2.0.0`.
 */
export function parseSemverRange(text: string): SemverRange | null {
  const intervals = text.split("||").map((part) => parseAlternative(part.trim()));
  return intervals.every((interval) => interval !== null) ? intervals : null;
}

export function semverRangeHas(range: SemverRange, version: SemVersion): boolean {
  return range.some(({ low, high }) => {
    if (low !== null) {
      const order = compareSemver(version, low.version);
      if (order < 0 || (order === 0 && !low.inclusive)) return false;
    }
    if (high === null) return true;
    const order = compareSemver(version, high.version);
    return order < 0 || (order === 0 && high.inclusive);
  });
}

/** Whether some version could be in both; an interval that nothing is in does not meet itself. */
export function intervalsMeet(a: SemverInterval, b: SemverInterval): boolean {
  return !isEmpty(intersect(a, b));
}

function parseAlternative(text: string): SemverInterval | null {
  if (text === "") return null;
  const [, from, to] = HYPHEN.exec(text) ?? [];
  const comparators =
    from === undefined || to === undefined
      ? text.replace(SPACE_AFTER_OPERATOR, "$1").split(/\s+/)
      : [`>=${from}`, `<=${to}`];
  let interval: SemverInterval = { low: null, high: null };
  for (const comparator of comparators) {
    const next = parseComparator(comparator);
    if (next === null) return null;
    interval = intersect(interval, next);
  }
  return interval;
}

function parseComparator(text: string): SemverInterval | null {
  const match = COMPARATOR.exec(text);
  if (match === null) return null;
  const [, operator = "=", ...parts] = match;
  // What follows an x is an x: 1.x.3 is 1.x.
  const digits = parts
    .slice(0, 3)
    .map((part) => (part === undefined || /\D/.test(part) ? null : Number(part)));
  const firstX = digits.indexOf(null);
  const given = (firstX === -1 ? digits : digits.slice(0, firstX)).filter((part) => part !== null);
  if (!given.every(Number.isSafeInteger)) return null;
  if (given.length === 0) return operator === ">" || operator === "<" ? null : { low: null, high: null };
  const pre = given.length === 3 ? (parts[3]?.split(".") ?? []) : [];
  return toInterval(operator, given, pre);
}

/** `given`: one to three numbers. Of fewer than three the lowest version is the lowest pre-release there is. */
function toInterval(operator: string, given: readonly number[], pre: readonly string[]): SemverInterval {
  const isWhole = given.length === 3;
  const [major = 0, minor = 0, patch = 0] = given;
  const version: SemVersion = { numbers: [major, minor, patch], pre: isWhole ? pre : ["0"] };
  const low = { version, inclusive: true };
  /** Below the next version when the numbers after `place` are dropped. */
  const upTo = (place: number): Bound => {
    const numbers = [major, minor, patch].map((n, i) => (i < place ? n : i === place ? n + 1 : 0));
    const [a = 0, b = 0, c = 0] = numbers;
    return { version: { numbers: [a, b, c], pre: ["0"] }, inclusive: false };
  };
  const last = given.length - 1;
  switch (operator) {
    case ">=":
      return { low, high: null };
    case "<":
      return { low: null, high: { version, inclusive: false } };
    case ">":
      return {
        low: isWhole ? { version, inclusive: false } : { ...upTo(last), inclusive: true },
        high: null,
      };
    case "<=":
      return { low: null, high: isWhole ? low : upTo(last) };
    case "~":
      return { low, high: upTo(Math.min(last, 1)) };
    case "^": {
      const firstSet = given.findIndex((n) => n > 0);
      return { low, high: upTo(firstSet === -1 ? last : firstSet) };
    }
    default:
      return { low, high: isWhole ? low : upTo(last) };
  }
}

function intersect(a: SemverInterval, b: SemverInterval): SemverInterval {
  return { low: tighter(a.low, b.low, 1), high: tighter(a.high, b.high, -1) };
}

/** Of two bounds the one that leaves less: the later one for `side` 1, the earlier one for -1. */
function tighter(a: Bound | null, b: Bound | null, side: 1 | -1): Bound | null {
  if (a === null || b === null) return a ?? b;
  const order = compareSemver(a.version, b.version) * side;
  if (order === 0) return a.inclusive ? b : a;
  return order > 0 ? a : b;
}

function isEmpty({ low, high }: SemverInterval): boolean {
  if (low === null || high === null) return false;
  const order = compareSemver(low.version, high.version);
  return order > 0 || (order === 0 && !(low.inclusive && high.inclusive));
}
