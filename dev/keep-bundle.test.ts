import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { keepBundle } from "./keep-bundle.ts";

let directory = "";
let path = "";
let source = "";
let made = 0;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "conflux-bundle-"));
  path = join(directory, "kept/program.mjs");
  source = join(directory, "program.ts");
  made = 0;
  writeFileSync(source, "one");
});
afterEach(() => rmSync(directory, { recursive: true }));

/** Stands for esbuild: the bundle is the source's text. */
const keep = (): Promise<string> =>
  keepBundle(path, () => {
    made += 1;
    return Promise.resolve({ text: readFileSync(source, "utf8"), inputs: [source] });
  });

describe("a bundle of an earlier start", () => {
  test("is taken while what went into it is the same", async () => {
    expect([await keep(), await keep(), made]).toEqual(["one", "one", 1]);
    expect(readFileSync(path, "utf8")).toBe("one");
  });

  test("is made again when a file has another size, or another time", async () => {
    await keep();
    writeFileSync(source, "longer");
    expect([await keep(), made]).toEqual(["longer", 2]);
    writeFileSync(source, "shrunk");
    utimesSync(source, new Date(), new Date(Date.now() + 5_000));
    expect([await keep(), made]).toEqual(["shrunk", 3]);
  });

  test("is made again when it is not the one that was described, or half made, or its description is junk", async () => {
    await keep();
    writeFileSync(path, "another program");
    expect([await keep(), made]).toEqual(["one", 2]);
    rmSync(path);
    expect([await keep(), made]).toEqual(["one", 3]);
    for (const [i, junk] of ["", "{", "[]", '{"sha256":"x"}'].entries()) {
      writeFileSync(`${path}.inputs.json`, junk);
      expect([await keep(), made]).toEqual(["one", 4 + i]);
    }
  });

  test("is made again when one of its files is gone", async () => {
    await keep();
    rmSync(source);
    await expect(keep()).rejects.toThrow("ENOENT");
  });

  test("a failed build keeps nothing", async () => {
    await expect(keepBundle(path, () => Promise.reject(new Error("does not resolve")))).rejects.toThrow(
      "does not resolve",
    );
    expect([await keep(), made]).toEqual(["one", 1]);
  });
});
