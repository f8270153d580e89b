import { expect, it } from "vitest";
import type { LeaseStore } from "../../../contracts/lease/lease-store.ts";

/** What every `LeaseStore` promises. `make` answers stores over the same leases, with a clock each. */
export function leaseStoreConformance(make: (nowMs: () => number) => LeaseStore): void {
  const nowMs = Date.UTC(2026, 0, 1, 0, 0, 0, 250);
  const store = (): LeaseStore => make(() => nowMs);
  let serial = 0;
  const newName = (): string => `lease/${(serial += 1)}`;

  it("is had by one holder, who may take it again", async () => {
    const name = newName();
    expect(await store().acquire(name, "a", 1000)).toBe(true);
    expect(await store().acquire(name, "b", 1000)).toBe(false);
    expect(await store().acquire(name, "a", 1000)).toBe(true);
    expect(await store().acquire(newName(), "b", 1000)).toBe(true);
  });

  it("of many at once exactly one has it", async () => {
    const name = newName();
    const holders = Array.from({ length: 8 }, (_, i) => `h${i}`);
    const got = await Promise.all(holders.map((holder) => store().acquire(name, holder, 1000)));
    expect(got.filter(Boolean)).toHaveLength(1);
  });

  it("is free once its holder has let go, and nobody else can let go of it", async () => {
    const name = newName();
    await store().acquire(name, "a", 1000);
    await store().release(name, "b");
    expect(await store().acquire(name, "b", 1000)).toBe(false);
    await store().release(name, "a");
    await store().release(name, "a");
    expect(await store().acquire(name, "b", 1000)).toBe(true);
  });

  it("L5 one that has ended is free before it is removed; who took it anew holds it", async () => {
    const name = newName();
    await store().acquire(name, "a", 1000);
    expect(await make(() => nowMs + 999).acquire(name, "b", 1000)).toBe(false);
    expect(await make(() => nowMs + 1000).acquire(name, "b", 1000)).toBe(true);
    await store().release(name, "a");
    expect(await make(() => nowMs + 1001).acquire(name, "a", 1000)).toBe(false);
  });
}
