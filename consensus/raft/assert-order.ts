import type { Core } from "./core.ts";
import { invariant } from "./invariant.ts";
import { lastIndex } from "./raft-log-view.ts";

/**
 * purged <= snapshot <= applied <= committed <= last index, at every batch. A few comparisons: on in production too.
 * Broken by a driver that compacts what is not applied, a disk that lost its end, a state that ran ahead of its log.
 */
export function assertOrder(core: Core): void {
  const { view, applied } = core;
  const last = lastIndex(view);
  invariant(
    applied <= view.commit && view.commit <= last,
    () => `out of order: applied ${applied}, committed ${view.commit}, last index ${last}`,
  );
  // While one is being installed the durable log still begins where it did, or already behind it.
  if (view.pendingSnapshot !== null) return;
  const purged = view.reader.firstIndex() - 1;
  const snapshot = view.reader.snapshot()?.index ?? 0;
  invariant(
    purged <= snapshot && snapshot <= applied,
    () => `out of order: purged ${purged}, snapshot ${snapshot}, applied ${applied}`,
  );
}
