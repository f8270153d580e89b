import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
}).split("\n");
const docs = tracked.filter((path) => path.endsWith(".md") && !path.startsWith("test/fixtures/"));
const FOLDERS =
  /^(domain|contracts|consensus|adapters|workers|lambdas|migrations|cdk|deploy|dev|test|docs)\//;

/** Paths a document names: relative links, and code spans that begin with a folder of ours. */
function pathsIn(doc: string, text: string): string[] {
  const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map((m) => m[1]!)
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(doc), target)));
  const spans = [...text.matchAll(/`([^`\s]+)`/g)]
    .map((m) => m[1]!)
    .filter((s) => FOLDERS.test(s) && !/[*{<]/.test(s));
  return [...links, ...spans];
}

describe("U7 every path a document names exists", () => {
  it.each(docs)("%s", (doc) => {
    const missing = pathsIn(doc, readFileSync(doc, "utf8")).filter((path) => !existsSync(path));
    expect(missing).toEqual([]);
  });
});

it("U7 every npm script the README names exists", () => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
  const named = [...readFileSync("README.md", "utf8").matchAll(/npm run ([a-z:-]*[a-z])/g)].map((m) => m[1]!);
  expect(named.filter((name) => !(name in scripts))).toEqual([]);
});
