import {
  type Applier,
  type CompiledSchema,
  EvaluatedParts,
  type FindingList,
  type Frame,
} from "./compiled-schema.ts";
import { evaluateInPlace, isDecided } from "./evaluate.ts";

/** A schema found only after others were compiled. */
export interface SchemaSlot {
  schema: CompiledSchema;
}

export function applyReference(slot: SchemaSlot): Applier {
  return (frame) => evaluateInPlace(slot.schema, frame);
}

/** `$dynamicRef` and `$recursiveRef`: which schema is meant is seen in the resources come through, outermost first. */
export function applyDynamicReference(
  slot: SchemaSlot,
  find: (resource: CompiledSchema["resource"]) => CompiledSchema | null,
): Applier {
  return function* (frame) {
    let target = slot.schema;
    for (let scope = frame.scope; scope !== null; scope = scope.parent) {
      frame.meter.charge(1);
      target = find(scope.resource) ?? target;
    }
    return yield* evaluateInPlace(target, frame);
  };
}

export function applyAllOf(schemas: readonly CompiledSchema[]): Applier {
  return function* (frame) {
    let valid = true;
    for (const schema of schemas) {
      if (!(yield* evaluateInPlace(schema, frame))) valid = false;
      if (isDecided(valid, frame)) return false;
    }
    return valid;
  };
}

/** Judges by a schema that may fail: what it has evaluated counts only if it does not. */
function* attempt(schema: CompiledSchema, frame: Frame, list: FindingList | null): Generator<void, boolean> {
  const evaluated = frame.evaluated === null ? null : new EvaluatedParts();
  const valid = yield* evaluateInPlace(schema, frame, { list, evaluated });
  if (valid && evaluated !== null) frame.evaluated?.addAll(evaluated, frame.meter);
  return valid;
}

export function applyAnyOf(schemas: readonly CompiledSchema[]): Applier {
  return function* (frame) {
    const reasons = frame.list?.another() ?? null;
    let valid = false;
    for (const schema of schemas) {
      if (yield* attempt(schema, frame, reasons)) valid = true;
      if (valid && frame.evaluated === null) return true;
    }
    if (valid) return true;
    frame.list?.add(frame.path, 'The value satisfies none of the schemas of "anyOf".');
    frame.list?.addAll(reasons);
    return false;
  };
}

export function applyOneOf(schemas: readonly CompiledSchema[]): Applier {
  return function* (frame) {
    const reasons = frame.list?.another() ?? null;
    let matches = 0;
    for (const schema of schemas) {
      if (yield* attempt(schema, frame, reasons)) matches++;
      if (matches > 1) break;
    }
    if (matches === 1) return true;
    const which = matches === 0 ? "none" : "more than one";
    frame.list?.add(frame.path, `The value satisfies ${which} of the schemas of "oneOf".`);
    if (matches === 0) frame.list?.addAll(reasons);
    return false;
  };
}

export function applyNot(schema: CompiledSchema): Applier {
  return function* (frame) {
    if (!(yield* evaluateInPlace(schema, frame, { list: null, evaluated: null }))) return true;
    frame.list?.add(frame.path, 'The value satisfies the schema of "not".');
    return false;
  };
}

export function applyConditions(
  condition: CompiledSchema,
  yes: CompiledSchema | null,
  no: CompiledSchema | null,
): Applier {
  return function* (frame) {
    const holds = yield* attempt(condition, frame, null);
    const next = holds ? yes : no;
    return next === null || (yield* evaluateInPlace(next, frame));
  };
}
