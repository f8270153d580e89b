import type { FormatPlugin, ParseOutcome } from "../../domain/config/format-plugin.ts";
import { JsonScanner } from "./json-scanner.ts";
import { locateInJson } from "./locate-json.ts";
import { decodeUtf8, hasByteOrderMark, positionAt } from "./text-position.ts";

/**
 * Strict JSON (RFC 8259): no comments, no trailing commas, no byte order mark; and stricter in one point, in the words
 * of its section 4: names within an object must be unique, because readers disagree about which one counts.
 */
export const jsonPlugin: FormatPlugin = { name: "json", structured: true, parse: parseJson };

function parseJson(bytes: Uint8Array): ParseOutcome {
  const decoded = decodeUtf8(bytes);
  if (!decoded.ok) return decoded;
  const { text } = decoded;
  if (hasByteOrderMark(text)) {
    const message = "JSON must not begin with a byte order mark";
    return { ok: false, errors: [{ message, line: 1, column: 1 }] };
  }
  const fault = new JsonScanner(text).check();
  if (fault !== null) {
    return { ok: false, errors: [{ message: fault.message, ...positionAt(text, fault.offset) }] };
  }
  return {
    ok: true,
    value: JSON.parse(text) as unknown,
    locate: (paths) => locateInJson(text, paths),
  };
}
