import type { FormatPlugin, ParseOutcome } from "../../domain/config/format-plugin.ts";
import { decodeUtf8, hasByteOrderMark, locateEach, positionAt } from "./text-position.ts";
import { type XmlElement, XmlFault, XmlScanner } from "./xml-scanner.ts";

/**
 * XML 1.0, well formed, in UTF-8. As JSON an element is its text when it has neither attributes nor elements inside;
 * otherwise an object of its attributes (`@name`), its elements by name (a list where a name repeats) and its own text
 * if there is any (`#text`). All values are texts, without the white space around them; the document is an object that
 * holds the root element by its name. Names keep their prefixes; comments and processing instructions count for nothing.
 */
export const xmlPlugin: FormatPlugin = { name: "xml", structured: true, parse: parseXml };

function parseXml(bytes: Uint8Array): ParseOutcome {
  const decoded = decodeUtf8(bytes);
  if (!decoded.ok) return decoded;
  const text = hasByteOrderMark(decoded.text) ? decoded.text.slice(1) : decoded.text;
  let root: XmlElement;
  try {
    root = new XmlScanner(text).read();
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error;
    return { ok: false, errors: [{ message: error.message, ...positionAt(text, error.offset) }] };
  }
  const value = Object.fromEntries([[root.name, toJsonData(root)]]);
  return {
    ok: true,
    value,
    locate: locateEach((path) => {
      const offset = findOffset(path, root);
      return offset === null ? null : positionAt(text, offset);
    }),
  };
}

/** Recursion is bounded by `XML_DEPTH_MAX`. */
function toJsonData(element: XmlElement): unknown {
  const text = element.text.trim();
  if (element.attributes.length === 0 && element.children.length === 0) return text;
  const fields = new Map<string, unknown>();
  for (const { name, value } of element.attributes) fields.set(`@${name}`, value);
  for (const [name, same] of Map.groupBy(element.children, (child) => child.name)) {
    const values = same.map(toJsonData);
    fields.set(name, values.length === 1 ? values[0] : values);
  }
  if (text !== "") fields.set("#text", text);
  return Object.fromEntries(fields);
}

function findOffset([first, ...path]: readonly string[], root: XmlElement): number | null {
  if (first === undefined) return root.offset;
  if (first !== root.name) return null;
  let element = root;
  for (let i = 0; i < path.length; i++) {
    const key = path[i] ?? "";
    if (key === "#text") return element.offset;
    if (key.startsWith("@")) return element.attributes.find(({ name }) => `@${name}` === key)?.offset ?? null;
    const same = element.children.filter((child) => child.name === key);
    const index = same.length > 1 && path[i + 1] !== undefined ? Number(path[++i]) : 0;
    const next = same[index];
    if (next === undefined) return null;
    element = next;
  }
  return element.offset;
}
