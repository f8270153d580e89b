import { complement, type PatternNode, type Range, type SetNode } from "./pattern-node.ts";

/** Groups within groups. */
export const PATTERN_DEPTH_MAX = 100;

/** Why a pattern that ECMA-262 allows is not read here. */
export class UnreadablePattern extends Error {
  override readonly name = "UnreadablePattern";
}

const DIGIT: Range[] = [[0x30, 0x39]];
const WORD: Range[] = [...DIGIT, [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]];
const LINE_END: Range[] = [
  [0xa, 0xa],
  [0xd, 0xd],
  [0x2028, 0x2029],
];
/** WhiteSpace and LineTerminator of ECMA-262; RE2's `\s` is ASCII alone. */
const SPACE: Range[] = [
  [0x9, 0xd],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
];
const CLASSES: Record<string, Range[]> = {
  d: DIGIT,
  D: complement(DIGIT),
  w: WORD,
  W: complement(WORD),
  s: SPACE,
  S: complement(SPACE),
};
const CONTROLS: Record<string, number> = { t: 9, n: 10, v: 11, f: 12, r: 13, 0: 0 };
const CATEGORIES: Record<string, string> = {
  Letter: "L",
  Uppercase_Letter: "Lu",
  Lowercase_Letter: "Ll",
  Mark: "M",
  Number: "N",
  Decimal_Number: "Nd",
  Punctuation: "P",
  Symbol: "S",
  Separator: "Z",
};
/** RE2 leaves code points nobody has assigned out of the category "other". */
const DIFFERENT_IN_RE2 = /^(?:C|Cn|Other|Unassigned)$/;

/** Reads an expression that compiles with the `u` flag. Throws `UnreadablePattern` for one too deep or with modifiers. */
export function parsePattern(source: string): PatternNode {
  return new Parser(source).choice(0);
}

class Parser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  choice(depth: number): PatternNode {
    if (depth > PATTERN_DEPTH_MAX) {
      throw new UnreadablePattern(`groups stand deeper in each other than ${PATTERN_DEPTH_MAX}`);
    }
    const branches: PatternNode[] = [];
    do branches.push(this.#sequence(depth));
    while (this.#take("|"));
    const [only] = branches;
    return branches.length === 1 && only ? only : { kind: "choice", branches };
  }

  #sequence(depth: number): PatternNode {
    const parts: PatternNode[] = [];
    while (this.#at < this.#source.length && !/[|)]/.test(this.#peek())) {
      const part = this.#repeated(this.#term(depth));
      if (part.kind === "sequence") parts.push(...part.parts);
      else parts.push(part);
    }
    const [only] = parts;
    return parts.length === 1 && only ? only : { kind: "sequence", parts };
  }

