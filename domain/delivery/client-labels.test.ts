import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseClientLabels, utf8Bytes } from "./client-labels.ts";

const limits = { labelsMax: 3, nameBytesMax: 8, valueBytesMax: 10 };
const parse = (headers: [string, string][]) => parseClientLabels(headers, limits);

describe("parseClientLabels", () => {
  it("E1 reads names without regard to case and values exactly", () => {
    const parsed = parse([
      ["Host", "x"],
      ["X-Client-Label-Canary", "True"],
      ["x-client-label-IP", "10.0.0.1"],
      ["x-client-labels", "no"],
      ["x-client", "no"],
    ]);
    const labels = parsed.ok ? parsed.labels : new Map<string, string>();
    expect([...labels.keys()].map((name) => [name, labels.get(name)])).toEqual([
      ["canary", "True"],
      ["ip", "10.0.0.1"],
    ]);
  });

  it("accepts exactly the limits", () => {
    const headers = ["a", "b", "c".repeat(8)].map((n): [string, string] => [
      `x-client-label-${n}`,
      "v".repeat(10),
    ]);
    expect(parse(headers).ok).toBe(true);
  });

  it.each([
    [
      "a label flood",
      ["a", "b", "c", "d"].map((n): [string, string] => [`x-client-label-${n}`, "1"]),
      "4 labels",
    ],
    ["a long name", [[`x-client-label-${"n".repeat(9)}`, "1"]], "at most 8 bytes"],
    ["a long value", [["x-client-label-a", "v".repeat(11)]], "at most 10 bytes"],
    ["a value long in bytes alone", [["x-client-label-a", "\u20ac".repeat(4)]], "at most 10 bytes"],
    ["no name", [["x-client-label-", "1"]], "needs a name"],
  ] as [string, [string, string][], string][])("refuses %s", (_, headers, message) => {
    const parsed = parse(headers);
    expect(parsed.ok ? [] : parsed.errors.map((e) => e.message)).toEqual([expect.stringContaining(message)]);
  });

  it("reports no more of a flood than the limit", () => {
    const headers = Array.from({ length: 5000 }, (_, i): [string, string] => [
      `x-client-label-${i}${"n".repeat(99)}`,
      "",
    ]);
    const parsed = parse(headers);
    expect(parsed.ok ? 0 : parsed.errors.length).toBe(limits.labelsMax + 1);
  });

  it("counts bytes like an encoder", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(utf8Bytes(text)).toBe(new TextEncoder().encode(text).byteLength);
      }),
    );
  });
});
