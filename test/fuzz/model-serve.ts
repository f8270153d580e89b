import { conditionAt, type ModelConfig, type ModelRule } from "./model-state.ts";
import type { ModelClient } from "./model-steps.ts";

/**
 * The version that a client gets, by a plain loop over the rules as docs/release-rules.md says it: higher priority first, of
 * equal ones the one that asks more, of those the one that stands first. Null: none.
 */
export function serve(
  config: ModelConfig,
  client: ModelClient,
): { version: number; position: number } | null {
  const labels = new Map(Object.entries(client.labels).map(([name, value]) => [name.toLowerCase(), value]));
  const order = config.rules
    .map((rule, position) => ({ rule, position }))
    .toSorted(
      (a, b) => b.rule.priority - a.rule.priority || asked(b.rule) - asked(a.rule) || a.position - b.position,
    );
  const first = order.find(({ rule }) => matches(rule, config.id, labels, client.region));
  return first === undefined ? null : { version: first.rule.version, position: first.position };
}

const asked = ({ labels, when, percentage }: ModelRule): number =>
  Object.keys(labels).length + when.length + (percentage === null ? 0 : 1);

function matches(
  { labels, when, percentage, regions }: ModelRule,
  configId: string,
  client: ReadonlyMap<string, string>,
  region: number,
): boolean {
  if (regions !== null && !regions.includes(region)) return false;
  if (Object.entries(labels).some(([name, value]) => client.get(name) !== value)) return false;
  if (!when.map(conditionAt).every(({ label, holds }) => holds(client.get(label) ?? null))) return false;
  if (percentage === null) return true;
  const value = client.get(percentage.by);
  if (value === undefined) return false;
  const bucket = murmur3(`${percentage.salt ?? configId}\0${value}`) % 10_000;
  return bucket < Math.round(percentage.percent * 100);
}

/** MurmurHash3, x86, 32 bit, of a text's UTF-8 with seed 0: the format's published hash, written again. */
export function murmur3(text: string): number {
  const bytes = new TextEncoder().encode(text);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const whole = bytes.length - (bytes.length % 4);
  let hash = 0;
  for (let i = 0; i < whole; i += 4) {
    hash = rotate(hash ^ scramble(view.getUint32(i, true)), 13);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = bytes.length - 1; i >= whole; i -= 1) tail = (tail << 8) | (bytes[i] ?? 0);
  hash ^= scramble(tail);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));
const scramble = (block: number): number => Math.imul(rotate(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
