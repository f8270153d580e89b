import {
  array,
  assert,
  boolean,
  constantFrom,
  dictionary,
  letrec,
  oneof,
  property,
  string,
} from "fast-check";
import { describe, expect, it } from "vitest";
import { CONTENT_BYTES_MAX } from "../../contracts/limits.ts";
import type { TextPosition } from "../../domain/config/format-plugin.ts";
import { locateInJson } from "./locate-json.ts";

type Path = readonly string[];

function locate(text: string, paths: readonly Path[]): { found: (TextPosition | null)[]; turns: number } {
  const walk = locateInJson(text, paths);
  for (let turns = 0; ; turns++) {
    const step = walk.next();
    if (step.done === true) return { found: step.value, turns };
  }
}

/** Every value of a document with the path to it. */
function* valuesOf(value: unknown, path: Path = []): Generator<[path: Path, value: unknown]> {
  yield [path, value];
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) yield* valuesOf(inner, [...path, key]);
}

const { document } = letrec((tie) => ({
  document: oneof({ maxDepth: 5 }, string(), tie("list"), tie("object")),
  list: array(tie("document"), { maxLength: 4 }),
  object: dictionary(constantFrom("a", "b~/", '"', "\\", "{", "é😀", "0", ""), tie("document"), {
    maxKeys: 4,
  }),
}));

describe("C3 places in JSON", () => {
  it("are those of all values at once, however the text is laid out", () => {
    const space = constantFrom(undefined, 1, "\t", 3);
    const ends = constantFrom("\n", "\r\n", "\r");
    assert(
      property(document, space, ends, boolean(), (value, indent, end, backwards) => {
        const text = JSON.stringify(value, null, indent).replaceAll("\n", end);
        const inOrder = [...valuesOf(value)];
        const values = backwards ? inOrder.toReversed() : inOrder;
        const { found } = locate(
          text,
          values.map(([path]) => path),
        );
        const lines = text.split(/\r\n|\n|\r/);
        for (const [i, [, at]] of values.entries()) {
          const { line, column } = found[i] ?? { line: 0, column: 0 };
          const here = lines[line - 1]?.slice(column - 1) ?? "";
          const begin = typeof at === "string" ? JSON.stringify(at) : Array.isArray(at) ? "[" : "{";
          expect(here.startsWith(begin)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("are not there for what is not there", () => {
    const text = '{"a": [1, {"b": "x"}], "c": {}}';
    const paths = [["b"], ["a", "2"], ["a", "01"], ["a", "0", "b"], ["a", "1", "b", "0"], ["c", "a"], ["0"]];
    expect(locate(text, paths).found).toEqual(paths.map(() => null));
    expect(locate(text, [["a", "1", "b"], ["a"], ["a", "1", "b"]]).found).toEqual([
      { line: 1, column: 17 },
      { line: 1, column: 7 },
      { line: 1, column: 17 },
    ]);
  });

  it("come a slice of the text at a time, and the walk ends with the last of them", () => {
    const count = CONTENT_BYTES_MAX / 2;
    const text = `[${"1,".repeat(count - 1)}1]`;
    const last = locate(text, [["1"], [String(count - 1)]]);
    expect(last.found).toEqual([
      { line: 1, column: 4 },
      { line: 1, column: 2 * count },
    ]);
    expect(last.turns).toBeGreaterThan(5);
    expect(locate(text, [["1"]]).turns).toBe(0);
  });
});
