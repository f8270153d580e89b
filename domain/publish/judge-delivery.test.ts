import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judgeDelivery } from "./judge-delivery.ts";

const gate = { max_error_percent: 2, sample_min: 50 };
const judge = (withVersion: [number, number], others: [number, number]) =>
  judgeDelivery(gate, {
    withVersion: { clients: withVersion[0], failing: withVersion[1] },
    others: { clients: others[0], failing: others[1] },
  });

describe("P5 E16 a version is judged by what clients report", () => {
  it.each([
    ["nobody has it", [0, 0], [1000, 0], "waits"],
    ["too few have it, though all fail", [49, 49], [1000, 0], "waits"],
    ["as many as are needed, none fails", [50, 0], [0, 0], "holds"],
    ["just as much more as is allowed", [100, 2], [1000, 0], "holds"],
    ["one more", [100, 3], [1000, 0], "fails"],
    ["what fails without it, too, is not its fault", [100, 12], [1000, 100], "holds"],
    ["but what is on top of that is", [100, 13], [1000, 100], "fails"],
    ["too few others excuse nothing", [100, 13], [49, 49], "fails"],
    ["fewer fail with it than without", [100, 0], [1000, 500], "holds"],
  ] as [string, [number, number], [number, number], string][])(
    "%s",
    (_what, withVersion, others, verdict) => {
      expect(judge(withVersion, others).verdict).toBe(verdict);
    },
  );

  it("says how many of how many", () => {
    expect(judge([12, 0], [0, 0])).toEqual({ verdict: "waits", reason: "12 of 50 clients have reported" });
    expect(judge([100, 13], [1000, 100])).toEqual({
      verdict: "fails",
      reason:
        "13.0 % of 100 clients fail with the version, 10.0 % of 1000 without it; allowed are 2 points more",
    });
  });

  it("one more client that fails never makes a version better, one more of the others never worse", () => {
    const counts = fc
      .integer({ min: 0, max: 500 })
      .chain((clients) =>
        fc.record({ clients: fc.constant(clients), failing: fc.integer({ min: 0, max: clients }) }),
      );
    const rank = { holds: 0, waits: 1, fails: 2 };
    fc.assert(
      fc.property(counts, counts, (withVersion, others) => {
        const now = rank[judgeDelivery(gate, { withVersion, others }).verdict];
        if (withVersion.failing < withVersion.clients) {
          const worse = { ...withVersion, failing: withVersion.failing + 1 };
          expect(rank[judgeDelivery(gate, { withVersion: worse, others }).verdict]).toBeGreaterThanOrEqual(
            now,
          );
        }
        if (others.failing < others.clients) {
          const better = { ...others, failing: others.failing + 1 };
          expect(rank[judgeDelivery(gate, { withVersion, others: better }).verdict]).toBeLessThanOrEqual(now);
        }
      }),
    );
  });
});