  #repeated(body: PatternNode): PatternNode {
    const [text, symbol, low, comma, high] = this.#match(/([*+?]|\{(\d+)(,(\d*))?\})\??/y) ?? [];
    if (text === undefined) return body;
    if (symbol === "?") return { kind: "repeat", body, min: 0, max: 1 };
    if (low === undefined) return { kind: "repeat", body, min: symbol === "+" ? 1 : 0, max: Infinity };
    const max = comma === undefined ? Number(low) : high ? Number(high) : Infinity;
    return { kind: "repeat", body, min: Number(low), max };
  }

  #term(depth: number): PatternNode {
    const start = this.#match(/\((?:\?(?:<?[=!]|<[^>]*>|[^:]*:))?/y);
    if (start) return this.#group(start[0], depth);
    if (this.#take("^")) return { kind: "edge", edge: "start" };
    if (this.#take("$")) return { kind: "edge", edge: "end" };
    if (this.#take(".")) return set(complement(LINE_END));
    if (this.#take("[")) return this.#class();
    if (this.#take("\\b")) return { kind: "edge", edge: "word" };
    if (this.#take("\\B")) return { kind: "edge", edge: "not-word" };
    if (this.#match(/\\(?:[1-9]\d*|k<[^>]*>)/y)) return { kind: "backreference" };
    return this.#member();
  }

  #group(start: string, depth: number): PatternNode {
    const look = /^\(\?(<?)([=!])$/.exec(start);
    if (!look && start.endsWith(":") && start !== "(?:") {
      throw new UnreadablePattern("modifiers such as (?i: are not supported");
    }
    const body = this.choice(depth + 1);
    this.#take(")");
    return look ? { kind: "look", behind: look[1] === "<", negated: look[2] === "!", body } : body;
  }

  #class(): SetNode {
    const negated = this.#take("^");
    const ranges: Range[] = [];
    const properties: SetNode["properties"][number][] = [];
    while (!this.#take("]")) {
      if (this.#at >= this.#source.length) throw new UnreadablePattern("a class does not end");
      const low = this.#member();
      properties.push(...low.properties);
      const from = single(low);
      if (from !== null && this.#peek() === "-" && this.#source[this.#at + 1] !== "]") {
        this.#at++;
        ranges.push([from, single(this.#member()) ?? from]);
      } else ranges.push(...low.ranges);
    }
    return { kind: "set", negated, ranges, properties };
  }

  /** One character, escaped or not, or a class escape. */
  #member(): SetNode {
    const property = this.#match(/\\([pP])\{([^}]*)\}/y);
    if (property) {
      const known = re2Property(property[2] ?? "");
      return { ...set([]), properties: [{ name: known, negated: property[1] === "P" }] };
    }
    const named = this.#match(/\\([dDwWsS])/y);
    if (named) return set(CLASSES[named[1] ?? ""] ?? []);
    const control = this.#match(/\\([tnvfr0])/y);
    if (control) return character(CONTROLS[control[1] ?? ""] ?? 0);
    const letter = this.#match(/\\c([A-Za-z])/y);
    if (letter) return character((letter[1] ?? "").charCodeAt(0) % 32);
    const pair = this.#match(/\\u([dD][89abAB][\dA-Fa-f]{2})\\u([dD][c-fC-F][\dA-Fa-f]{2})/y);
    if (pair) {
      const units = [pair[1], pair[2]].map((hex) => Number.parseInt(hex ?? "", 16));
      return character(String.fromCharCode(...units).codePointAt(0) ?? 0);
    }
    const hex = this.#match(/\\(?:x([\dA-Fa-f]{2})|u([\dA-Fa-f]{4})|u\{([\dA-Fa-f]+)\})/y);
    if (hex) return character(Number.parseInt(hex[1] ?? hex[2] ?? hex[3] ?? "", 16));
    // Only a class reaches \b here; there it is the backspace.
    if (this.#take("\\b")) return character(8);
    this.#take("\\");
    const point = this.#source.codePointAt(this.#at) ?? 0;
    this.#at += point > 0xffff ? 2 : 1;
    return character(point);
  }

  #peek(): string {
    return this.#source[this.#at] ?? "";
  }

  #take(text: string): boolean {
    if (!this.#source.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  #match(sticky: RegExp): RegExpExecArray | null {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#source);
    if (found) this.#at += found[0].length;
    return found;
  }
}

function set(ranges: readonly Range[]): SetNode {
  return { kind: "set", negated: false, ranges, properties: [] };
}

function character(point: number): SetNode {
  return set([[point, point]]);
}

function single({ ranges, properties }: SetNode): number | null {
  const [only] = ranges;
  return ranges.length === 1 && only && properties.length === 0 && only[0] === only[1] ? only[0] : null;
}

function re2Property(text: string): string | null {
  const [, key, value = ""] = /^(?:(\w+)=)?(\w+)$/.exec(text) ?? [];
  if (key === "Script_Extensions" || key === "scx" || DIFFERENT_IN_RE2.test(value)) return null;
  return CATEGORIES[value] ?? value;
}
