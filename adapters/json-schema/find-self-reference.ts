import type { CompiledSchema } from "./compiled-schema.ts";

/**
 * Finds a schema that must judge a place before it has judged that place: references that go round without descending
 * into the document, on which judging would never end. Returns the reference that closes the circle, or null.
 */
export function findSelfReference(schemas: Iterable<CompiledSchema>): string | null {
  const done = new Set<CompiledSchema>();
  for (const start of schemas) {
    if (done.has(start)) continue;
    const onPath = new Set([start]);
    const stack = [{ schema: start, next: [...start.inPlace] }];
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const step = top.next.pop();
      if (step === undefined) {
        done.add(top.schema);
        onPath.delete(top.schema);
        stack.pop();
      } else if (onPath.has(step.schema)) return step.reference ?? "#";
      else if (!done.has(step.schema)) {
        onPath.add(step.schema);
        stack.push({ schema: step.schema, next: [...step.schema.inPlace] });
      }
    }
  }
  return null;
}
