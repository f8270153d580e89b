import type {
  HeadChanges,
  HeadEntry,
  HeadLookup,
  ReplicaPosition,
  Revocation,
} from "../../contracts/delivery/replica-rpc.ts";
import { BoundedCache } from "../../domain/delivery/bounded-cache.ts";
import type { IndexPosition } from "../../domain/delivery/index-token.ts";

/** Bytes of head entries an isolate keeps for one region. */
const HEAD_BYTES_MAX = 16 * 1024 * 1024;
/** What an entry costs besides its name. */
const ENTRY_BYTES = 256;
/** A replica that has not heard from the core for this long makes its answers count as stale. */
const REPLICA_SILENCE_MS_MAX = 10_000;
/** How far requests' clocks differ, since a request's stands still while it computes; what is more was set back. */
const CLOCK_DIFFERENCE_MS_MAX = 10_000;
/** What a head counts as when the clock was set back: due to be checked, and not too old to be served. */
const UNKNOWN_AGE_MS = 60_000;

/**
 * A region's head as far as this isolate needs it. No I/O.
 * Invariant: every entry held is true at `position` (or newer), and `position` never goes back: not in epoch, and within
 * an epoch not in index. It would break if an entry were taken from an answer older than `position`, because the
 * changes in between have been applied already and are never sent again; `remember` is what refuses that.
 */
export class HeadCache {
  readonly #entries = new BoundedCache<HeadEntry>(HEAD_BYTES_MAX);
  readonly #revocations = new Map<string, number>();
  /** Tokens issued before have been called in. */
  #tokensNotBeforeMs = 0;
  #position: IndexPosition | null = null;
  #token = "";
  /** When the newest answer that confirmed this head was asked for. */
  #checkedAtMs = 0;
  #attemptedAtMs = -Infinity;
  #replicaAgeMs = 0;
  #failing = false;

  get position(): IndexPosition | null {
    return this.#position;
  }
  /** The signed position. */
  get token(): string {
    return this.#token;
  }
  /** How long ago the head was surely the replica's; never negative. */
  checkedAgoMs(nowMs: number): number {
    this.#noticeClock(nowMs);
    return Math.max(0, nowMs - this.#checkedAtMs);
  }
  /** Whether someone began to check it within the last `ttlMs`. */
  attemptedWithin(ttlMs: number, nowMs: number): boolean {
    this.#noticeClock(nowMs);
    return nowMs - this.#attemptedAtMs < ttlMs;
  }

  /** A clock that was set back would make the head seem fresh until it has caught up. */
  #noticeClock(nowMs: number): void {
    if (this.#checkedAtMs - nowMs > CLOCK_DIFFERENCE_MS_MAX) this.#checkedAtMs = nowMs - UNKNOWN_AGE_MS;
    if (this.#attemptedAtMs - nowMs > CLOCK_DIFFERENCE_MS_MAX) this.#attemptedAtMs = -Infinity;
  }

  attempt(nowMs: number): void {
    this.#attemptedAtMs = nowMs;
  }
  fail(): void {
    this.#failing = true;
  }

  /** Milliseconds that answers of this head may lag behind, when that is worth telling a client; otherwise null. */
  staleMs(ttlMs: number, nowMs: number): number | null {
    const agoMs = this.checkedAgoMs(nowMs);
    const stale =
      (this.#failing && agoMs > ttlMs) || agoMs > 2 * ttlMs || this.#replicaAgeMs > REPLICA_SILENCE_MS_MAX;
    return stale ? agoMs + this.#replicaAgeMs : null;
  }

  get(name: string): HeadEntry | undefined {
    return this.#entries.get(name);
  }

  /** `issuedAtMs`: of the token. */
  isRevoked({ jti, issuedAtMs }: { jti: string; issuedAtMs: number }): boolean {
    return this.#revocations.has(jti) || issuedAtMs < this.#tokensNotBeforeMs;
  }

  /**
   * Takes a delta that was asked for at `askedAtMs` with `since`. Answers false when the replica is behind what it
   * had told before (a lower epoch, or a lower index of the same epoch): then nothing is taken.
   */
  apply(changes: HeadChanges, asked: { since: number; atMs: number; token: string; nowMs: number }): boolean {
    const held = this.#position;
    const anew = held === null || changes.cluster_id !== held.cluster_id || changes.epoch > held.epoch;
    if (!anew && (changes.epoch < held.epoch || changes.index < asked.since)) return false;
    this.#revoke(changes.revocations, asked.nowMs);
    this.#tokensNotBeforeMs = Math.max(this.#tokensNotBeforeMs, changes.tokens_not_before_ms);
    // A later question was answered before this one: what this answer says has been applied.
    if (!anew && changes.index < held.index) return true;
    // A start from 0 tells of no entry, so nothing held from before can be trusted at the new position.
    if (anew || changes.dropped || asked.since === 0) this.#entries.clear();
    else for (const entry of changes.entries) if (this.#entries.has(entry.name)) this.#hold(entry);
    this.#position = { cluster_id: changes.cluster_id, epoch: changes.epoch, index: changes.index };
    this.#token = asked.token;
    this.#checkedAtMs = anew ? asked.atMs : Math.max(this.#checkedAtMs, asked.atMs);
    this.#replicaAgeMs = changes.age_ms;
    this.#failing = false;
    return true;
  }

  /** Takes entries that were looked up; false (and nothing taken) when the answer is not of this head or older. */
  remember(lookup: HeadLookup): boolean {
    if (!this.#covers(lookup)) return false;
    for (const entry of lookup.entries) {
      const held = this.#entries.get(entry.name);
      if (held === undefined || held.index <= entry.index) this.#hold(entry);
    }
    return true;
  }

  #covers(answer: ReplicaPosition): boolean {
    const held = this.#position;
    return (
      held !== null &&
      answer.cluster_id === held.cluster_id &&
      answer.epoch === held.epoch &&
      answer.index >= held.index
    );
  }

  #hold(entry: HeadEntry): void {
    this.#entries.set(entry.name, entry, ENTRY_BYTES + entry.name.length);
  }

  #revoke(revocations: readonly Revocation[], nowMs: number): void {
    if (revocations.length === 0) return;
    for (const [jti, expiresAtMs] of this.#revocations) {
      // An expired token is refused anyway.
      if (expiresAtMs <= nowMs) this.#revocations.delete(jti);
    }
    for (const { jti, expires_at_ms } of revocations) this.#revocations.set(jti, expires_at_ms);
  }
}
