import type { Prng } from "../../consensus/sim/prng.ts";

/** Texts that have broken something somewhere: each is a value as good as any other to who must refuse or keep it. */
export const HOSTILE_TEXTS: readonly string[] = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\uD800",
  "a\uDC00z",
  "\uFEFF",
  "\u202Egnp.exe",
  "e\u0301\u0301\u0301",
  "👩‍👩‍👧‍👦",
  "ǅ İ ß",
  "line\nbreak\r\n",
  "\u001b[31m",
  "../../../../etc/passwd",
  "..",
  ".",
  "a/b/c/d/e",
  "%2e%2e%2f",
  "'; DROP TABLE users; --",
  "' OR '1'='1",
  "$1",
  "\\",
  "%",
  "_",
  "<script>alert(1)</script>",
  "=1+1",
  "${7*7}{{7*7}}",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "null",
  "undefined",
  "NaN",
  "-0",
  "1e400",
  "0x10",
  "_system",
  "**",
  "*",
  "demo/**",
  "other/**",
  "2026-02-30T25:61:61Z",
  "+275760-09-13T00:00:00.001Z",
  "9999-12-31T23:59:59.999Z",
  "0000-01-01T00:00:00Z",
  "00000000-0000-0000-0000-000000000000",
  "demo.00000000000000000000000000",
  "other.01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "eyJhbGciOiJub25lIn0.e30.",
];

export const HOSTILE_NUMBERS: readonly number[] = [
  -1,
  0,
  -0,
  1,
  0.5,
  -1.5,
  1e-7,
  127,
  128,
  129,
  200,
  201,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  1e21,
  1e308,
  -1e308,
];

/** Lengths around which texts are cut off, and one that is more than any field's. */
const LENGTHS = [1, 63, 64, 65, 127, 128, 129, 199, 200, 201, 255, 256, 257, 1023, 1024, 1025, 70_000];

export function hostileText(prng: Prng): string {
  if (prng.chance(0.25)) {
    const unit = prng.pick(["a", "é", "👍", "/", "*", " "]) ?? "a";
    return unit.repeat(prng.pick(LENGTHS) ?? 1);
  }
  return prng.pick(HOSTILE_TEXTS) ?? "";
}

/** Any JSON value, of any type. */
export function hostileValue(prng: Prng): unknown {
  switch (prng.below(9)) {
    case 0:
      return null;
    case 1:
      return prng.chance(0.5);
    case 2:
      return prng.pick(HOSTILE_NUMBERS);
    case 3:
      return [];
    case 4:
      return {};
    case 5:
      return Array.from({ length: prng.pick([1, 17, 51, 300]) ?? 1 }, () => hostileText(prng).slice(0, 300));
    case 6:
      return nested(prng.pick([3, 60, 250]) ?? 3);
    default:
      return hostileText(prng);
  }
}

function nested(depth: number): unknown {
  let value: unknown = "deep";
  for (let i = 0; i < depth; i += 1) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

/** Bodies that are no JSON, or JSON that readers differ about. */
export const HOSTILE_BODIES: readonly string[] = [
  "",
  "{",
  "[",
  "null",
  "true",
  "0",
  '""',
  "[]",
  "{}",
  "undefined",
  '{"a":1,}',
  '{"a":1,"a":2}',
  '{"__proto__":{"isAdmin":true}}',
  '{"constructor":{"prototype":{"isAdmin":true}}}',
  '{"tenant":"demo","tenant":"other"}',
  '\uFEFF{"name":"x"}',
  '{"name":"\\ud800"}',
  '{"name":"\\u0000"}',
  '{"limit":1e999}',
  "[".repeat(5_000),
  `${'{"a":'.repeat(1_000)}1${"}".repeat(1_000)}`,
  "<xml/>",
  "name=x&tenant=demo",
];
