import { assert, constantFrom, integer, property, tuple, uint8Array } from "fast-check";
import { describe, expect, it } from "vitest";
import { CONTENT_BYTES_MAX } from "../../contracts/limits.ts";
import { CONFIG_FORMATS, type ConfigFormat } from "../../domain/config/config.ts";
import { formatPlugin } from "./registry.ts";

/** What every format is tried with; null where a format has no such thing. */
interface Sample {
  /** A document with lines, and what it means. */
  text: string;
  value: unknown;
  /** Names that are traps for careless code. */
  traps: string | null;
  twice: { text: string; outcome: "refused" | "last wins" } | null;
  byteOrderMark: "refused" | "ignored" | "part of the text";
  nul: "refused" | "kept";
  /** As deep as it is told; deeper than what it may be is refused. */
  nested: ((depth: number) => string) | null;
}

const SAMPLES: Record<ConfigFormat, Sample> = {
  json: {
    text: '{\n  "a": "b",\n  "c": [1, true]\n}\n',
    value: { a: "b", c: [1, true] },
    traps: '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}',
    twice: { text: '{"a": 1, "a": 2}', outcome: "refused" },
    byteOrderMark: "refused",
    nul: "refused",
    nested: (depth) => "[".repeat(depth) + "]".repeat(depth),
  },
  yaml: {
    text: "a: b\nc:\n  - 1\n  - true\n",
    value: { a: "b", c: [1, true] },
    traps: "__proto__: {polluted: 1}\nconstructor: {prototype: {polluted: 1}}\n",
    twice: { text: "a: 1\na: 2\n", outcome: "refused" },
    byteOrderMark: "ignored",
    nul: "refused",
    nested: (depth) => "[".repeat(depth) + "]".repeat(depth),
  },
  toml: {
    text: 'a = "b"\n[c]\nd = [1, true]\n',
    value: { a: "b", c: { d: [1, true] } },
    traps: "[__proto__]\npolluted = 1\n[constructor.prototype]\npolluted = 1\n",
    twice: { text: "a = 1\na = 2\n", outcome: "refused" },
    byteOrderMark: "ignored",
    nul: "refused",
    nested: (depth) => `a = ${"[".repeat(depth)}${"]".repeat(depth)}`,
  },
  properties: {
    text: "a=b\nc=1\\\n  2\n",
    value: { a: "b", c: "12" },
    traps: "__proto__=1\nconstructor=2\n",
    twice: { text: "a=1\na=2\n", outcome: "last wins" },
    // As java.util.Properties has it.
    byteOrderMark: "part of the text",
    nul: "kept",
    nested: null,
  },
  ini: {
    text: "a = b\n[c]\nd = 1\n",
    value: { a: "b", c: { d: "1" } },
    traps: "[__proto__]\npolluted = 1\n[constructor]\nprototype = 1\n",
    twice: { text: "a = 1\na = 2\n", outcome: "refused" },
    byteOrderMark: "ignored",
    nul: "refused",
    nested: null,
  },
  xml: {
    text: '<a b="1">\n  <c>x\ny</c>\n</a>\n',
    value: { a: { "@b": "1", c: "x\ny" } },
    traps: "<__proto__ constructor='1'><__proto__ polluted='1'/></__proto__>",
    twice: { text: '<a b="1" b="2"/>', outcome: "refused" },
    byteOrderMark: "ignored",
    nul: "refused",
    nested: (depth) => "<a>".repeat(depth) + "</a>".repeat(depth),
  },
  text: {
    text: "a\nb\n",
    value: "a\nb\n",
    traps: null,
    twice: null,
    byteOrderMark: "part of the text",
    nul: "kept",
    nested: null,
  },
  binary: {
    text: "a\nb\n",
    value: null,
    traps: null,
    twice: null,
    byteOrderMark: "part of the text",
    nul: "kept",
    nested: null,
  },
};

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Parses and checks what holds for any bytes whatever: nothing thrown, nothing changed, errors that can be shown. */
function parseAny(format: ConfigFormat, bytes: Uint8Array) {
  const before = bytes.slice();
  const outcome = formatPlugin(format).parse(bytes);
  expect(bytes).toEqual(before);
  if (outcome.ok) {
    expect(outcome.value === undefined).toBe(false);
    expect(JSON.parse(JSON.stringify(outcome.value))).toEqual(outcome.value);
    return outcome;
  }
  expect(outcome.errors.length).toBeGreaterThan(0);
  for (const error of outcome.errors) {
    expect(error.message.length).toBeGreaterThan(0);
    expect(Number.isInteger(error.line) && error.line >= 1).toBe(true);
    expect(Number.isInteger(error.column) && error.column >= 1).toBe(true);
  }
  return outcome;
}
const parseText = (format: ConfigFormat, text: string) => parseAny(format, encode(text));
function valueOf(format: ConfigFormat, text: string): unknown {
  const outcome = parseText(format, text);
  return outcome.ok ? outcome.value : outcome.errors;
}

