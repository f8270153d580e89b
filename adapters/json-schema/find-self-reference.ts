import type { Schema } from "@cfworker/json-schema";
import { isObject } from "./schema-node.ts";

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
  const node = schema as Schema;
  if (typeof node.$ref === "string") {
    const target = lookup[node.__absolute_ref__ ?? node.$ref];
    if (target !== undefined) steps.push({ schema: target, reference: node.$ref });
  }
  const plain = (value: unknown): void => {
    if (isObject(value)) steps.push({ schema: value as Schema, reference: null });
  };
  for (const keyword of IN_PLACE_LISTS) {
    const list: unknown = node[keyword];
    if (Array.isArray(list)) list.forEach(plain);
  }
  for (const keyword of IN_PLACE) plain(node[keyword]);
  if (isObject(node["dependentSchemas"])) Object.values(node["dependentSchemas"]).forEach(plain);
  if (isObject(node["dependencies"])) Object.values(node["dependencies"]).forEach(plain);
  return steps;
}
