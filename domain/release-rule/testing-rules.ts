import type { ReleaseRule, RuleCondition } from "./release-rule.ts";

/** What must come out alike wherever the rules run: hashes, buckets, expressions. For tests in Node and in workerd. */

/** murmur3_32 with seed 0; the first ones are published with the algorithm's implementations. */
export const MURMUR3_VECTORS: readonly [text: string, seed: number, hash: number][] = [
  ["", 0, 0],
  ["", 1, 0x514e28b7],
  ["", 0xffffffff, 0x81f16f39],
  ["a", 0x9747b28c, 0x7fa09ea6],
  ["aa", 0x9747b28c, 0x5d211726],
  ["aaa", 0x9747b28c, 0x283e0130],
  ["aaaa", 0x9747b28c, 0x5a97808a],
  ["abc", 0, 0xb3dd93fa],
  ["test", 0, 0xba6bd213],
  ["Hello, world!", 0, 0xc0363e43],
  ["Hello, world!", 0x9747b28c, 0x24884cba],
  ["The quick brown fox jumps over the lazy dog", 0, 0x2e4ff723],
  ["The quick brown fox jumps over the lazy dog", 0x9747b28c, 0x2fa826cd],
  ["ππππππππ", 0x9747b28c, 0xd58063c1],
];

export const PATTERN_CASES: readonly [source: string, text: string, found: boolean][] = [
  ["^v\\d+$", "v12", true],
  ["^v\\d+$", "v12x", false],
  ["beta", "2.0-beta.1", true],
  ["Beta", "2.0-beta.1", false],
  ["(?i)BETA", "2.0-beta.1", true],
  ["^(eu|us)-[a-z]+-\\d$", "eu-central-1", true],
  ["\\p{Greek}", "λ", true],
  ["^.$", "🚀", true],
  ["(a*)*b", "a".repeat(256), false],
  ["(a|aa)+$", `${"a".repeat(255)}b`, false],
  ["(?=a)", "a", false],
];

/** A rule of conditions alone. */
export function testCondition(
  versionId: number,
  label: string,
  op: RuleCondition["op"],
  ...values: string[]
): ReleaseRule {
  return { labels: {}, version_id: versionId, priority: 0, when: [{ label, op, values }] };
}
