import { CONTENT_DEPTH_MAX } from "../../contracts/limits.ts";
import { depthMessage } from "./bound-document.ts";

export interface JsonFault {
  message: string;
  offset: number;
}

class Fault extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// oxlint-disable-next-line no-control-regex -- RFC 8259 forbids exactly these in strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\n\r]*/y;

/**
 * Walks JSON text and knows where it is: says the first fault with its offset.
 * Recursion is bounded by `CONTENT_DEPTH_MAX`. Values themselves come from `JSON.parse`, which is faster.
 */
export class JsonScanner {
  readonly #text: string;
  readonly #refused: ReadonlySet<string>;
  #at = 0;

  /** `refusedNames`: names of members that `check` does not let pass. */
  constructor(text: string, refusedNames: readonly string[] = []) {
    this.#text = text;
    this.#refused = new Set(refusedNames);
  }

  /** Null when the text is one JSON value, nested within bounds, without repeated names. */
  check(): JsonFault | null {
    try {
      this.#space();
      this.#value(0);
      this.#space();
      if (this.#at < this.#text.length) this.#refuse("unexpected text after the document");
      return null;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      return { message: error.message, offset: error.offset };
    }
  }

  #value(depth: number): void {
    const char = this.#text[this.#at];
    if (char === "{" || char === "[") {
      if (depth >= CONTENT_DEPTH_MAX) this.#refuse(depthMessage);
      if (char === "{") this.#object(depth + 1);
      else this.#array(depth + 1);
    } else if (char === '"') this.#string();
    else if (char === "t") this.#word("true");
    else if (char === "f") this.#word("false");
    else if (char === "n") this.#word("null");
    else if (char === undefined) this.#refuse("the document ends where a value is expected");
    else if (!this.#take(NUMBER)) this.#refuse(`unexpected ${quote(char)} where a value is expected`);
  }

  #object(depth: number): void {
    this.#at++;
    const names = new Set<string>();
    this.#space();
    if (this.#text[this.#at] === "}") {
      this.#at++;
      return;
    }
    for (;;) {
      this.#space();
      const start = this.#at;
      const name = this.#name();
      if (names.has(name)) this.#refuse(`the name ${JSON.stringify(name)} stands twice in one object`, start);
      if (this.#refused.has(name)) this.#refuse(`no member may be called ${JSON.stringify(name)}`, start);
      names.add(name);
      this.#value(depth);
      if (this.#closed("}")) return;
    }
  }

  #array(depth: number): void {
    this.#at++;
    this.#space();
    if (this.#text[this.#at] === "]") {
      this.#at++;
      return;
    }
    for (;;) {
      this.#space();
      this.#value(depth);
      if (this.#closed("]")) return;
    }
  }

  /** Takes `close` (true) or a comma (false). */
  #closed(close: string): boolean {
    this.#space();
    const char = this.#text[this.#at];
    if (char !== close && char !== ",") {
      const found = char === undefined ? "the end of the document" : quote(char);
      this.#refuse(`expected "," or "${close}", found ${found}`);
    }
    this.#at++;
    return char === close;
  }

  /** Takes a member's name, the colon and the space behind it. */
  #name(): string {
    this.#space();
    if (this.#text[this.#at] !== '"') this.#refuse("expected a name in double quotes");
    const start = this.#at;
    this.#string();
    const name = JSON.parse(this.#text.slice(start, this.#at)) as string;
    this.#space();
    if (this.#text[this.#at] !== ":") this.#refuse('expected ":" after the name');
    this.#at++;
    this.#space();
    return name;
  }

  #string(): void {
    const start = this.#at++;
    for (;;) {
      this.#take(PLAIN);
      const char = this.#text[this.#at];
      if (char === '"') break;
      if (char === undefined) this.#refuse("the string is not closed", start);
      if (char !== "\\") this.#refuse("control characters in a string must be escaped");
      if (!this.#take(ESCAPE)) this.#refuse("unknown escape in a string");
    }
    this.#at++;
  }

  #word(word: string): void {
    if (!this.#text.startsWith(word, this.#at)) {
      this.#refuse(`unexpected ${quote(this.#text[this.#at] ?? "")} where a value is expected`);
    }
    this.#at += word.length;
  }

  #space(): void {
    this.#take(SPACE);
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) return false;
    this.#at = pattern.lastIndex;
    return true;
  }

  #refuse(message: string, offset = this.#at): never {
    throw new Fault(message, offset);
  }
}

function quote(char: string): string {
  return JSON.stringify(char);
}
