import type { Locate, ParseError, TextPosition } from "../../domain/config/format-plugin.ts";

/** Position of a UTF-16 offset. Lines end with LF, CRLF or a lone CR. */
export function positionAt(text: string, offset: number): TextPosition {
  let line = 1;
  let lineStart = 0;
  const end = Math.min(offset, text.length);
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === 10 || (code === 13 && text.charCodeAt(i + 1) !== 10)) {
      line++;
      lineStart = i + 1;
    }
  }
  return { line, column: end - lineStart + 1 };
}

/** Looks for one place at a time, and lets others have their turn after each. */
export function locateEach(find: (path: readonly string[]) => TextPosition | null): Locate {
  return function* (paths) {
    const found: (TextPosition | null)[] = [];
    for (const path of paths) {
      found.push(find(path));
      yield;
    }
    return found;
  };
}

const BYTE_ORDER_MARK = "\uFEFF";

/**
 * Decodes UTF-8 strictly. A byte order mark stays in the text: each format decides about it. For bytes that are not
 * UTF-8 the error stands at the first bad one.
 */
export function decodeUtf8(
  bytes: Uint8Array,
): { ok: true; text: string } | { ok: false; errors: ParseError[] } {
  try {
    return { ok: true, text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const lenient = new TextDecoder("utf-8", { fatal: false, ignoreBOM: true }).decode(bytes);
    const at = positionAt(lenient, firstBadOffset(lenient, bytes));
    return { ok: false, errors: [{ message: "the bytes are not valid UTF-8", ...at }] };
  }
}

/** Offset of the first replacement character that was not itself in the bytes (EF BF BD). */
function firstBadOffset(lenient: string, bytes: Uint8Array): number {
  let byteOffset = 0;
  for (let i = 0; i < lenient.length; i++) {
    const code = lenient.charCodeAt(i);
    if (code === 0xfffd && !(bytes[byteOffset] === 0xef && bytes[byteOffset + 1] === 0xbf)) return i;
    if (code < 0x80) byteOffset += 1;
    else if (code < 0x800) byteOffset += 2;
    else if (code >= 0xd800 && code < 0xdc00) {
      byteOffset += 4;
      i++;
    } else byteOffset += 3;
  }
  return 0;
}

export function hasByteOrderMark(text: string): boolean {
  return text.startsWith(BYTE_ORDER_MARK);
}
