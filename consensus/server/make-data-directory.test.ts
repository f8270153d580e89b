import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
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
    makeDataDirectory(directory, { sync });
    expect(synced.toSorted()).toEqual(["", "a", join("a", "b")]);
    makeDataDirectory(directory, { sync });
    makeDataDirectory(relative(process.cwd(), join(root, "c")), { sync });
    expect(synced.slice(3)).toEqual([""]);
  });

  it("R3 ends at a path that goes up again", () => {
    makeDataDirectory(`${root}/missing/../../${basename(root)}/d`, { sync: () => undefined });
    expect([existsSync(join(root, "d")), existsSync(join(root, "missing"))]).toEqual([true, false]);
  });

  it("R3 is synced on this system", () => {
    makeDataDirectory(join(root, "a", "data"));
    expect(existsSync(join(root, "a", "data"))).toBe(true);
  });

  it("is its owner's alone when it is made, and keeps its mode when it is there", () => {
    const mode = (path: string): number => statSync(path).mode & 0o777;
    makeDataDirectory(join(root, "a", "data"));
    expect(mode(join(root, "a", "data"))).toBe(0o700);
    mkdirSync(join(root, "b"));
    chmodSync(join(root, "b"), 0o750);
    makeDataDirectory(join(root, "b"));
    expect(mode(join(root, "b"))).toBe(0o750);
  });

  it("says what the file system says of the outermost directory that it cannot make", () => {
    const make = (path: string): void => {
      const message = `EROFS: read-only file system, mkdir '${path}'`;
      throw Object.assign(new Error(message), { code: "EROFS" });
    };
    expect(() => makeDataDirectory(join(root, "a", "data"), { make })).toThrow(
      `EROFS: read-only file system, mkdir '${join(root, "a")}'`,
    );
  });

  it("refuses a file in its place, and in the place of one above it", () => {
    const file = join(root, "file");
    writeFileSync(file, "");
    expect(() => makeDataDirectory(file)).toThrow("EEXIST");
    expect(() => makeDataDirectory(join(file, "data"))).toThrow("ENOTDIR");
  });
});
