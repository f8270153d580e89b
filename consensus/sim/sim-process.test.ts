import { describe, expect, it } from "vitest";
import { createPrng } from "./prng.ts";
import { SimProcess } from "./sim-process.ts";
import { VirtualTime } from "./virtual-time.ts";

/** What a process that was frozen does when it goes on, in order; letters come from outside. */
async function thaw(seed: number): Promise<string> {
  const time = new VirtualTime();
  const process = new SimProcess({ pid: 1, time, rate: 1, onCrashPoint: () => undefined });
  let did = "";
  const note = (what: string) => (): void => {
    did += what;
  };
  process.pause();
  for (const what of "1a2b3c") {
    if (what < "a") process.enter(note(what));
    else process.arrive(note(what));
  }
  expect(did).toBe("");
  process.resume(createPrng(seed));
  await time.run(() => did.length === 6);
  return did;
}

describe("R16 a frozen process that goes on", () => {
  it("does its own work in order, and takes what arrived meanwhile in any", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 40; seed += 1) {
      const did = await thaw(seed);
      expect(did.replaceAll(/[a-c]/g, "")).toBe("123");
      seen.add(did.replaceAll(/\d/g, ""));
    }
    expect([...seen].toSorted()).toEqual(["abc", "acb", "bac", "bca", "cab", "cba"]);
  });
});
