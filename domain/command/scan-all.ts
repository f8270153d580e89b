import type { StateView } from "./state-view.ts";

const PAGE = 200;

/** Every row under `prefix` after `start` in key order, page by page, so that no store has to hold a cursor open. */
export function* scanAll(
  state: StateView,
  prefix: string,
  start?: string,
): Generator<{ key: string; value: unknown }> {
  let after = start;
  for (;;) {
    const page = [...state.scan(prefix, after === undefined ? { limit: PAGE } : { after, limit: PAGE })];
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.key;
  }
}
