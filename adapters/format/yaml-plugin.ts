import { Composer, type CST, type Document, isNode, Lexer, LineCounter, Parser, type YAMLError } from "yaml";
import { CONTENT_DEPTH_MAX } from "../../contracts/limits.ts";
import type {
  FormatPlugin,
  ParseError,
  ParseOutcome,
  TextPosition,
} from "../../domain/config/format-plugin.ts";
import { depthMessage, DOCUMENT_VALUES_MAX, findExcess } from "./bound-document.ts";
import { decodeUtf8, locateEach, positionAt } from "./text-position.ts";
import { findKeyFaults, type YamlFault } from "./yaml-keys.ts";

/** How often one anchor may be used, aliases inside aliases counted as often as they unfold; stops alias bombs. */
export const YAML_ALIAS_USES_MAX = 10_000;
/** Lexemes of one document. A parsed lexeme costs hundreds of bytes, and a Worker has 128 MB. */
export const YAML_LEXEMES_MAX = 500_000;
const YAML_ERRORS_MAX = 20;

/**
 * YAML 1.2, core schema, with `<<` merge keys (not in 1.2, but in most real files). One document a config: a client
 * that reads a single document would see only the first of several. Keys must be unique.
 */
export const yamlPlugin: FormatPlugin = { name: "yaml", structured: true, parse: parseYaml };

/** What YAML does not allow to be written out (5.1); some of them are the lexer's own marks. */
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;

function parseYaml(bytes: Uint8Array): ParseOutcome {
  const decoded = decodeUtf8(bytes);
  if (!decoded.ok) return decoded;
  const { text } = decoded;
  const control = CONTROL.exec(text);
  if (control !== null) {
    return refuse([{ message: "a control character is not allowed", ...positionAt(text, control.index) }]);
  }
  const lines = new LineCounter();
  const tokens = parseTokens(text, lines);
  if (!Array.isArray(tokens))
    return refuse([{ message: tokens.message, ...positionAt(text, tokens.offset) }]);
  const composer = new Composer({
    version: "1.2",
    schema: "core",
    merge: true,
    lineCounter: lines,
    prettyErrors: false,
    // Checked below by hashing: the library compares every key of a map with every other.
    uniqueKeys: false,
    logLevel: "silent",
  });
  const documents = [...composer.compose(tokens, true, text.length)];
  const errors = documents.flatMap((d) => d.errors);
  if (errors.length > 0) return refuse(errors.slice(0, YAML_ERRORS_MAX).map((e) => toError(e, lines)));
  const [document, second] = documents;
  if (document === undefined) return { ok: true, value: null };
  if (second !== undefined) {
    const message = "a config holds one YAML document; a second one begins here";
    return refuse([{ message, ...place(lines, second.range?.[0] ?? 0) }]);
  }
  const faults = findKeyFaults(document, DOCUMENT_VALUES_MAX).slice(0, YAML_ERRORS_MAX);
  if (faults.length > 0)
    return refuse(faults.map((f) => ({ message: f.message, ...place(lines, f.offset) })));
  return toValue(document, lines);
}

/**
 * Concrete syntax of the whole text. Depth is judged while the text is read: what the parser builds, and the recursion
 * of what comes after it, must be bounded before they happen.
 */
function parseTokens(text: string, lines: LineCounter): CST.Token[] | YamlFault {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  const tokens: CST.Token[] = [];
  let offset = 0;
  let count = 0;
  let flowDepth = 0;
  let indicatorsInLine = 0;
  for (const lexeme of new Lexer().lex(text)) {
    if (++count > YAML_LEXEMES_MAX) return { message: `more than ${YAML_LEXEMES_MAX} lexemes`, offset };
    if (lexeme === "[" || lexeme === "{") flowDepth++;
    else if (lexeme === "]" || lexeme === "}") flowDepth--;
    else if (lexeme === "-" || lexeme === "?" || lexeme === ":") indicatorsInLine++;
    else if (lexeme.includes("\n")) indicatorsInLine = 0;
    // Every block indicator of one line opens a level inside the one before it, unless a flow collection is open.
    if (flowDepth > CONTENT_DEPTH_MAX || (flowDepth === 0 && indicatorsInLine > CONTENT_DEPTH_MAX)) {
      return { message: depthMessage, offset };
    }
    tokens.push(...parser.next(lexeme));
    if (!CONTROL_LEXEMES.has(lexeme)) offset += lexeme.length;
  }
  tokens.push(...parser.end());
  for (const token of tokens) {
    const tooDeep = offsetBelowDepth(token, CONTENT_DEPTH_MAX);
    if (tooDeep !== null) return { message: depthMessage, offset: tooDeep };
  }
  return tokens;
}

/** The lexer's own marks (document, flow error, scalar): they stand for no character of the text. */
const CONTROL_LEXEMES: ReadonlySet<string> = new Set(["\u0002", "\u0018", "\u001f"]);

function toValue(document: Document.Parsed, lines: LineCounter): ParseOutcome {
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: YAML_ALIAS_USES_MAX });
  } catch (error) {
    // The library's answer to too many aliases, which no single place is at fault for.
    if (!(error instanceof ReferenceError)) throw error;
    return refuse([{ message: error.message, line: 1, column: 1 }]);
  }
  const excess = findExcess(value);
  if (excess !== null) return refuse([{ message: excess, line: 1, column: 1 }]);
  return { ok: true, value, locate: locateEach((path) => locate(document, lines, path)) };
}

function locate(document: Document.Parsed, lines: LineCounter, path: readonly string[]): TextPosition | null {
  const node: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
  if (!isNode(node) || !node.range) return null;
  return place(lines, node.range[0]);
}

function place(lines: LineCounter, offset: number): TextPosition {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function toError(error: YAMLError, lines: LineCounter): ParseError {
  return { message: error.message, ...place(lines, error.pos[0]) };
}

function refuse(errors: ParseError[]): ParseOutcome {
  return { ok: false, errors };
}

/** Offset of a value nested deeper than `depthMax`, or null. Without recursion: this guards what recurses later. */
function offsetBelowDepth(root: CST.Token, depthMax: number): number | null {
  const stack: { token: CST.Token; depth: number }[] = [{ token: root, depth: 0 }];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { token, depth } = top;
    if (depth > depthMax) return token.offset;
    if (token.type === "document") {
      if (token.value) stack.push({ token: token.value, depth });
    } else if ("items" in token) {
      for (const item of token.items) {
        if (item.key) stack.push({ token: item.key, depth: depth + 1 });
        if (item.value) stack.push({ token: item.value, depth: depth + 1 });
      }
    }
  }
  return null;
}
