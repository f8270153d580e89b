import type { Schema } from "@cfworker/json-schema";
import { isObject, referenceUri } from "./schema-node.ts";

/** Keywords whose schemas judge the same place in the document as the schema they stand in. */
const IN_PLACE_LISTS = ["allOf", "anyOf", "oneOf"];
const IN_PLACE = ["not", "if", "then", "else"];

/**
 * Finds a schema that must judge a place before it has judged that place: references that go round without descending
 * into the document, on which a validator recurses for ever. Returns the reference that closes the circle, or null.
 */
export function findSelfReference(
  schemas: readonly (Schema | boolean)[],
  lookup: Readonly<Record<string, Schema | boolean>>,
): string | null {
  const done = new Set<unknown>();
  for (const start of schemas) {
    if (done.has(start)) continue;
    const onPath = new Set<unknown>([start]);
    const stack = [{ schema: start, next: inPlace(start, lookup) }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const step = top.next.pop();
      if (step === undefined) {
        done.add(top.schema);
        onPath.delete(top.schema);
        stack.pop();
      } else if (onPath.has(step.schema)) return step.reference ?? "#";
      else if (!done.has(step.schema)) {
        onPath.add(step.schema);
        stack.push({ schema: step.schema, next: inPlace(step.schema, lookup) });
      }
    }
  }
  return null;
}

interface Step {
  schema: Schema | boolean;
  reference: string | null;
}

function inPlace(schema: Schema | boolean, lookup: Readonly<Record<string, Schema | boolean>>): Step[] {
  if (!isObject(schema)) return [];
  const steps: Step[] = [];
  const uri = referenceUri(schema);
  if (uri !== undefined) {
    const target = lookup[uri];
    if (target !== undefined) steps.push({ schema: target, reference: schema.$ref ?? uri });
  }
  const plain = (value: unknown): void => {
    if (isObject(value)) steps.push({ schema: value, reference: null });
  };
  for (const keyword of IN_PLACE_LISTS) {
    const list: unknown = schema[keyword];
    if (Array.isArray(list)) list.forEach(plain);
  }
  for (const keyword of IN_PLACE) plain(schema[keyword]);
  if (isObject(schema["dependentSchemas"])) Object.values(schema["dependentSchemas"]).forEach(plain);
  if (isObject(schema["dependencies"])) Object.values(schema["dependencies"]).forEach(plain);
  return steps;
}
