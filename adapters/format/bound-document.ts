import { CONTENT_BYTES_MAX, CONTENT_DEPTH_MAX } from "../../contracts/limits.ts";

/**
 * A document without aliases has no more values than bytes, so this refuses nothing that is written out; it stops one
 * whose aliases unfold into more than any real document of the largest size could hold.
 */
export const DOCUMENT_VALUES_MAX = CONTENT_BYTES_MAX;

/** Says what is too much about a parsed document, or null. Bounded itself, also for cyclic values. */
export function findExcess(value: unknown): string | null {
  let values = 0;
  const stack: { value: unknown; depth: number }[] = [{ value, depth: 0 }];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (++values > DOCUMENT_VALUES_MAX) return `aliases unfold into more than ${DOCUMENT_VALUES_MAX} values`;
    if (typeof top.value !== "object" || top.value === null) continue;
    if (top.depth >= CONTENT_DEPTH_MAX) return depthMessage;
    const children: unknown[] = Array.isArray(top.value) ? top.value : Object.values(top.value);
    if (values + stack.length + children.length > 2 * DOCUMENT_VALUES_MAX) {
      return `aliases unfold into more than ${DOCUMENT_VALUES_MAX} values`;
    }
    for (const child of children) stack.push({ value: child, depth: top.depth + 1 });
  }
  return null;
}

export const depthMessage = `nested deeper than ${CONTENT_DEPTH_MAX} levels`;
