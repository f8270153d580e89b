import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const codeOf = (path: string): string =>
  readFileSync(join(import.meta.dirname, "../..", path), "utf8").replace(/^\/\/.*\n/, "");

it("C13 the command line and the admin API write YAML alike: a change of one is made in the other", () => {
  expect(codeOf("cli/to-yaml.ts")).toBe(codeOf("workers/admin/to-yaml.ts"));
});
