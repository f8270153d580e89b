import { describe, expect, it } from "vitest";
import { VirtualTime } from "./virtual-time.ts";

describe("R16 virtual time", () => {
  it("R16 events happen in order of time, then of their making", async () => {
    const time = new VirtualTime();
    const seen: string[] = [];
    for (const [name, delayMs] of [
      ["c", 5],
      ["a", 1],
      ["d", 5],
      ["b", 2],
    ] as const) {
      time.after(delayMs, () => seen.push(`${name}@${time.nowMs()}`));
    }
    await time.run(() => seen.length === 4);
    expect(seen).toEqual(["a@1", "b@2", "c@5", "d@5"]);
  });

  it("R16 every promise that can settle does so before the next event", async () => {
    const time = new VirtualTime();
    const seen: string[] = [];
    const chain = async (): Promise<void> => {
      for (let i = 0; i < 50; i += 1) await Promise.resolve();
      seen.push("chain");
    };
    time.after(1, () => void chain());
    time.after(1, () => seen.push("next"));
    await time.run(() => seen.length === 2);
    expect(seen).toEqual(["chain", "next"]);
  });

  it("R16 sleeping takes virtual time alone", async () => {
    const time = new VirtualTime();
    let isAwake = false;
    const nap = async (): Promise<void> => {
      await time.sleep(3_600_000);
      isAwake = true;
    };
    void nap();
    await time.run(() => isAwake);
    expect(time.nowMs()).toBe(3_600_000);
  });

  it("R16 what an event throws ends the run, and so does a world in which nothing is left", async () => {
    const time = new VirtualTime();
    time.after(1, () => {
      throw new Error("found");
    });
    await expect(time.run(() => false)).rejects.toThrow("found");
    await expect(time.run(() => false)).rejects.toThrow("nothing is left");
  });
});
