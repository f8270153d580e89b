import type { Applier, CompiledSchema } from "./compiled-schema.ts";
import { evaluateInPlace, evaluatePart, isDecided, withoutList } from "./evaluate.ts";
import type { PatternTest } from "./pattern-book.ts";
import { isObject } from "./schema-node.ts";

/** What noting an evaluated property costs. */
const EVALUATED_STEPS = 3;

export interface PropertySchemas {
  named: ReadonlyMap<string, CompiledSchema>;
  patterns: readonly { test: PatternTest; schema: CompiledSchema }[];
  /** `additionalProperties`. */
  others: CompiledSchema | null;
}

/** `properties`, `patternProperties` and `additionalProperties`, which must know of each other. */
export function applyProperties({ named, patterns, others }: PropertySchemas): Applier {
  return function* (frame) {
    const { value, meter } = frame;
    if (!isObject(value)) return true;
    const looksAtAll = patterns.length > 0 || others !== null;
    let valid = true;
    const names = meter.namesOf(value);
    for (const name of looksAtAll || named.size > names.length ? names : named.keys()) {
      meter.charge(1);
      if (meter.takePause()) yield;
      if (!Object.hasOwn(value, name)) continue;
      const own = named.get(name);
      const found = own === undefined ? [] : [own];
      for (const { test, schema } of patterns) {
        if (meter.takePause()) yield;
        if (test(name, meter)) found.push(schema);
      }
      if (found.length === 0 && others !== null) found.push(others);
      for (const schema of found) {
        if (!(yield* evaluatePart(schema, frame, name, value[name]))) valid = false;
        if (isDecided(valid, frame)) return false;
        if (frame.evaluated === null) continue;
        meter.charge(EVALUATED_STEPS);
        frame.evaluated.properties.add(name);
      }
    }
    return valid;
  };
}

/** `unevaluatedProperties`; comes after every other keyword of its schema. */
export function applyUnevaluatedProperties(schema: CompiledSchema): Applier {
  return function* (frame) {
    const { value, meter, evaluated } = frame;
    if (!isObject(value) || evaluated === null || evaluated.allProperties) return true;
    let valid = true;
    for (const name of meter.namesOf(value)) {
      meter.charge(1);
      if (meter.takePause()) yield;
      if (evaluated.properties.has(name)) continue;
      if (!(yield* evaluatePart(schema, frame, name, value[name]))) valid = false;
      if (isDecided(valid, frame)) return false;
    }
    evaluated.allProperties = true;
    return valid;
  };
}

export function applyPropertyNames(schema: CompiledSchema): Applier {
  return function* (frame) {
    const { value, meter, list } = frame;
    if (!isObject(value)) return true;
    const silent = withoutList(frame);
    let valid = true;
    for (const name of meter.namesOf(value)) {
      meter.charge(1);
      if (meter.takePause()) yield;
      if (yield* evaluatePart(schema, silent, name, name)) continue;
      valid = false;
      list?.add({ key: name, parent: frame.path }, "Its name is not allowed here.");
      if (isDecided(valid, frame)) return false;
    }
    return valid;
  };
}

/** `dependentSchemas`, and those of `dependencies`: schemas for an object that has a property. */
export function applyDependentSchemas(byName: ReadonlyMap<string, CompiledSchema>): Applier {
  return function* (frame) {
    const { value, meter } = frame;
    if (!isObject(value)) return true;
    let valid = true;
    for (const [name, schema] of byName) {
      meter.charge(1);
      if (meter.takePause()) yield;
      if (!Object.hasOwn(value, name)) continue;
      if (!(yield* evaluateInPlace(schema, frame))) valid = false;
      if (isDecided(valid, frame)) return false;
    }
    return valid;
  };
}