describe.each(CONFIG_FORMATS)("C3 every format: %s", (format) => {
  const sample = SAMPLES[format];
  const plugin = formatPlugin(format);

  it("goes by its own name", () => {
    expect(plugin.name).toBe(format);
  });

  it("reads a document, with LF and with CRLF alike", () => {
    expect(valueOf(format, sample.text)).toEqual(sample.value);
    const windows = sample.text.replaceAll("\n", "\r\n");
    const kept = format === "text" ? windows : sample.value;
    expect(valueOf(format, windows)).toEqual(kept);
  });

  it("throws for no bytes whatever and leaves them as they are", () => {
    assert(
      property(uint8Array({ maxLength: 60 }), (bytes) => void parseAny(format, bytes)),
      { numRuns: 300 },
    );
    const base = encode(sample.text + (sample.traps ?? ""));
    const marks = constantFrom(
      ...Array.from("\u0000\n\r\"'<>&[]{}=:#;!\\-%?/", (c) => c.charCodeAt(0)),
      0xc3,
      0xff,
    );
    const edit = tuple(integer({ min: 0, max: base.length - 1 }), integer({ min: 0, max: 3 }), marks);
    assert(
      property(edit, edit, (...edits) => {
        let bytes = [...base];
        for (const [at, cut, mark] of edits) bytes = [...bytes.slice(0, at), mark, ...bytes.slice(at + cut)];
        parseAny(format, new Uint8Array(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it("makes names such as __proto__ plain names of plain objects", () => {
    if (sample.traps === null) return;
    const value = valueOf(format, sample.traps) as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.hasOwn(value, "__proto__")).toBe(true);
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain("polluted");
  });

  it("says what it makes of a name that stands twice", () => {
    if (sample.twice === null) return;
    const outcome = parseText(format, sample.twice.text);
    expect(outcome.ok ? outcome.value : "refused").toEqual(
      sample.twice.outcome === "refused" ? "refused" : { a: "2" },
    );
  });

  it("says what it makes of a byte order mark and of NUL", () => {
    const marked = parseText(format, `\uFEFF${sample.text}`);
    const expected = { refused: "refused", ignored: sample.value, "part of the text": null };
    const given = marked.ok ? marked.value : "refused";
    if (sample.byteOrderMark === "part of the text") expect(given).not.toBe("refused");
    else expect(given).toEqual(expected[sample.byteOrderMark]);
    const nul = parseText(format, sample.text.replace("b", "b\u0000"));
    expect(nul.ok ? "kept" : "refused").toBe(sample.nul);
  });

  it("refuses what is nested without end, at its place", () => {
    if (sample.nested === null) return;
    expect(parseText(format, sample.nested(80)).ok).toBe(true);
    const outcome = parseText(format, sample.nested(100_000));
    expect(outcome.ok ? [] : outcome.errors).toMatchObject([{ message: expect.stringContaining("deeper") }]);
  });

  it("comes back from the largest content of every shape", () => {
    for (const piece of [
      "a",
      "\n",
      "a=b\n",
      "<a>",
      "<a b=''/>",
      "[",
      "{a: ",
      '"',
      "\\",
      "&",
      "- ",
      "a: b\n",
      "[a]\n",
    ]) {
      const outcome = plugin.parse(encode(piece.repeat(CONTENT_BYTES_MAX / piece.length)));
      expect(typeof outcome.ok).toBe("boolean");
    }
  });
});
