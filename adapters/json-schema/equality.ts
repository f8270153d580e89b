import type { WorkMeter } from "./work-meter.ts";

/** Whether two JSON values are the same: numbers by value, objects whatever the order of their names. */
export function isSame(a: unknown, b: unknown, meter: WorkMeter): boolean {
  meter.charge(1);
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, i) => isSame(item, b[i], meter));
  }
  const names = meter.namesOf(a);
  if (names.length !== meter.namesOf(b).length) return false;
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>];
  return names.every((name) => Object.hasOwn(b, name) && isSame(left[name], right[name], meter));
}

/** A text that two values share if and only if they are the same. Recursion is bounded by the depth of a document. */
export function canonicalText(value: unknown, meter: WorkMeter): string {
  meter.charge(1);
  if (typeof value === "string") {
    meter.charge(value.length / 16);
    return JSON.stringify(value);
  }
  if (typeof value !== "object" || value === null) return value === 0 ? "0" : String(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalText(item, meter)).join()}]`;
  const names = meter.namesOf(value).toSorted();
  meter.charge(names.length * Math.ceil(Math.log2(names.length + 1)));
  const record = value as Record<string, unknown>;
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonicalText(record[name], meter)}`).join()}}`;
}
