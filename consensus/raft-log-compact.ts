import type { Membership, SnapshotMeta } from "./raft/types.ts";
import { decodeMembership } from "./raft/raw-node.ts";
import type { RaftLogLimits } from "./raft-log-options.ts";
import type { StateMachine } from "./replicated-log.ts";
import type { Wal } from "./storage/wal.ts";

/**
 * The membership in force at `index`: of the newest membership entry up to it, else of the snapshot or the first boot. Null
 * on a node that joined and whose log has no membership up to there: the one with which the cluster was founded is no
 * entry. Such a node must neither compact to that index nor send a copy of that state: whoever took it would be left
 * without voters once the entries behind it are cut away.
 */
export function membershipAt(wal: Wal, index: number): Membership | null {
  const entries = wal.log.entries(wal.log.firstIndex(), index + 1, Infinity);
  const newest = entries.findLast((entry) => entry.kind === "membership");
  if (newest !== undefined) return decodeMembership(newest.data);
  const base = baseMembership(wal);
  return base.voters.length === 0 ? null : base;
}

/** What the log's entries build on. Throws for a log that was never initialised. */
export function baseMembership(wal: Wal): Membership {
  const membership = wal.log.snapshot()?.membership ?? wal.cluster()?.membership;
  if (membership === undefined) throw new Error("the log has no membership");
  return membership;
}

/**
 * Where to compact to, or null when there is no need yet. The newest entries are kept for members that lag a little, and
 * for one that is just installing a snapshot; who lags behind them is sent a snapshot. Nothing after `heldIndex`, where
 * such a one will go on, is let go of unless that would be too much.
 */
function planCompaction(
  wal: Wal,
  at: { appliedIndex: number; heldIndex: number },
  limits: Pick<RaftLogLimits, "retainedBytesMax" | "retainedBytesAfter" | "retainedBytesDuringSnapshotMax">,
): SnapshotMeta | null {
  const retainedBytes = wal.retainedBytes();
  if (retainedBytes <= limits.retainedBytesMax) return null;
  const heldIndex = retainedBytes <= limits.retainedBytesDuringSnapshotMax ? at.heldIndex : Infinity;
  const index = Math.min(at.appliedIndex, heldIndex, wal.indexBefore(limits.retainedBytesAfter));
  const term = wal.log.term(index);
  if (index < wal.log.firstIndex() || term === undefined) return null;
  const membership = membershipAt(wal, index);
  return membership === null ? null : { index, term, membership };
}

/** Lets go of applied entries, one compaction at a time. */
export class Compactor {
  readonly #wal: Wal;
  readonly #stateMachine: Pick<StateMachine<unknown>, "makeDurable">;
  readonly #limits: Parameters<typeof planCompaction>[2];
  #running: Promise<void> | null = null;

  constructor(
    wal: Wal,
    stateMachine: Pick<StateMachine<unknown>, "makeDurable">,
    limits: Parameters<typeof planCompaction>[2],
  ) {
    this.#wal = wal;
    this.#stateMachine = stateMachine;
    this.#limits = limits;
  }

  /** Compacts when too much is retained; null when it need not or already does. Rejects when the disk fails. */
  whenDue(at: { appliedIndex: number; heldIndex: number }): Promise<void> | null {
    if (this.#running !== null) return null;
    const snapshot = planCompaction(this.#wal, at, this.#limits);
    return snapshot === null ? null : this.#run(snapshot);
  }

  /**
   * Makes the state durable up to `applied`, which it answers, and lets go of the entries up to it; but of none that lies
   * behind `waitedFor`, the index up to which every active member has the log. Looks at both only once no compaction runs:
   * by then a snapshot may be on its way to take the place of the log.
   */
  async now(look: () => { applied: number; waitedFor: number }): Promise<number> {
    while (this.#running !== null) await this.#running;
    const at = look();
    const index = Math.min(at.applied, at.waitedFor);
    const term = this.#wal.log.term(index);
    const isHeld = index >= this.#wal.log.firstIndex() && term !== undefined;
    const membership = isHeld ? membershipAt(this.#wal, index) : null;
    if (!isHeld || membership === null) this.#stateMachine.makeDurable?.();
    else await this.#run({ index, term, membership });
    return at.applied;
  }

  #run(snapshot: SnapshotMeta): Promise<void> {
    this.#stateMachine.makeDurable?.();
    this.#running = this.#wal.compact(snapshot).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }
}
