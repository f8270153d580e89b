import type {
  FormatPlugin,
  ParseError,
  ParseOutcome,
  TextPosition,
} from "../../domain/config/format-plugin.ts";
import { decodeUtf8, hasByteOrderMark, locateEach } from "./text-position.ts";

const INI_ERRORS_MAX = 20;

/**
 * INI has no standard, so this is what its readers have in common: `[section]` lines, `key = value` lines, comments that
 * begin a line with `;` or `#`. A value is its text without the white space and the pair of quotes around it; a key
 * without `=` is null. What readers disagree about is refused: a key or a section that stands twice, control characters.
 */
export const iniPlugin: FormatPlugin = { name: "ini", structured: true, parse: parseIni };

interface Section {
  position: TextPosition;
  values: Map<string, string | null>;
  positions: Map<string, TextPosition>;
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

function parseIni(bytes: Uint8Array): ParseOutcome {
  const decoded = decodeUtf8(bytes);
  if (!decoded.ok) return decoded;
  const text = hasByteOrderMark(decoded.text) ? decoded.text.slice(1) : decoded.text;
  const root = newSection({ line: 1, column: 1 });
  const sections = new Map<string, Section>();
  const errors: ParseError[] = [];
  let current = root;
  for (const [i, line] of text.split(/\r\n|\n|\r/).entries()) {
    const body = line.trim();
    const position = { line: i + 1, column: line.length - line.trimStart().length + 1 };
    const refuse = (message: string, column = position.column): void => {
      errors.push({ message, line: position.line, column });
    };
    if (errors.length >= INI_ERRORS_MAX) break;
    const control = CONTROL.exec(line);
    if (control !== null) refuse("a control character is not allowed", control.index + 1);
    else if (body === "" || body.startsWith(";") || body.startsWith("#")) continue;
    else if (body.startsWith("[")) {
      const name = sectionName(body);
      if (name === null) refuse('a section is one line "[name]"');
      else if (sections.has(name) || root.values.has(name)) refuse(`${JSON.stringify(name)} stands twice`);
      else sections.set(name, (current = newSection(position)));
    } else addKey(body, position, current, refuse);
  }
  if (errors.length > 0) return { ok: false, errors };
  const value = Object.fromEntries([
    ...root.values,
    ...[...sections].map(([name, { values }]) => [name, Object.fromEntries(values)] as const),
  ]);
  return { ok: true, value, locate: locateEach((path) => locate(path, root, sections)) };
}

function newSection(position: TextPosition): Section {
  return { position, values: new Map(), positions: new Map() };
}

function sectionName(body: string): string | null {
  if (!body.endsWith("]")) return null;
  const name = body.slice(1, -1).trim();
  return name === "" || name.includes("]") || name.includes("[") ? null : name;
}

function addKey(
  body: string,
  position: TextPosition,
  { values, positions }: Section,
  refuse: (message: string) => void,
): void {
  const at = body.indexOf("=");
  const key = (at === -1 ? body : body.slice(0, at)).trim();
  if (key === "") refuse('a key must stand before "="');
  else if (values.has(key)) refuse(`the key ${JSON.stringify(key)} stands twice`);
  else {
    values.set(key, at === -1 ? null : unquote(body.slice(at + 1).trim()));
    positions.set(key, position);
  }
}

function unquote(text: string): string {
  const quote = text[0];
  const quoted = (quote === '"' || quote === "'") && text.length >= 2 && text.endsWith(quote);
  return quoted ? text.slice(1, -1) : text;
}

function locate(
  [first, second]: readonly string[],
  root: Section,
  sections: ReadonlyMap<string, Section>,
): TextPosition | null {
  if (first === undefined) return root.position;
  const section = sections.get(first);
  if (section === undefined) return second === undefined ? (root.positions.get(first) ?? null) : null;
  return second === undefined ? section.position : (section.positions.get(second) ?? null);
}
