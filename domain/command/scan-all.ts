import type { StateView } from "./state-view.ts";

const PAGE = 200;
/** Versions that are read at once: each may come with a schema of SCHEMA_BYTES_MAX. */
export const VERSIONS_PAGE = 20;

/**
 * Every row under `prefix` after `start` in key order, page by page, so that no store has to hold a cursor open. `limit`:
 * rows of a page, for readers that need few of them.
 */
export function* scanAll(
  state: StateView,
  prefix: string,
  start?: string,
  limit = PAGE,
): Generator<{ key: string; value: unknown }> {
  let after = start;
  for (;;) {
    const page = [...state.scan(prefix, after === undefined ? { limit } : { after, limit })];
    yield* page;
    if (page.length < limit) return;
    after = page.at(-1)?.key;
  }
}
