import { describe, expect, it } from "vitest";
import { COLO_TABLE_VERSION, regionOfColo } from "./colo-regions.ts";

const regions = ["us-east-1", "eu-central-1", "ap-southeast-2", "cn-chengdu", "cn-shanghai"];

describe("regionOfColo", () => {
  it.each([
    ["IAD", "us-east-1"],
    ["FRA", "eu-central-1"],
    ["SYD", "ap-southeast-2"],
    ["CTU", "cn-chengdu"],
    ["PVG", "cn-shanghai"],
  ])("E3 maps %s to %s", (colo, region) => {
    expect(regionOfColo(colo, regions)).toBe(region);
  });

  it.each([[undefined], [""], ["XXX"], ["fra"], ["constructor"]])("E3 gives %j the default", (colo) => {
    expect(regionOfColo(colo, regions)).toBe("us-east-1");
  });

  it("E3 gives the default for a region this installation lacks", () => {
    expect(regionOfColo("CTU", ["eu-central-1"])).toBe("eu-central-1");
    expect(() => regionOfColo("CTU", [])).toThrow(RangeError);
  });

  it("has a version to raise with the table", () => {
    expect(COLO_TABLE_VERSION).toBe(1);
  });
});
