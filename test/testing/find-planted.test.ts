import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { findInFiles, findPlanted, formsOf } from "./find-planted.ts";

const SECRET = 'pa"ss\\wörd-4711';
const forms = formsOf(SECRET);

describe("K5 the search for a planted text", () => {
  it.each<[string, string | Buffer]>([
    ["as it is", SECRET],
    ["in UTF-16", Buffer.from(SECRET, "utf16le")],
    ["in hex", Buffer.from(SECRET).toString("hex")],
    ["in JSON", JSON.stringify({ a: SECRET })],
    ["in JSON in JSON", JSON.stringify({ a: JSON.stringify({ b: SECRET }) })],
    ["in JSON of ASCII", '{"a":"pa\\"ss\\\\w\\u00f6rd-4711"}'],
    ["in a URL", `/x?q=${encodeURIComponent(SECRET)}`],
    ["compressed", zstdCompressSync(Buffer.from(`before ${SECRET} after`))],
    ...["", "1", "12", "123"].flatMap((before): [string, string][] => [
      [`in base64 after ${before.length}`, Buffer.from(`${before}${SECRET}behind`).toString("base64")],
      [`in base64url after ${before.length}`, Buffer.from(`${before}${SECRET}b`).toString("base64url")],
    ]),
  ])("finds it %s", (_name, text) => {
    const around = Buffer.concat([Buffer.from(text), Buffer.from("\n")]);
    expect(findPlanted(around, forms)).not.toEqual([]);
  });

  it("finds nothing where there is nothing", () => {
    expect(findPlanted(Buffer.from("password 4711 of somebody else"), forms)).toEqual([]);
    expect(findPlanted(Buffer.alloc(0), forms)).toEqual([]);
  });
});

describe("K5 the search of a directory", () => {
  const dir = mkdtempSync(join(tmpdir(), "conflux-planted-"));
  afterEach(() => rmSync(dir, { recursive: true }));
  it("names each file, however deep", () => {
    mkdirSync(join(dir, "a", "b"), { recursive: true });
    writeFileSync(join(dir, "a", "b", "hidden.bin"), `\0\0${SECRET}`);
    writeFileSync(join(dir, "a", "clean.txt"), "nothing");
    expect(findInFiles(dir, forms)).toEqual([`${join(dir, "a", "b", "hidden.bin")}: utf-8`]);
  });
});
