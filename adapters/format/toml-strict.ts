import type { ParseError } from "../../domain/config/format-plugin.ts";
import { positionAt } from "./text-position.ts";

/** What a value can be written in: an array or an inline table (top level: neither). */
type Inside = "array" | "table";

const ESCAPE_OF_1_1 = /^\\[ex]/;
/** A date, alone or with a time behind `T`, `t` or one space; or a time alone. */
const DATE_TIME =
  /^(?:(\d{4})-(\d\d)-(\d\d)(?:[Tt ](?=\d))?)?(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:[Zz]|[+-]\d\d:\d\d)?$/;
/** A bare key or value, and the one space that stands within a date-time. */
const BARE = /(?:\d{4}-\d\d-\d\d \d\d:[^\s,\]}#=]*|[^\s,\]}[{#="']+)/y;

/**
 * Finds what the parser takes beyond TOML 1.0: what only 1.1 has (line ends and a comma at the end of an inline table,
 * times without seconds, the escapes `\e` and `\x`), days that no month has, and a second byte order mark. A client that
 * knows 1.0 could not read such a content. `text` is one that the parser has taken, so that brackets and quotes match.
 * Null: nothing. Linear, without recursion.
 */
export function findBeyondToml10(text: string): ParseError | null {
  if (text.startsWith("\uFEFF")) return at(text, 0, "a byte order mark stands at the beginning alone");
  const inside: Inside[] = [];
  let isValue = false;
  let afterComma = false;
  let lineIsEmpty = true;
  let i = 0;
  while (i < text.length) {
    const c = text.charAt(i);
    if (c === "#") {
      i = endOfLine(text, i);
      continue;
    }
    if (c === "\n") {
      if (inside.at(-1) === "table") return at(text, i, "an inline table stands in one line (TOML 1.0)");
      if (inside.length === 0) [isValue, lineIsEmpty] = [false, true];
      i++;
      continue;
    }
    if (c === " " || c === "\t" || c === "\r") {
      i++;
      continue;
    }
    if (c === "}" && afterComma) return at(text, i, "an inline table does not end with a comma (TOML 1.0)");
    afterComma = c === "," && inside.at(-1) === "table";
    if (c === '"' || c === "'") {
      const end = endOfString(text, i);
      const escape = c === '"' ? escapeOf11(text, i, end) : null;
      if (escape !== null) return at(text, escape, "\\e and \\x are no escapes (TOML 1.0)");
      i = end;
    } else if (c === "[" && !isValue && lineIsEmpty && inside.length === 0) {
      i++;
      while (text.charAt(i) === "[") i++;
    } else if (c === "[" || c === "{") {
      inside.push(c === "[" ? "array" : "table");
      isValue = c === "[";
      i++;
    } else if (c === "]" || c === "}") {
      inside.pop();
      i++;
    } else if (c === ",") {
      isValue = inside.at(-1) === "array";
      i++;
    } else if (c === "=") {
      isValue = true;
      i++;
    } else {
      BARE.lastIndex = i;
      const word = BARE.exec(text)?.[0] ?? c;
      const fault = isValue ? dateFault(word.trimEnd()) : null;
      if (fault !== null) return at(text, i, fault);
      i += word.length;
    }
    lineIsEmpty = false;
  }
  return null;
}

function at(text: string, offset: number, message: string): ParseError {
  return { message, ...positionAt(text, offset) };
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end < 0 ? text.length : end;
}

/** Where the string that begins at `from` has ended. */
function endOfString(text: string, from: number): number {
  const quote = text.charAt(from);
  const isBasic = quote === '"';
  const isMultiline = text.startsWith(quote.repeat(3), from);
  const close = isMultiline ? quote.repeat(3) : quote;
  let i = from + close.length;
  while (i < text.length && !text.startsWith(close, i)) i += isBasic && text.charAt(i) === "\\" ? 2 : 1;
  i += close.length;
  // Up to two quotes may stand before the three that close it.
  const last = isMultiline ? i + 2 : i;
  while (i < last && text.charAt(i) === quote) i++;
  return i;
}

function escapeOf11(text: string, from: number, end: number): number | null {
  for (let i = text.indexOf("\\", from); i >= 0 && i < end; i = text.indexOf("\\", i + 2)) {
    if (ESCAPE_OF_1_1.test(text.slice(i, i + 2))) return i;
  }
  return null;
}

function dateFault(word: string): string | null {
  const match = DATE_TIME.exec(word);
  if (match === null) return null;
  const [, year, month, day, time] = match;
  if (year !== undefined && month !== undefined && day !== undefined) {
    const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
    if (!(date.getUTCDate() === Number(day))) return `there is no day ${year}-${month}-${day}`;
  }
  return time !== undefined && time.length < "00:00:00".length ? "a time has seconds (TOML 1.0)" : null;
}
