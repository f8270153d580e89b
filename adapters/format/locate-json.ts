import type { TextPosition } from "../../domain/config/format-plugin.ts";

/** Characters after which others get a turn: some milliseconds. */
const LOCATE_SLICE_CHARACTERS = 500_000;

/** A value whose place is asked for, or that holds such ones. */
interface Wanted {
  position: TextPosition | null;
  below: Map<string, Wanted>;
}

/** An object or array within which the walk is; `wanted` is null when nothing in it is asked for. */
interface Open {
  wanted: Wanted | null;
  isArray: boolean;
  /** Of the element that the walk is at. */
  index: number;
}

/**
 * Where the values under these paths stand in a JSON text that `JsonScanner` has passed, in the order of the paths; null
 * where there is none. One walk finds all, without recursion, and yields when others should get a turn.
 */
export function* locateInJson(
  text: string,
  paths: readonly (readonly string[])[],
): Generator<void, (TextPosition | null)[]> {
  const root: Wanted = { position: null, below: new Map() };
  const wanted = paths.map((path) => want(root, path));
  const walk = new Walk(text, root, new Set(wanted));
  while (walk.goOn()) yield;
  return wanted.map(({ position }) => position);
}

function want(root: Wanted, path: readonly string[]): Wanted {
  let at = root;
  for (const key of path) {
    const next = at.below.get(key) ?? { position: null, below: new Map() };
    at.below.set(key, next);
    at = next;
  }
  return at;
}

class Walk {
  readonly #text: string;
  /** Asked for and not yet found. */
  readonly #missing: Set<Wanted>;
  readonly #open: Open[] = [];
  #at = 0;
  #line = 1;
  #lineStart = 0;
  /** What the value that comes next is. */
  #next: Wanted | null;
  #isName = false;

  constructor(text: string, root: Wanted, missing: Set<Wanted>) {
    this.#text = text;
    this.#next = root;
    this.#missing = missing;
  }

  /** Walks on for a slice; answers whether there is more to do. */
  goOn(): boolean {
    const end = Math.min(this.#at + LOCATE_SLICE_CHARACTERS, this.#text.length);
    while (this.#at < end && this.#missing.size > 0) this.#step(this.#text[this.#at] ?? "");
    return this.#at < this.#text.length && this.#missing.size > 0;
  }

  #step(char: string): void {
    if (char === "\n" || char === "\r") this.#endLine(char);
    else if (char === " " || char === "\t" || char === ":") this.#at++;
    else if (char === ",") this.#comma();
    else if (char === "}" || char === "]") {
      this.#open.pop();
      // No name comes after an object that is empty.
      this.#isName = false;
      this.#at++;
    } else if (char === '"' && this.#isName) this.#name();
    else this.#value(char);
  }

  /** A line ends with LF, CRLF or a lone CR; none ends within a string. */
  #endLine(char: string): void {
    this.#at++;
    if (char === "\r" && this.#text[this.#at] === "\n") this.#at++;
    this.#line++;
    this.#lineStart = this.#at;
  }

  #comma(): void {
    this.#at++;
    const open = this.#open.at(-1);
    if (open?.isArray !== true) {
      this.#isName = true;
      return;
    }
    open.index++;
    this.#next = open.wanted?.below.get(String(open.index)) ?? null;
  }

  #name(): void {
    const start = this.#at;
    this.#skipString();
    this.#isName = false;
    const wanted = this.#open.at(-1)?.wanted ?? null;
    if (wanted === null) this.#next = null;
    else {
      const name = JSON.parse(this.#text.slice(start, this.#at)) as string;
      this.#next = wanted.below.get(name) ?? null;
    }
  }

  #value(char: string): void {
    const found = this.#next;
    if (found !== null) {
      found.position = { line: this.#line, column: this.#at - this.#lineStart + 1 };
      this.#missing.delete(found);
    }
    if (char === "{" || char === "[") {
      const isArray = char === "[";
      const wanted = found !== null && found.below.size > 0 ? found : null;
      this.#open.push({ wanted, isArray, index: 0 });
      this.#next = isArray ? (wanted?.below.get("0") ?? null) : null;
      this.#isName = !isArray;
      this.#at++;
    } else if (char === '"') this.#skipString();
    else this.#skipWord();
  }

  #skipString(): void {
    for (this.#at++; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at];
      if (char === "\\") this.#at++;
      else if (char === '"') break;
    }
    this.#at++;
  }

  /** A number, or one of the three words. */
  #skipWord(): void {
    while (this.#at < this.#text.length && !",]} \t\r\n".includes(this.#text[this.#at] ?? "")) this.#at++;
  }
}
