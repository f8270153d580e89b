import { describe, expect, it } from "vitest";
import { locationGroup } from "./location-group.ts";

const LOCATIONS = "FRA AMS LHR CDG MAD MXP VIE WAW ARN CPH HEL OSL ZRH BRU DUB LIS PRG BUD SOF ATH".split(
  " ",
);

describe("locationGroup", () => {
  it("E11 gives a location one group, and spreads locations over all of them", () => {
    const groups = LOCATIONS.map((location) => locationGroup(location, 4));
    expect(groups).toEqual(LOCATIONS.map((location) => locationGroup(location, 4)));
    expect(new Set(groups)).toEqual(new Set([0, 1, 2, 3]));
  });

  it("E11 knows one group without a location, and with one group", () => {
    expect(locationGroup(undefined, 4)).toBe(0);
    for (const location of LOCATIONS) expect(locationGroup(location, 1)).toBe(0);
  });
});
