import type {
  FormatPlugin,
  ParseError,
  ParseOutcome,
  TextPosition,
} from "../../domain/config/format-plugin.ts";
import { locateEach } from "./text-position.ts";

/**
 * java.util.Properties line format: `#` and `!` comments, `=`, `:` or white space after the key, a line continued by an
 * odd number of backslashes, the escapes \t \n \r \f \uXXXX, any other escaped character standing for itself, the last
 * of equal keys winning. Bytes that are not UTF-8 are read as ISO 8859-1, as Java did before 9. The one thing that is
 * an error there is one here: a malformed \uXXXX.
 */
export const propertiesPlugin: FormatPlugin = {
  name: "properties",
  structured: true,
  parse: parseProperties,
};

/** A key with its value as written, joined over continued lines, and where each of its characters came from. */
interface LogicalLine {
  text: string;
  /** Offset in the line and position it stands for, ascending: one for each natural line. */
  pieces: { offset: number; line: number; column: number }[];
}

function parseProperties(bytes: Uint8Array): ParseOutcome {
  const values = new Map<string, string>();
  const positions = new Map<string, TextPosition>();
  const errors: ParseError[] = [];
  for (const logical of logicalLines(decode(bytes))) {
    const end = keyEnd(logical.text);
    const key = unescape(logical, 0, end, errors);
    const value = unescape(logical, valueStart(logical.text, end), logical.text.length, errors);
    values.set(key, value);
    positions.set(key, place(logical, 0));
  }
  if (errors.length > 0) return { ok: false, errors };
  return {
    ok: true,
    value: Object.fromEntries(values),
    locate: locateEach((path) =>
      path.length === 0 ? { line: 1, column: 1 } : (positions.get(path[0] ?? "") ?? null),
    ),
  };
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // The label iso-8859-1 means windows-1252 to a TextDecoder, so the bytes are mapped by hand.
    const parts: string[] = [];
    for (let i = 0; i < bytes.length; i += 8192) {
      parts.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
    }
    return parts.join("");
  }
}

function* logicalLines(text: string): Generator<LogicalLine> {
  let open: { parts: string[]; length: number; pieces: LogicalLine["pieces"] } | null = null;
  for (const [i, natural] of text.split(/\r\n|\n|\r/).entries()) {
    const body = natural.replace(/^[ \t\f]+/, "");
    if (open === null && (body === "" || body[0] === "#" || body[0] === "!")) continue;
    open ??= { parts: [], length: 0, pieces: [] };
    open.pieces.push({ offset: open.length, line: i + 1, column: natural.length - body.length + 1 });
    const backslashes = body.length - body.replace(/\\+$/, "").length;
    const continued = backslashes % 2 === 1;
    const part = continued ? body.slice(0, -1) : body;
    open.parts.push(part);
    open.length += part.length;
    if (continued) continue;
    yield { text: open.parts.join(""), pieces: open.pieces };
    open = null;
  }
  if (open !== null) yield { text: open.parts.join(""), pieces: open.pieces };
}

/** Offset of the first unescaped `=`, `:` or white space. */
function keyEnd(text: string): number {
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? "";
    if (char === "\\") i++;
    else if ("=: \t\f".includes(char)) return i;
  }
  return text.length;
}

function valueStart(text: string, from: number): number {
  const separator = /[ \t\f]*[=:]?[ \t\f]*/y;
  separator.lastIndex = from;
  separator.exec(text);
  return separator.lastIndex;
}

const ESCAPED: Record<string, string> = { t: "\t", n: "\n", r: "\r", f: "\f" };

function unescape(logical: LogicalLine, from: number, to: number, errors: ParseError[]): string {
  const { text } = logical;
  if (!text.includes("\\")) return text.slice(from, to);
  let out = "";
  for (let i = from; i < to; i++) {
    if (text[i] !== "\\") {
      out += text[i];
      continue;
    }
    const char = text[++i];
    if (char === "u") {
      const hex = text.slice(i + 1, Math.min(i + 5, to));
      if (/^[0-9a-fA-F]{4}$/.test(hex)) out += String.fromCharCode(Number.parseInt(hex, 16));
      else errors.push({ message: "\\u must be followed by four hex digits", ...place(logical, i - 1) });
      i += 4;
    } else if (char !== undefined) out += ESCAPED[char] ?? char;
  }
  return out;
}

function place(logical: LogicalLine, offset: number): TextPosition {
  const piece = logical.pieces.findLast((p) => p.offset <= offset) ?? { offset: 0, line: 1, column: 1 };
  return { line: piece.line, column: piece.column + offset - piece.offset };
}
