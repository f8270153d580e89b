import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";

const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  encoding: "utf8",
}).split("\n");

/** Where a kind of test is looked for; elsewhere it would never run, and nobody would notice (vitest.config.ts). */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  ".workers.test.ts": ["workers/", "sdk/", "test/workers/"],
  ".e2e.test.ts": ["test/e2e/"],
};

it.each(Object.entries(PLACES))("U7 every test named *%s is below %s, where it runs", (suffix, folders) => {
  const named = tracked.filter((path) => path.endsWith(suffix));
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((path) => !folders.some((folder) => path.startsWith(folder)))).toEqual([]);
});
