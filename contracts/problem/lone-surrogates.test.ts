import { expect, test } from "vitest";
import { findLoneSurrogates, LONE_SURROGATE_MESSAGE as message } from "./lone-surrogates.ts";

const find = (text: string) => findLoneSurrogates(text, () => JSON.parse(text) as unknown);

test.each([
  [String.raw`"\ud800"`, [""]],
  [String.raw`{"a":"\uDC00z"}`, ["/a"]],
  [String.raw`{"a":[0,{"b/c":"x\uD83D"},null]}`, ["/a/1/b~1c"]],
  [String.raw`{"x\ud800":{"a":"\ud800"}}`, ["/x\ufffd"]],
  [String.raw`{"a":"\ud800","b":"\ude00\ud83d"}`, ["/a", "/b"]],
])("half a character in %s is found by its path", (text, paths) => {
  expect(find(text)).toEqual(paths.map((path) => ({ path, message })));
});

test.each([
  String.raw`"\ud83d\ude00"`,
  String.raw`{"😀":"\uD83D\uDE00 \\ud800"}`,
  String.raw`{"a":"\ufffd"}`,
  "null",
])("%s is Unicode text", (text) => {
  expect(find(text)).toEqual([]);
});

test("one of millions of members is found, and nothing is kept of the others", () => {
  const million = "0,".repeat(1_000_000);
  expect(find(`["\\ud83d\\ude00",${million}"\\ud800"]`)).toEqual([{ path: "/1000001", message }]);
});

test("a document may be nested as deep as JSON can be read, and says no more than 50 of its faults", () => {
  expect(find(`${"[".repeat(5_000)}"\\ud800"${"]".repeat(5_000)}`)).toHaveLength(1);
  expect(find(JSON.stringify(Array.from({ length: 200 }, () => "\ud800")))).toHaveLength(50);
});
