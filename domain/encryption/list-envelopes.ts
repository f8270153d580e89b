import type { StateView } from "../command/state-view.ts";
import {
  LIST_SCAN_MAX,
  REWRAP_BYTES_MAX,
  REWRAP_REQUESTS_MAX,
  REWRAP_RULES_MAX,
  REWRAP_VERSIONS_MAX,
} from "../limits.ts";
import type { EnvelopeLook, EnvelopePlace, RewrapScope } from "./envelope-place.ts";
import { isHeldCursor, walkHeldEnvelopes } from "./walk-held-envelopes.ts";
import { walkVersionEnvelopes } from "./walk-version-envelopes.ts";

export type ListedEnvelope = EnvelopePlace & { cursor: string };

/**
 * Every envelope of the state in `scope` behind `cursor` (K3): of versions, drafts among them, in the order of names and
 * versions, then of open change requests, the newest first. As many as one command may wrap anew, and none when a whole
 * page was looked at in vain. The cursor is opaque; null: there are no more.
 */
export function listEnvelopes(
  state: StateView,
  { cursor, ...scope }: RewrapScope & { cursor: string | null },
): { items: ListedEnvelope[]; next_cursor: string | null } {
  const items: ListedEnvelope[] = [];
  const taken = { looks: 0, bytes: 0, rules: 0, requests: 0 };
  let last = cursor;
  for (const look of walk(state, scope, cursor)) {
    taken.bytes += look.bytes ?? 0;
    taken.rules += look.rules ?? 0;
    taken.requests += look.requests ?? 0;
    const isOver = look.place !== null && items.length === REWRAP_VERSIONS_MAX;
    // The first look is always taken, so that each page gets on.
    if (taken.looks > 0 && (isOver || isFull(taken))) return { items, next_cursor: last };
    taken.looks += 1;
    last = look.cursor;
    if (look.place !== null) items.push({ ...look.place, cursor: look.cursor });
  }
  return { items, next_cursor: null };
}

/** Whether what was counted last no longer fits. */
function isFull(taken: { looks: number; bytes: number; rules: number; requests: number }): boolean {
  return (
    taken.looks === LIST_SCAN_MAX ||
    taken.bytes > REWRAP_BYTES_MAX ||
    taken.rules > REWRAP_RULES_MAX ||
    taken.requests > REWRAP_REQUESTS_MAX
  );
}

function* walk(state: StateView, scope: RewrapScope, cursor: string | null): Generator<EnvelopeLook> {
  const isHeld = cursor !== null && isHeldCursor(cursor);
  if (!isHeld) yield* walkVersionEnvelopes(state, scope, cursor);
  yield* walkHeldEnvelopes(state, scope, isHeld ? cursor : null);
}
