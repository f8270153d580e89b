import { compareDecimals, type Decimal, parseDecimal } from "./decimal.ts";
import { type IpAddress, type IpRange, parseIp, parseIpRange, rangeHas } from "./ip-range.ts";
import { beginMurmur3, finishMurmur3 } from "./murmur3.ts";
import type { RuleCondition } from "./release-rule.ts";
import { parseSemverRange, type SemverRange, semverRangeHas } from "./semver-range.ts";
import { parseSemver, type SemVersion } from "./semver-version.ts";

/** Whether a condition holds of a label's value; undefined when the client has no such label. */
export type LabelTest = (value: string | undefined) => boolean;

/**
 * Makes a test of an RE2 expression that finds it anywhere in a text, in time linear in the text's length. Null for what
 * is no such expression. A port: the engine is a library and no part of the rules.
 */
export type PatternCompiler = (source: string) => ((text: string) => boolean) | null;

/** Buckets that a percentage divides clients into: steps of 0.01 %. */
export const PERCENTAGE_BUCKETS = 10_000;

/** Reads labels' values; each remembers the last one, since the rules of a config ask the same of a client's label. */
export interface ValueReaders {
  decimal: (text: string) => Decimal | null;
  ip: (text: string) => IpAddress | null;
  semver: (text: string) => SemVersion | null;
}

export function createValueReaders(): ValueReaders {
  return {
    decimal: rememberLast(parseDecimal),
    ip: rememberLast(parseIp),
    semver: rememberLast(parseSemver),
  };
}

/**
 * Compiles a condition, so that testing it parses nothing but the label's value. What does not parse matches nothing,
 * and an operator of a later build throws a `RangeError`: nobody is given a version because a rule was not understood.
 */
export function prepareCondition(
  condition: RuleCondition,
  compilePattern: PatternCompiler,
  readers: ValueReaders = createValueReaders(),
): LabelTest {
  const { op, values } = condition;
  switch (op) {
    case "in":
      return oneOf(values);
    case "not_in": {
      const isIn = oneOf(values);
      return (value) => !isIn(value);
    }
    case "prefix":
      return whenPresent((value) => values.some((prefix) => value.startsWith(prefix)));
    case "suffix":
      return whenPresent((value) => values.some((suffix) => value.endsWith(suffix)));
    case "regex": {
      const tests = values.map(compilePattern).filter((test) => test !== null);
      return whenPresent((value) => tests.some((test) => test(value)));
    }
    case "semver":
      return inSemverRange(
        values.flatMap((value) => parseSemverRange(value) ?? []),
        readers,
      );
    case "cidr":
      return inIpRanges(
        values.flatMap((value) => parseIpRange(value) ?? []),
        readers,
      );
    case "exists": {
      const wanted = wantsPresence(condition);
      return (value) => (value !== undefined) === wanted;
    }
    case "gt":
      return comparedWith(values, readers, (order) => order > 0);
    case "lt":
      return comparedWith(values, readers, (order) => order < 0);
    default:
      throw new RangeError(`unknown operator ${JSON.stringify(op satisfies never)}`);
  }
}

/** `exists` without a value, or with "true", wants the label to be there; with "false", not to be. */
export function wantsPresence({ values }: Pick<RuleCondition, "values">): boolean {
  return values[0] !== "false";
}

/** Whether a condition can only hold of a client that has the label. */
export function needsLabel(condition: RuleCondition): boolean {
  return condition.op === "exists" ? wantsPresence(condition) : condition.op !== "not_in";
}

/** The bucket, 0 to 9,999, of each value of a label: murmur3_32 of salt, NUL and value, modulo the buckets. */
export function prepareBucket(salt: string): (value: string) => number {
  const begun = beginMurmur3(`${salt}\u0000`);
  return (value) => finishMurmur3(begun, value) % PERCENTAGE_BUCKETS;
}

/** The first bucket that `percent` leaves out. */
export function bucketsBelow(percent: number): number {
  return Math.round((percent * PERCENTAGE_BUCKETS) / 100);
}

function whenPresent(test: (value: string) => boolean): LabelTest {
  return (value) => value !== undefined && test(value);
}

function oneOf(values: readonly string[]): LabelTest {
  if (values.length === 1) return (value) => value === values[0];
  const set: ReadonlySet<string | undefined> = new Set(values);
  return (value) => set.has(value);
}

function inSemverRange(range: SemverRange, readers: ValueReaders): LabelTest {
  return whenPresent((value) => {
    const version = readers.semver(value);
    return version !== null && semverRangeHas(range, version);
  });
}

function inIpRanges(ranges: readonly IpRange[], readers: ValueReaders): LabelTest {
  return whenPresent((value) => {
    const address = readers.ip(value);
    return address !== null && ranges.some((range) => rangeHas(range, address));
  });
}

function comparedWith(
  values: readonly string[],
  readers: ValueReaders,
  holds: (order: number) => boolean,
): LabelTest {
  const bounds = values.flatMap((value) => parseDecimal(value) ?? []);
  return whenPresent((value) => {
    const number = readers.decimal(value);
    return number !== null && bounds.some((bound) => holds(compareDecimals(number, bound)));
  });
}

function rememberLast<T>(read: (text: string) => T): (text: string) => T {
  let last: { text: string; value: T } | null = null;
  return (text) => {
    if (last === null || last.text !== text) last = { text, value: read(text) };
    return last.value;
  };
}
