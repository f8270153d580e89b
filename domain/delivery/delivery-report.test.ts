import { describe, expect, it } from "vitest";
import { isNewerReport, type ReportPlace, reportTimeMs } from "./delivery-report.ts";

const at = (reported_at_ms: number, index?: number, epoch = 1, cluster_id = "c1"): ReportPlace => ({
  reported_at_ms,
  position: index === undefined ? null : { cluster_id, epoch, index },
});

describe("E16 the newest report of a client", () => {
  it.each([
    ["a higher index, whatever the clock says", at(1, 20), at(9, 10)],
    ["a higher epoch, whatever the index", at(1, 5, 2), at(9, 10, 1)],
    ["a later clock at the same index", at(2, 10), at(1, 10)],
    ["an index that we signed, whatever the clock of one without says", at(1, 10), at(9)],
    ["a later clock where neither has an index", at(2), at(1)],
    ["a later clock in another cluster", at(2, 1, 1, "c2"), at(1, 10)],
  ])("%s is newer", (_, newer, older) => {
    expect([isNewerReport(newer, older), isNewerReport(older, newer)]).toEqual([true, false]);
  });

  it("is not newer than itself, so that a repetition changes nothing", () => {
    for (const report of [at(1, 10), at(1)]) expect(isNewerReport(report, report)).toBe(false);
  });

  it("is never from the future", () => {
    expect([reportTimeMs(500, 100), reportTimeMs(50, 100)]).toEqual([100, 50]);
  });
});
