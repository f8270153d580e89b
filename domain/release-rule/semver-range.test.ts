import * as fc from "fast-check";
import semver from "semver";
import { describe, expect, it } from "vitest";
import { intervalsMeet, parseSemverRange, semverRangeHas } from "./semver-range.ts";
import { compareSemver, parseSemver } from "./semver-version.ts";

const number = fc.constantFrom(0, 1, 2, 3, 10);
const core = fc.tuple(number, number, number).map((numbers) => numbers.join("."));
const identifier = fc.constantFrom(
  "0",
  "1",
  "9",
  "10",
  "99999999999999999999",
  "alpha",
  "beta",
  "rc-1",
  "1a",
  "-",
);
const version = fc
  .tuple(core, fc.array(identifier, { maxLength: 3 }), fc.constantFrom("", "+build.5"))
  .map(([numbers, pre, build]) => numbers + (pre.length > 0 ? `-${pre.join(".")}` : "") + build);
const partial = fc.oneof(
  core,
  number.map(String),
  fc.tuple(number, number).map((numbers) => numbers.join(".")),
  fc.tuple(number, fc.constantFrom("x", "*", "X")).map((parts) => parts.join(".")),
);
const comparator = fc
  .tuple(fc.constantFrom("", "=", ">", ">=", "<", "<=", "^", "~", ">= ", "^ "), partial)
  .map((p) => p.join(""));
const range = fc.oneof(
  fc.array(comparator, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(" ")),
  fc.tuple(partial, partial).map((ends) => ends.join(" - ")),
  fc.array(comparator, { minLength: 2, maxLength: 3 }).map((parts) => parts.join(" || ")),
);
const has = (text: string, at: string): boolean => semverRangeHas(parseSemverRange(text)!, parseSemver(at)!);

describe("C5 semantic versions", () => {
  it("are ordered as node-semver orders them", () => {
    fc.assert(
      fc.property(version, version, (a, b) => {
        expect(Math.sign(compareSemver(parseSemver(a)!, parseSemver(b)!))).toBe(semver.compare(a, b));
      }),
      { numRuns: 2000 },
    );
  });

  it("that are releases are in the ranges in which npm finds them", () => {
    fc.assert(
      fc.property(range, core, (text, at) => {
        expect(parseSemverRange(text), text).not.toBeNull();
        expect(has(text, at), `${at} in ${text}`).toBe(semver.satisfies(at, text));
      }),
      { numRuns: 5000 },
    );
  });

  it("that are pre-releases have their place in that order too", () => {
    const ops = [">", ">=", "<", "<=", "="] as const;
    fc.assert(
      fc.property(fc.constantFrom(...ops), version, version, (op, bound, at) => {
        expect(has(op + bound, at)).toBe(semver.cmp(at, op, bound));
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    [">=2.0.0", "2.1.0-beta", true],
    ["^1.2.0", "2.0.0-alpha", false],
    ["1.2", "1.2.0-alpha", true],
    ["<1.2", "1.2.0-alpha", false],
    [">1.2", "1.3.0-alpha", true],
    ["~1.2.3", "1.3.0-0", false],
    ["*", "0.0.0-0", true],
    ["1.2.3 - 2", "2.9.9", true],
    ["1.2.3 - 2", "3.0.0-0", false],
    ["v1.x || >=2.5.0", "v2.5.0+x", true],
  ])("%s holds %s: %s", (text, at, expected) => {
    expect(has(text, at)).toBe(expected);
  });

  it.each([
    "",
    " ",
    "||",
    "1.0.0 ||",
    ">",
    ">*",
    "<x",
    "1.2.3.4",
    "01.2.3",
    "1.2-beta",
    "latest",
    ">=1.0.0,<2",
    "=>1",
    "1 - ",
    "^^1",
    "9007199254740993",
  ])("%j is no range", (text) => {
    expect(parseSemverRange(text)).toBeNull();
  });

  it.each([
    "",
    "1",
    "1.2",
    "01.2.3",
    "1.2.3-",
    "1.2.3-01",
    "1.2.3+",
    "1.2.3 ",
    "vv1.2.3",
    "9007199254740993.0.0",
  ])("%j is no version", (text) => {
    expect(parseSemver(text)).toBeNull();
  });

  it("intervals meet unless no version can be in both", () => {
    const meet = (a: string, b: string): boolean =>
      intervalsMeet(parseSemverRange(a)![0]!, parseSemverRange(b)![0]!);
    expect(meet(">=2.0.0", "<2.0.0")).toBe(false);
    expect(meet(">=2.0.0", "<=2.0.0")).toBe(true);
    expect(meet("^1.2.0", "~1.4")).toBe(true);
    expect(meet(">2 <1", ">2 <1")).toBe(false);
  });
});
