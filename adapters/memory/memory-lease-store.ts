import type { LeaseStore } from "../../contracts/lease/lease-store.ts";

/** Leases for as long as the process lives. */
export class MemoryLeaseStore implements LeaseStore {
  private readonly leases = new Map<string, { holder: string; endsAtMs: number }>();
  private readonly nowMs: () => number;

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  acquire(name: string, holder: string, ttlMs: number): Promise<boolean> {
    const lease = this.leases.get(name);
    if (lease !== undefined && lease.holder !== holder && lease.endsAtMs > this.nowMs()) {
      return Promise.resolve(false);
    }
    this.leases.set(name, { holder, endsAtMs: this.nowMs() + ttlMs });
    return Promise.resolve(true);
  }

  release(name: string, holder: string): Promise<void> {
    if (this.leases.get(name)?.holder === holder) this.leases.delete(name);
    return Promise.resolve();
  }
}
