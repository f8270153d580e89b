import { describe, expect, it } from "vitest";
import { type KnownRestore, lineage } from "./lineage.ts";

const restore = (epoch: number, firstIndex: number, restoredIndex: number): KnownRestore => ({
  epoch,
  firstIndex,
  restoredIndex,
});
/** Positions `epoch/index` of those given that are in the lineage. */
function kept(restores: KnownRestore[], positions: string[]): string[] {
  const stretches = lineage(restores);
  return positions.filter((position) => {
    const [epoch = 0, index = 0] = position.split("/").map(Number);
    return stretches.some(
      (s) =>
        epoch >= s.fromEpoch &&
        epoch <= (s.toEpoch ?? epoch) &&
        index >= s.fromIndex &&
        index <= (s.toIndex ?? index),
    );
  });
}
const FIRST = ["1/1", "1/5", "1/6", "1/8", "1/9", "1/10"];
const SECOND = ["2/11", "2/15", "2/19"];

describe("R13 P3 what of a log the state comes from", () => {
  it.each<[string, KnownRestore[], string[]]>([
    ["all of it without a restore", [], [...FIRST, ...SECOND]],
    ["what the backup held, and what came after", [restore(2, 11, 5)], ["1/1", "1/5", ...SECOND]],
    ["with an older backup after a newer one", [restore(2, 11, 8), restore(3, 20, 5)], ["1/1", "1/5"]],
    [
      "with a newer backup after an older one: what was rolled back is there again",
      [restore(3, 20, 8), restore(2, 11, 5)],
      ["1/1", "1/5", "1/6", "1/8"],
    ],
    [
      "with a backup of the second epoch, which came from the first one's",
      [restore(2, 11, 5), restore(3, 20, 15)],
      ["1/1", "1/5", "2/11", "2/15"],
    ],
    [
      "with a restore between that the last backup knows nothing of",
      [restore(2, 11, 8), restore(3, 20, 1), restore(4, 30, 15)],
      ["1/1", "1/5", "1/6", "1/8", "2/11", "2/15"],
    ],
  ])("%s", (_name, restores, wanted) => {
    expect(kept(restores, [...FIRST, ...SECOND])).toEqual(wanted);
  });

  it("a cluster made anew: what the lost one had past the backup is not of the new log", () => {
    expect(kept([restore(2, 6, 5)], ["1/5", "1/6", "1/9", "2/6", "2/9"])).toEqual(["1/5", "2/6", "2/9"]);
  });
});
