/**
 * A lease keeps two workers from doing the same work at once. It is no lock: a holder that stalls past its end does not
 * know that another has taken over, so what it guards must stay right without it.
 * Every verb rejects with `unavailable` when the store is away; an acquisition may then still have happened.
 */
export interface LeaseStore {
  /**
   * Takes the lease `name` for `ttlMs` and answers true; false, with nothing changed, when another holder's has not
   * ended. Who holds it already gets it anew.
   */
  acquire(name: string, holder: string, ttlMs: number): Promise<boolean>;
  /** Ends the lease when `holder` has it; otherwise does nothing. */
  release(name: string, holder: string): Promise<void>;
}
