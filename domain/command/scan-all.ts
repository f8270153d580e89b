import type { StateView } from "./state-view.ts";

const PAGE = 500;

/** Every row under `prefix` in key order, page by page, so that no store has to hold a cursor open. */
export function* scanAll(state: StateView, prefix: string): Generator<{ key: string; value: unknown }> {
  let after: string | undefined;
  for (;;) {
    const page = [...state.scan(prefix, after === undefined ? { limit: PAGE } : { after, limit: PAGE })];
    yield* page;
    if (page.length < PAGE) return;
    after = page.at(-1)?.key;
  }
}
