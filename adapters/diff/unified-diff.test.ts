import { applyPatch } from "diff";
import { array, assert, boolean, constantFrom, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { DIFF_EDITS_MAX, DIFF_LINES_MAX } from "../../contracts/limits.ts";
import { unifiedDiff } from "./unified-diff.ts";

const diff = (from: string, to: string) =>
  unifiedDiff({ name: "t/a/e/n@1", text: from }, { name: "t/a/e/n@2", text: to });
const lines = (count: number, line: (i: number) => string): string =>
  Array.from({ length: count }, (_, i) => `${line(i)}\n`).join("");

describe("C9 unified diff", () => {
  it("shows changes with three lines around them, joined where they touch", () => {
    const from = lines(20, (i) => `line ${i + 1}`);
    const to = from.replace("line 5\n", "line five\n").replace("line 16\n", "");
    expect(diff(from, to)).toBe(
      "--- t/a/e/n@1\n+++ t/a/e/n@2\n@@ -2,7 +2,7 @@\n line 2\n line 3\n line 4\n-line 5\n+line five\n line 6\n line 7\n line 8\n" +
        "@@ -13,7 +13,6 @@\n line 13\n line 14\n line 15\n-line 16\n line 17\n line 18\n line 19\n",
    );
  });

  it("says where a text has no line end, and tells CRLF from LF", () => {
    expect(diff("a", "a\n")).toContain("-a\n\\ No newline at end of file\n+a\n");
    expect(diff("a\r\nb\n", "a\nb\n")).toContain("-a\r\n+a\n b\n");
    expect(diff("", "a\n")).toContain("@@ -0,0 +1 @@\n+a\n");
    expect(diff("a\n", "")).toContain("@@ -1 +0,0 @@\n-a\n");
    expect(diff("a", "a")).toBe("");
  });

  it("turns one text into the other when a patch program applies it", () => {
    const text = array(constantFrom("a", "b", "c", "", "x y"), { maxLength: 30 });
    assert(
      property(text, text, boolean(), boolean(), (a, b, endA, endB) => {
        const [from, to] = [a.join("\n") + (endA ? "\n" : ""), b.join("\n") + (endB ? "\n" : "")];
        const patch = diff(from, to);
        if (patch === null) throw new Error("no diff");
        if (from !== to) expect(applyPatch(from, patch, { autoConvertLineEndings: false })).toBe(to);
      }),
      { numRuns: 1000 },
    );
  });

  it("gives up on texts that are too long, too different, or bad for the algorithm", () => {
    const short = lines(DIFF_EDITS_MAX / 2, (i) => `a${i}`);
    expect(diff(short, short.replaceAll("a", "b"))).not.toBeNull();
    expect(
      diff(
        lines(DIFF_EDITS_MAX, (i) => `a${i}`),
        lines(DIFF_EDITS_MAX, (i) => `b${i}`),
      ),
    ).toBeNull();
    expect(diff("x", lines(DIFF_LINES_MAX, String))).toBeNull();
    // Every line may be any other: each path through the edit graph is long.
    const alike = lines(DIFF_LINES_MAX - 1, (i) => (i % 7 < 3 ? "a" : "b"));
    expect(
      diff(
        alike,
        lines(DIFF_LINES_MAX - 1, (i) => (i % 5 < 3 ? "a" : "b")),
      ),
    ).toBeNull();
    const wide = "w".repeat(100_000);
    expect(
      diff(
        lines(20, (i) => `${wide}${i}`),
        lines(20, (i) => `${wide}${i + 20}`),
      ),
    ).toBeNull();
  });

  it("finds a small change in a long text", () => {
    const long = lines(DIFF_LINES_MAX - 1, (i) => `key.${i} = ${i}`);
    expect(diff(long, long.replace("key.70000 = 70000", "key.70000 = 1"))).toMatch(
      /^-key\.70000 = 70000\n\+key\.70000 = 1$/m,
    );
  });
});
