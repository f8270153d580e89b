import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";

/** One way in which a planted text could stand somewhere. */
export interface PlantedForm {
  name: string;
  bytes: Buffer;
}

const ZSTD_MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const GROUP_BYTES = 3;

/**
 * Every way in which `text` could stand in a file, a row or a log: UTF-8, UTF-16, hex, JSON-escaped once and twice, with
 * and without escapes for what is not ASCII, percent-encoded, and base64 of either alphabet wherever its groups begin.
 */
export function formsOf(text: string): PlantedForm[] {
  const utf8 = Buffer.from(text);
  const json = JSON.stringify(text).slice(1, -1);
  const ascii = toAscii(json);
  const forms: [string, string | Buffer][] = [
    ["utf-8", utf8],
    ["utf-16", Buffer.from(text, "utf16le")],
    ["hex", utf8.toString("hex")],
    ["HEX", utf8.toString("hex").toUpperCase()],
    ["json", json],
    ["ascii json", ascii],
    ["json in json", JSON.stringify(json).slice(1, -1)],
    ["ascii json in json", JSON.stringify(ascii).slice(1, -1)],
    ["percent", encodeURIComponent(text)],
    ...[0, 1, 2].flatMap((offset): [string, string][] => [
      [`base64 at ${offset}`, base64At(utf8, offset, "base64")],
      [`base64url at ${offset}`, base64At(utf8, offset, "base64url")],
    ]),
  ];
  const seen = new Set<string>();
  return forms.flatMap(([name, form]) => {
    const bytes = Buffer.from(form);
    const key = bytes.toString("hex");
    if (seen.has(key)) return [];
    seen.add(key);
    return [{ name, bytes }];
  });
}

/** The characters of base64 that are the same whatever stands before and behind, when `offset` bytes stand before. */
function base64At(bytes: Buffer, offset: number, alphabet: "base64" | "base64url"): string {
  const before = (GROUP_BYTES - offset) % GROUP_BYTES;
  const whole = bytes.subarray(
    before,
    before + Math.floor((bytes.byteLength - before) / GROUP_BYTES) * GROUP_BYTES,
  );
  return whole.toString(alphabet);
}

function toAscii(text: string): string {
  return text.replaceAll(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The names of the forms that `bytes` hold; of what zstd has compressed too. */
export function findPlanted(bytes: Buffer, forms: readonly PlantedForm[]): string[] {
  const texts = [bytes];
  if (bytes.subarray(0, ZSTD_MAGIC.byteLength).equals(ZSTD_MAGIC)) texts.push(zstdDecompressSync(bytes));
  return forms.filter((form) => texts.some((text) => text.includes(form.bytes))).map(({ name }) => name);
}

/** `path: form` for every file below `directory` that holds a form. A file that goes meanwhile holds none. */
export function findInFiles(directory: string, forms: readonly PlantedForm[]): string[] {
  return readdirSync(directory, { recursive: true, encoding: "utf8" }).flatMap((name) => {
    const path = join(directory, name);
    const bytes = readIfFile(path);
    return bytes === null ? [] : findPlanted(bytes, forms).map((form) => `${path}: ${form}`);
  });
}

function readIfFile(path: string): Buffer | null {
  try {
    return statSync(path).isFile() ? readFileSync(path) : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
