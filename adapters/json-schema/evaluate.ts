import { type CompiledSchema, EvaluatedParts, type Frame } from "./compiled-schema.ts";
import { DocumentTooHard, SCHEMA_NESTING_MAX } from "./work-meter.ts";

/** What entering a schema costs beyond its checks. */
const SCHEMA_ENTRY_STEPS = 4;

/** Judges a value by a schema; yields when others should get a turn. Throws `DocumentTooHard` at a limit. */
export function* evaluate(schema: CompiledSchema, frame: Frame): Generator<void, boolean> {
  frame.meter.charge(SCHEMA_ENTRY_STEPS);
  if (frame.depth > SCHEMA_NESTING_MAX) {
    throw new DocumentTooHard(
      `More than ${SCHEMA_NESTING_MAX} schemas judge the document one within the other.`,
    );
  }
  let valid = judgeLeaves(schema, frame);
  if (frame.meter.takePause()) yield;
  if (isDecided(valid, frame) || schema.appliers.length === 0) return valid;
  const evaluated = schema.asksEvaluated ? new EvaluatedParts() : frame.evaluated;
  const inner = { ...frame, evaluated };
  if (frame.scope?.resource !== schema.resource) {
    inner.scope = { resource: schema.resource, parent: frame.scope };
  }
  for (const applier of schema.appliers) {
    if (!(yield* applier(inner))) valid = false;
    if (isDecided(valid, frame)) return false;
  }
  if (valid && evaluated !== null && frame.evaluated !== null && evaluated !== frame.evaluated) {
    frame.evaluated.addAll(evaluated, frame.meter);
  }
  return valid;
}

/** The part of a schema that needs no other schema; all of it for most schemas of single values. */
export function judgeLeaves(schema: CompiledSchema, frame: Frame): boolean {
  frame.meter.charge(1 + schema.leaves.length);
  let valid = true;
  for (const leaf of schema.leaves) {
    const message = leaf(frame.value, frame.meter);
    if (message === null) continue;
    if (frame.list === null) return false;
    frame.list.add(frame.path, message);
    valid = false;
  }
  return valid;
}

/** Whether nothing more has to be found out. */
export function isDecided(valid: boolean, { list }: Frame): boolean {
  return !valid && (list === null || list.isFull);
}

/** Judges a part of the frame's value. */
export function* evaluatePart(
  schema: CompiledSchema,
  frame: Frame,
  key: string | number,
  value: unknown,
): Generator<void, boolean> {
  const part: Frame = {
    meter: frame.meter,
    value,
    path: frame.list === null ? null : { key, parent: frame.path },
    scope: frame.scope,
    evaluated: null,
    list: frame.list,
    depth: frame.depth + 1,
  };
  return schema.appliers.length === 0 ? judgeLeaves(schema, part) : yield* evaluate(schema, part);
}

/** Judges the frame's own value by another schema. */
export function evaluateInPlace(
  schema: CompiledSchema,
  frame: Frame,
  { list = frame.list, evaluated = frame.evaluated }: Partial<Pick<Frame, "list" | "evaluated">> = {},
): Generator<void, boolean> {
  const { meter, value, path, scope, depth } = frame;
  return evaluate(schema, { meter, value, path, scope, evaluated, list, depth: depth + 1 });
}

/** The same frame when only the verdict counts. */
export function withoutList(frame: Frame): Frame {
  return { ...frame, list: null };
}
