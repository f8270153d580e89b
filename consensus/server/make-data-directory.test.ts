import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeDataDirectory } from "./make-data-directory.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "conflux-data-"));
});
afterEach(() => rmSync(root, { recursive: true }));

describe("R3 the data directory", () => {
  it("R3 every name that was made for it is synced in the directory that holds it, and no other", () => {
    const directory = join(root, "a", "b", "data");
    const synced: string[] = [];
    const sync = (parent: string): void => {
      expect(existsSync(parent)).toBe(true);
      synced.push(relative(root, parent));
    };
    makeDataDirectory(directory, sync);
    expect(synced.toSorted()).toEqual(["", "a", join("a", "b")]);
    makeDataDirectory(directory, sync);
    makeDataDirectory(relative(process.cwd(), join(root, "c")), sync);
    expect(synced.slice(3)).toEqual([""]);
  });

  it("R3 ends at a path that goes up again", () => {
    makeDataDirectory(`${root}/missing/../../${basename(root)}/d`, () => undefined);
    expect([existsSync(join(root, "d")), existsSync(join(root, "missing"))]).toEqual([true, false]);
  });

  it("R3 is synced on this system", () => {
    makeDataDirectory(join(root, "a", "data"));
    expect(existsSync(join(root, "a", "data"))).toBe(true);
  });
});
