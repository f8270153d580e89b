import type { Applier, CompiledSchema } from "./compiled-schema.ts";
import { canonicalText } from "./equality.ts";
import { evaluatePart, isDecided, withoutList } from "./evaluate.ts";

/** Schemas for the first elements, one each, and one for the others (null: anything). */
export function applyItems(first: readonly CompiledSchema[], others: CompiledSchema | null): Applier {
  return function* (frame) {
    const { value, meter, evaluated } = frame;
    if (!Array.isArray(value)) return true;
    const count = others === null ? Math.min(first.length, value.length) : value.length;
    let valid = true;
    for (let i = 0; i < count; i++) {
      meter.charge(1);
      if (meter.takePause()) yield;
      const schema = first[i] ?? others;
      if (schema && !(yield* evaluatePart(schema, frame, i, value[i]))) valid = false;
      if (isDecided(valid, frame)) return false;
    }
    if (evaluated !== null) {
      evaluated.items = Math.max(evaluated.items, count);
      evaluated.allItems ||= others !== null;
    }
    return valid;
  };
}

/** `unevaluatedItems`; comes after every other keyword of its schema. */
export function applyUnevaluatedItems(schema: CompiledSchema): Applier {
  return function* (frame) {
    const { value, meter, evaluated } = frame;
    if (!Array.isArray(value) || evaluated === null || evaluated.allItems) return true;
    let valid = true;
    for (let i = evaluated.items; i < value.length; i++) {
      meter.charge(1);
      if (meter.takePause()) yield;
      if (evaluated.contained.has(i)) continue;
      if (!(yield* evaluatePart(schema, frame, i, value[i]))) valid = false;
      if (isDecided(valid, frame)) return false;
    }
    evaluated.allItems = true;
    return valid;
  };
}

/** `contains` with `minContains` (1 when not given) and `maxContains`. */
export function applyContains(
  schema: CompiledSchema,
  { min, max, evaluates }: { min: number; max: number; evaluates: boolean },
): Applier {
  return function* (frame) {
    const { value, meter, list } = frame;
    if (!Array.isArray(value)) return true;
    const silent = withoutList(frame);
    const evaluated = evaluates ? frame.evaluated : null;
    let found = 0;
    for (let i = 0; i < value.length; i++) {
      meter.charge(1);
      if (meter.takePause()) yield;
      if (!(yield* evaluatePart(schema, silent, i, value[i]))) continue;
      found++;
      evaluated?.contained.add(i);
      if (found > max || (found >= min && max === Infinity && evaluated === null)) break;
    }
    if (found >= min && found <= max) return true;
    const wanted = found > max ? `at most ${max}` : `at least ${min}`;
    list?.add(frame.path, `${found} elements match "contains", ${wanted} must.`);
    return false;
  };
}

export const applyUniqueItems: Applier = function* (frame) {
  const { value, meter, list } = frame;
  if (!Array.isArray(value) || value.length < 2) return true;
  const seen = new Map<string, number>();
  for (const [i, item] of (value as unknown[]).entries()) {
    const text = canonicalText(item, meter);
    if (meter.takePause()) yield;
    const before = seen.get(text);
    if (before !== undefined) {
      list?.add(frame.path, `"uniqueItems": the elements ${before} and ${i} are the same.`);
      return false;
    }
    seen.set(text, i);
  }
  return true;
};
