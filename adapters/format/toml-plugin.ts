import { parse, TomlDate, TomlError } from "smol-toml";
import { CONTENT_DEPTH_MAX } from "../../contracts/limits.ts";
import type { FormatPlugin, ParseOutcome } from "../../domain/config/format-plugin.ts";
import { depthMessage, findExcess } from "./bound-document.ts";
import { decodeUtf8, hasByteOrderMark } from "./text-position.ts";
import { findBeyondToml10 } from "./toml-strict.ts";

/**
 * TOML 1.0; what only 1.1 has is refused. A leading byte order mark is ignored, as TOML readers do. For schemas, dates and times are their RFC 3339
 * text and integers beyond 2^53 the nearest number; the stored bytes keep what was written.
 */
export const tomlPlugin: FormatPlugin = { name: "toml", structured: true, parse: parseToml };

function parseToml(bytes: Uint8Array): ParseOutcome {
  const decoded = decodeUtf8(bytes);
  if (!decoded.ok) return decoded;
  const text = hasByteOrderMark(decoded.text) ? decoded.text.slice(1) : decoded.text;
  let table: unknown;
  try {
    table = parse(text, { maxDepth: CONTENT_DEPTH_MAX, integersAsBigInt: "asNeeded" });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { ok: false, errors: [{ message: summary(error), line: error.line, column: error.column }] };
  }
  const beyond = findBeyondToml10(text);
  if (beyond !== null) return { ok: false, errors: [beyond] };
  const excess = findExcess(table);
  if (excess !== null) return { ok: false, errors: [{ message: excess, line: 1, column: 1 }] };
  return { ok: true, value: toJsonData(table) };
}

/** The parser's first line without its prefix: the lines after it draw the place, which `line` and `column` name. */
function summary(error: TomlError): string {
  const first = (error.message.split("\n")[0] ?? "").replace(/^Invalid TOML document: /, "");
  return first.includes("excessively nested") ? depthMessage : first;
}

/** Recursion is bounded: `findExcess` has passed the value. */
function toJsonData(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value);
  if (value instanceof TomlDate) return value.toISOString();
  if (Array.isArray(value)) return value.map(toJsonData);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJsonData(item)]));
}
