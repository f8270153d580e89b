import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const text = readFileSync("docs/security.md", "utf8");
const section = /^## Threats.*?$(.*?)^#/ms.exec(text)?.[1] ?? "";
const rows = section
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .slice(1)
  .map((line) => line.split("|").map((cell) => cell.trim()));

describe("A4 every threat of docs/security.md has a test that is there", () => {
  it("has threats", () => {
    expect(rows.length).toBeGreaterThan(20);
  });
  it.each(rows.map(([, threat = "", stop = "", tests = ""]) => ({ threat, stop, tests })))(
    "$threat",
    ({ stop, tests }) => {
      expect(stop).not.toBe("");
      const named = [...tests.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
      expect(named.length).toBeGreaterThan(0);
      expect(named.filter((path) => !path.endsWith(".test.ts") || !existsSync(path))).toEqual([]);
    },
  );
});
