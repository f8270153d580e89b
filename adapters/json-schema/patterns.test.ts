import { spawnSync } from "node:child_process";
import { array, assert, constantFrom, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { compilePattern, LINEAR_STEPS_MAX } from "./compile-pattern.ts";
import { PATTERN_LENGTH_MAX } from "./pattern-book.ts";
import { validateAtOnce } from "./testing-validate.ts";
import { toUnicodePattern } from "./unicode-pattern.ts";
import { judgeDocument } from "./validate-json-schema.ts";

const validate = (schema: unknown, value: unknown) =>
  validateAtOnce({ schema: JSON.stringify(schema), value });

/** How long a process that never comes back is given; far above what any case needs. */
const KILL_MS = 120_000;
const CHILD = `
const { readFileSync } = await import("node:fs");
const { validateAtOnce } = await import(${JSON.stringify(new URL("testing-validate.ts", import.meta.url).href)});
const answers = JSON.parse(readFileSync(0, "utf8")).map(({ schema, value }) => {
  try {
    return { errors: validateAtOnce({ schema: JSON.stringify(schema), value }).length };
  } catch (error) {
    return { refused: error.code };
  }
});
console.log(JSON.stringify(answers));`;

/** In a process of its own, which is killed should a case hold its thread. */
function judgeApart(cases: { schema: unknown; value: unknown }[]): unknown {
  const child = spawnSync(process.execPath, ["--input-type=module", "-e", CHILD], {
    input: JSON.stringify(cases),
    timeout: KILL_MS,
    encoding: "utf8",
  });
  expect(child.error).toBeUndefined();
  expect(child.stderr).not.toMatch(/Error/);
  return JSON.parse(child.stdout);
}

const LONG = `${"a".repeat(50_000)}!`;
const NESTED = "^(a+)+$";

describe("C3 patterns cannot hold the thread", () => {
  it("answers catastrophic patterns of every shape, wherever they stand", { timeout: 2 * KILL_MS }, () => {
    const patterns = [
      NESTED,
      "^(a|a)*$",
      "(a|aa)+$",
      "^(?=(a+)+$).*b",
      "(.*)*=",
      "^(?!(a|a)*$)(a*)*$",
      "a*a*a*a*a*b$",
    ];
    const places = [
      ...patterns.map((pattern) => ({ schema: { pattern }, value: LONG })),
      { schema: { allOf: [{ not: { not: { pattern: NESTED } } }] }, value: LONG },
      { schema: { $ref: "#/$defs/a", $defs: { a: { pattern: NESTED } } }, value: LONG },
      { schema: { $ref: "#/own", own: { pattern: NESTED } }, value: LONG },
      { schema: { $ref: "#/own/0", own: [{ pattern: NESTED }] }, value: LONG },
      {
        schema: { patternProperties: { [NESTED]: true }, additionalProperties: false },
        value: { [LONG]: 1 },
      },
      { schema: { propertyNames: { pattern: NESTED } }, value: { [LONG]: 1 } },
    ];
    for (const answer of judgeApart(places) as { errors: number }[]) expect(answer.errors).toBeGreaterThan(0);
    const refused = [
      "(?<!x)(a+)+$",
      "(a|aa)+(?!b)$",
      String.raw`^(a+)+\1$`,
      "(?:(?!x).|a)*$",
      "(?:x{4000}y?){4000}",
    ];
    const hidden = { $ref: "#/own/0", own: [{ pattern: "(a|aa)+(?!b)$" }] };
    const schemas = [...refused.map((pattern) => ({ pattern })), hidden];
    expect(judgeApart(schemas.map((schema) => ({ schema, value: LONG })))).toEqual(
      schemas.map(() => ({ refused: "validation_failed" })),
    );
  });

  it(
    "does not let the format url, which no draft knows, take exponential time",
    { timeout: 2 * KILL_MS },
    () => {
      const value = `http://${"a".repeat(5000)}!`;
      const schemas = [{ format: "url" }, { $ref: "#/own", own: { format: "url" } }];
      const answers = judgeApart(schemas.map((schema) => ({ schema, value })));
      expect(answers).toEqual([{ errors: 0 }, { errors: 0 }]);
    },
  );

  it("says at which pattern a schema is refused, and what is accepted", () => {
    const schema = { properties: { a: { patternProperties: { "(?<!/)(a+)+$": true } } } };
    expect(() => validate(schema, {})).toThrow(ConfluxError);
    try {
      validate(schema, {});
    } catch (error) {
      expect((error as ConfluxError).errors).toEqual([
        {
          path: "/schema/properties/a/patternProperties/(?<!~1)(a+)+$",
          message: expect.stringMatching(/accepted: .*RE2/),
        },
      ]);
    }
  });

  it("judges short texts by a lookbehind or a backreference, and refuses long ones", () => {
    const schema = { pattern: "(?<!-)$" };
    expect(validate(schema, "a-b")).toEqual([]);
    expect(validate(schema, "ab-")).toHaveLength(1);
    expect(validate({ not: schema }, "a".repeat(50_000))[0]?.message).toMatch(/too long for the pattern/);
    expect(validate({ pattern: String.raw`^(['"]).*\1$` }, "'a'")).toEqual([]);
  });

  it("tests a text only as long as others can wait for, since one test is undivided", () => {
    // Of a pattern whose automaton becomes too large for RE2, so that each step takes its time.
    const pattern = "(?:[^x]*a){50}[ab]{50}$";
    const outcome = compilePattern(pattern);
    if (!outcome.ok) throw new Error(outcome.message);
    const longest = Math.floor(LINEAR_STEPS_MAX / outcome.compiled.states) - 1;
    const text = "ab".repeat(longest).slice(0, longest);
    expect(validate({ pattern }, text)).toEqual([]);
    expect(validate({ pattern }, `${text}b`)).toEqual([
      { path: "/content", message: expect.stringContaining("too long for the pattern") },
    ]);
  });

  it("lets others have their turn between the patterns that judge one name", () => {
    const patterns = Array.from({ length: 20 }, (_, i) => [`(?:[^x]*a){10}${i}$`, true] as const);
    const schema = JSON.stringify({ patternProperties: Object.fromEntries(patterns) });
    const judging = judgeDocument({ schema, value: { ["ab".repeat(5000)]: 1 } });
    let turns = 0;
    while (judging.next().done !== true) turns++;
    expect(turns).toBeGreaterThanOrEqual(patterns.length);
  });

  it("bounds the length, the size and the work of all patterns", () => {
    expect(() => validate({ pattern: "a".repeat(PATTERN_LENGTH_MAX + 1) }, "")).toThrow(ConfluxError);
    expect(() => validate({ pattern: "(".repeat(500) + ")".repeat(500) }, "")).toThrow(ConfluxError);
    const many = Array.from({ length: 20 }, (_, i) => ({ pattern: `a{4000}${i}` }));
    expect(() => validate({ anyOf: many }, "")).toThrow(ConfluxError);
    const value = Array.from({ length: 500 }, () => "a".repeat(600));
    expect(validate({ items: { pattern: "^(a?b?){600}$" } }, value)[0]?.message).toMatch(/too large/);
  });

  it("judges whether a text is a pattern without running it", () => {
    expect(validate({ format: "regex" }, "(")).toHaveLength(1);
    expect(validate({ format: "regex" }, NESTED)).toEqual([]);
  });
});

const SYNTAX = [
  "a|",
  "[^]",
  "[]",
  "a[^]b",
  "^.$",
  "$",
  "^$",
  "x*$",
  "a{0}",
  "(?:a?){3}$",
  "^[-a]$",
  "[+--]",
  "^(?:(?!x).|xx)$",
  "^(?!^a|b).*",
  "^(?=.*1)(?=.*[a-z]).{2,4}$",
  "(?!a)b",
  "^(?!a)b|^(?=c)",
  "^((?!--)[a-z-]+)$",
  "(?<!x)y$",
  String.raw`\bab`,
  String.raw`\Ba`,
  String.raw`[\b]a`,
  String.raw`\x61\u0062\u{63}`,
  String.raw`\cJ`,
  String.raw`\0`,
  String.raw`^\uD83D\uDE00$`,
  String.raw`[\uD83D\uDE00-\u{1F610}]`,
  String.raw`^\s+$`,
  String.raw`^\S+$`,
  String.raw`[^\s\d]`,
  String.raw`[^\D]`,
  String.raw`[\W]`,
  String.raw`\p{Letter}`,
  String.raw`^\P{Lu}$`,
  String.raw`\p{Script=Greek}`,
  String.raw`[^\p{L}]`,
  String.raw`\p{C}`,
  String.raw`\p{Alphabetic}`,
  String.raw`\/`,
  String.raw`^(?<n>a)\k<n>$`,
  String.raw`(a)\1`,
  String.raw`^a\-b[\w-.]`,
  ".{1,2000}c",
  "^(a|b){2,3}?c",
];
const CHARACTERS = Array.from("abcxyA1-_. /\n\b\0\u2028\u00A0éα😀😅\u0378").concat(
  "\uD83D",
  "aa",
  "--",
  "ab",
);

it.each(SYNTAX)("C3 the pattern %s matches what it matches in JavaScript", (pattern) => {
  const strict = toUnicodePattern(pattern);
  if (strict === null) throw new Error("not a pattern");
  const outcome = compilePattern(strict);
  if (!outcome.ok) throw new Error(outcome.message);
  const native = new RegExp(strict, "u");
  const text = array(constantFrom(...CHARACTERS), { maxLength: 6 }).map((parts) => parts.join(""));
  assert(
    property(text, (t) => outcome.compiled.test(t) === native.test(t)),
    { numRuns: 300 },
  );
});
