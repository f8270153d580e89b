import { describe, expect, it } from "vitest";
import { CONTENT_BYTES_MAX, CONTENT_DEPTH_MAX } from "../../contracts/limits.ts";
import type { ConfigFormat } from "../../domain/config/config.ts";
import { formatPlugin } from "./registry.ts";
import { XML_DEPTH_MAX, XML_NODES_MAX } from "./xml-scanner.ts";
import { YAML_LEXEMES_MAX } from "./yaml-plugin.ts";

type Input = string | Uint8Array;
const bytes = (input: Input): Uint8Array =>
  typeof input === "string" ? new TextEncoder().encode(input) : input;
function parse(format: ConfigFormat, input: Input) {
  return formatPlugin(format).parse(bytes(input));
}
function atOnce<T>(work: Generator<void, T>): T {
  let step = work.next();
  while (step.done !== true) step = work.next();
  return step.value;
}
const DEPTH = CONTENT_DEPTH_MAX;
const notUtf8 = new Uint8Array([0x61, 0x0a, 0x62, 0xc3, 0x28]);

interface Suite {
  valid: [name: string, input: Input, value: unknown][];
  /** Line and column are where a person would look first. */
  invalid: [name: string, input: Input, line: number, column: number, message: RegExp][];
}

const SUITES: Record<ConfigFormat, Suite> = {
  json: {
    valid: [
      ["scalars", ' [1, -2.5e3, "a\\u00e9\\n", true, false, null] ', [1, -2500, "aé\n", true, false, null]],
      ["an object", '{"a":{"b":[]}}', { a: { b: [] } }],
      ["empty containers", '[{},[],""]', [{}, [], ""]],
      ["a name that is a trap", '{"__proto__":{"x":1}}', JSON.parse('{"__proto__":{"x":1}}')],
      [
        "the deepest",
        "[".repeat(DEPTH) + "]".repeat(DEPTH),
        JSON.parse("[".repeat(DEPTH) + "]".repeat(DEPTH)),
      ],
    ],
    invalid: [
      ["nothing", "", 1, 1, /ends where a value/],
      ["only space", " \n ", 2, 2, /ends where a value/],
      ["a missing value", '{\n  "a": }', 2, 8, /unexpected "}"/],
      ["a trailing comma", "[1,\n]", 2, 1, /value is expected/],
      ["a trailing comma in an object", '{"a":1,}', 1, 8, /name in double quotes/],
      ["a comment", "{} // x", 1, 4, /after the document/],
      ["single quotes", "{'a':1}", 1, 2, /double quotes/],
      ["an open string", '["a', 1, 2, /not closed/],
      ["a raw line end in a string", '["a\nb"]', 1, 4, /control characters/],
      ["an unknown escape", '["\\x"]', 1, 3, /escape/],
      ["a leading zero", "[01]", 1, 3, /expected ","/],
      ["NaN", "NaN", 1, 1, /unexpected "N"/],
      ["a cut word", "nul", 1, 1, /unexpected "n"/],
      ["a name twice", '{"a":1,\r\n "\\u0061":2}', 2, 2, /twice/],
      ["a byte order mark", "\uFEFF{}", 1, 1, /byte order mark/],
      ["no UTF-8", notUtf8, 2, 2, /UTF-8/],
      ["too deep", "[".repeat(DEPTH + 1) + "]".repeat(DEPTH + 1), 1, DEPTH + 1, /deeper/],
    ],
  },
  yaml: {
    valid: [
      ["nothing", "", null],
      [
        "block and flow",
        "a: 1\nb: [x, 'y']\nc:\n  - ~\n  - true\n",
        { a: 1, b: ["x", "y"], c: [null, true] },
      ],
      ["the core schema", "a: yes\nb: 0o14\nc: 1_000\n", { a: "yes", b: 12, c: "1_000" }],
      ["one document with marks", "---\na: 1\n...\n", { a: 1 }],
      ["a byte order mark", "\uFEFFa: 1", { a: 1 }],
      ["anchors", "a: &x {k: [1]}\nb: *x\n", { a: { k: [1] }, b: { k: [1] } }],
      ["merge keys", "a: &x {k: 1, l: 2}\nb:\n  <<: *x\n  l: 3\n", { a: { k: 1, l: 2 }, b: { k: 1, l: 3 } }],
      ["keys that are no text", "1: a\ntrue: b\n", { 1: "a", true: "b" }],
      [
        "an anchor used often",
        `a: &x [1]\nb: [${"*x,".repeat(500)}]`,
        { a: [1], b: Array.from({ length: 500 }, () => [1]) },
      ],
    ],
    invalid: [
      ["a tab as indentation", "a:\n\tb: 1", 2, 1, /[Tt]ab/],
      ["an open quote", "a: 'b\nc: d", 2, 5, /quote/],
      ["an open flow", "a: [1", 1, 6, /\]/],
      ["a key twice", "a: 1\nb: 2\na: 3\n", 3, 1, /"a" stands twice/],
      ["a key twice, deep", "x:\n  - {b: 1, b: 2}\n", 2, 12, /"b" stands twice/],
      ["a second document", "a: 1\n---\nb: 2\n", 2, 1, /one YAML document/],
      ["an alias of nothing", "a: 1\nb: *nope", 2, 4, /nope/],
      ["an anchor within itself", "&a [*a]", 1, 5, /inside of what it names/],
      ["no UTF-8", notUtf8, 2, 2, /UTF-8/],
      ["too deep in flow", "[".repeat(DEPTH + 1), 1, DEPTH + 1, /deeper/],
      ["too deep in block", "- ".repeat(DEPTH + 1) + "x", 1, 2 * DEPTH + 1, /deeper/],
    ],
  },
  toml: {
    valid: [
      ["nothing", "", {}],
      ["tables", "a = 1\n[b.c]\nd = ['x']\n", { a: 1, b: { c: { d: ["x"] } } }],
      ["a byte order mark", "\uFEFFa = 1", { a: 1 }],
      [
        "times as text",
        "d = 2020-01-02\nt = 2020-01-02T03:04:05Z",
        { d: "2020-01-02", t: "2020-01-02T03:04:05.000Z" },
      ],
      ["large integers", "a = 9007199254740993", { a: 9007199254740992 }],
    ],
    invalid: [
      ["no value", "a =\n", 1, 4, /./],
      ["a key twice", "a = 1\na = 2\n", 2, 1, /already defined/],
      ["an open string", 'x = 1\na = "b', 2, 5, /./],
      ["no table header", "a = 1\n[b\n", 2, 3, /./],
      ["no UTF-8", notUtf8, 2, 2, /UTF-8/],
      ["too deep", `a = ${"[".repeat(DEPTH + 1)}${"]".repeat(DEPTH + 1)}`, 1, DEPTH + 5, /deeper/],
      ["too deep in names", `c = 1\n[${"a.".repeat(DEPTH + 5)}b]`, 1, 1, /deeper/],
    ],
  },
  properties: {
    valid: [
      ["nothing", "", {}],
      ["comments and blanks", "# a=1\n\n  ! b\n   \n", {}],
      [
        "separators",
        "a=1\nb:2\nc 3\nd\t= 4\ne\n f = g = h",
        { a: "1", b: "2", c: "3", d: "4", e: "", f: "g = h" },
      ],
      ["escapes", "k\\=\\ x=\\t\\u00E9\\z\\\\", { "k= x": "\téz\\" }],
      ["continued lines", "a = 1,\\\n    2,\\\r\n  3\nb=x\\\\\nc=y", { a: "1,2,3", b: "x\\", c: "y" }],
      ["a comment sign in a continued line", "a = 1\\\n # 2", { a: "1# 2" }],
      ["the last of equal keys", "a=1\na=2", { a: "2" }],
      ["ISO 8859-1", new Uint8Array([0x61, 0x3d, 0xe9]), { a: "é" }],
      ["a trap", "__proto__=x", JSON.parse('{"__proto__":"x"}')],
      ["an end in a continuation", "a=b\\", { a: "b" }],
    ],
    invalid: [
      ["a malformed escape", "a=1\n  b = \\u12\n", 2, 7, /four hex/],
      ["one in a continued line", "a=1\\\n   2\\uzzzz", 2, 5, /four hex/],
    ],
  },
  ini: {
    valid: [
      ["nothing", "", {}],
      ["keys and sections", "a = 1\n[b c]\nd=x = y\n[e]", { a: "1", "b c": { d: "x = y" }, e: {} }],
      ["comments", "; a = 1\n  # b\nc = 1 ; not one", { c: "1 ; not one" }],
      ["quotes", 'a = " x "\nb = \'y\'\nc = "z\nd = "', { a: " x ", b: "y", c: '"z', d: '"' }],
      ["a key alone", "[s]\nskip\nempty =", { s: { skip: null, empty: "" } }],
      ["dots and brackets in a key", "a.b = 1\nc[] = 2", { "a.b": "1", "c[]": "2" }],
      ["a trap", "[__proto__]\nx = 1", JSON.parse('{"__proto__":{"x":"1"}}')],
      ["a byte order mark", "\uFEFFa = 1", { a: "1" }],
    ],
    invalid: [
      ["an open section", "a = 1\n [b", 2, 2, /section/],
      ["text behind a section", "[a] b", 1, 1, /section/],
      ["a section without a name", "[ ]", 1, 1, /section/],
      ["no key", "[a]\n  = 1", 2, 3, /key must stand/],
      ["a key twice", "[a]\nb = 1\n b = 2", 3, 2, /"b" stands twice/],
      ["a section twice", "[a]\n[b]\n[a]", 3, 1, /"a" stands twice/],
      ["a key and a section of one name", "a = 1\n[a]", 2, 1, /"a" stands twice/],
      ["a control character", "a = \u0000", 1, 5, /control/],
      ["no UTF-8", notUtf8, 2, 2, /UTF-8/],
    ],
  },
  xml: {
    valid: [
      ["one element", "<a/>", { a: "" }],
      ["text", "<a> x\r\n y </a>", { a: "x\n y" }],
      ["attributes", `<a b='1' c = "x &lt; &#65;&#x42;"></a>`, { a: { "@b": "1", "@c": "x < AB" } }],
      [
        "elements",
        "<a><b>1</b><c/><b x=''>2</b></a>",
        { a: { b: ["1", { "@x": "", "#text": "2" }], c: "" } },
      ],
      ["text among elements", "<a>x<b/>y</a>", { a: { b: "", "#text": "xy" } }],
      ["CDATA", "<a><![CDATA[<&]]>&amp;</a>", { a: "<&&" }],
      [
        "what stands around",
        `<?xml version="1.0" encoding='UTF-8'?>\n<!-- x -->\n<!DOCTYPE a PUBLIC "p" "http://127.0.0.1:1/x.dtd">\n<a><?pi x?></a>\n`,
        { a: "" },
      ],
      ["prefixes", '<s:a xmlns:s="urn:x"><s:b/></s:a>', { "s:a": { "@xmlns:s": "urn:x", "s:b": "" } }],
      ["a byte order mark", "\uFEFF<a/>", { a: "" }],
      ["traps", "<__proto__><constructor/></__proto__>", JSON.parse('{"__proto__":{"constructor":""}}')],
      ["the deepest", "<a>".repeat(XML_DEPTH_MAX) + "</a>".repeat(XML_DEPTH_MAX), expect.anything()],
    ],
    invalid: [
      ["nothing", "", 1, 1, /element is expected/],
      ["text alone", "\n x", 2, 2, /outside of the root/],
      ["an open element", "<a>\n <b></a>", 2, 5, /<\/b> is expected/],
      ["an element never closed", "<a>\n <b>", 2, 2, /<b> is not closed/],
      ["two roots", "<a/>\n<b/>", 2, 1, /second root/],
      ["an attribute twice", '<a b="" c=""\n b=""/>', 2, 2, /"b" stands twice/],
      ["an attribute without quotes", "<a b=c/>", 1, 6, /quotes/],
      ["attributes without space", `<a b=""c=""/>`, 1, 8, /white space/],
      ["< in an attribute", '<a b="x<"/>', 1, 8, /"<" is not allowed/],
      ["an unknown entity", "<a>\n x &nope; </a>", 2, 4, /no other entities/],
      ["a bare &", "<a>a & b</a>", 1, 6, /"&" must begin/],
      ["a reference to no character", "<a>&#0;</a>", 1, 4, /character/],
      ["an entity declared", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', 1, 13, /entities too/],
      [
        "an external entity",
        '<!DOCTYPE a SYSTEM "x" [<!ENTITY % x SYSTEM "file:///etc/passwd">%x;]><a/>',
        1,
        24,
        /entities too/,
      ],
      ["two document types", "<!DOCTYPE a><!DOCTYPE a><a/>", 1, 13, /once/],
      ["a declaration too late", ' <?xml version="1.0"?><a/>', 1, 2, /very start/],
      ["another encoding", '<?xml version="1.0" encoding="latin1"?><a/>', 1, 1, /UTF-8/],
      ["-- in a comment", "<a><!-- x -- y --></a>", 1, 11, /comment/],
      ["]]> in text", "<a>x]]></a>", 1, 5, /not allowed in text/],
      ["a NUL", "<a>\u0000</a>", 1, 4, /character/],
      ["no UTF-8", notUtf8, 2, 2, /UTF-8/],
      ["too deep", "<a>".repeat(XML_DEPTH_MAX + 1), 1, 3 * XML_DEPTH_MAX + 1, /deeper/],
      ["too many", `<a>${"<b/>".repeat(XML_NODES_MAX)}</a>`, 1, 4 * XML_NODES_MAX, /more than/],
    ],
  },
  text: {
    valid: [
      ["nothing", "", ""],
      ["anything", "a\r\n\tb ☃", "a\r\n\tb ☃"],
    ],
    invalid: [["no UTF-8", notUtf8, 2, 2, /UTF-8/]],
  },
  binary: {
    valid: [
      ["nothing", "", null],
      ["any bytes", notUtf8, null],
    ],
    invalid: [],
  },
};

describe.each(Object.entries(SUITES) as [ConfigFormat, Suite][])(
  "C3 format %s",
  (format, { valid, invalid }) => {
    it.each(valid)("accepts %s", (_, input, value) => {
      const before = bytes(input).slice();
      const given = bytes(input);
      const outcome = parse(format, given);
      expect(outcome.ok ? outcome.value : outcome.errors).toEqual(value);
      expect(given).toEqual(before);
    });
    if (invalid.length > 0) {
      it.each(invalid)("refuses %s and says where", (_, input, line, column, message) => {
        const outcome = parse(format, input);
        expect(outcome.ok).toBe(false);
        const [first] = outcome.ok ? [] : outcome.errors;
        expect(first).toEqual({ message: expect.stringMatching(message), line, column });
      });
    }
  },
);

describe("C3 bounds", () => {
  const huge = "[".repeat(CONTENT_BYTES_MAX);
  it.each(["json", "yaml", "toml"] as const)(
    "%s refuses the largest and deepest without running out",
    (format) => {
      expect(parse(format, format === "toml" ? `a = ${huge}` : huge).ok).toBe(false);
      expect(parse(format, "{a: ".repeat(CONTENT_BYTES_MAX / 4)).ok).toBe(false);
    },
  );
  it("reads flat content of the largest size", () => {
    const json = parse("json", `[${"1,".repeat(CONTENT_BYTES_MAX / 2 - 2)}1]`);
    expect(json.ok).toBe(true);
    const properties = parse("properties", "key=value\n".repeat(CONTENT_BYTES_MAX / 10));
    expect(properties).toMatchObject({ ok: true, value: { key: "value" } });
    expect(parse("text", "x".repeat(CONTENT_BYTES_MAX)).ok).toBe(true);
  });
  it("refuses YAML of more lexemes than a Worker can hold", () => {
    const outcome = parse("yaml", `[${"1,".repeat(YAML_LEXEMES_MAX)}1]`);
    expect(outcome).toMatchObject({ ok: false, errors: [{ message: expect.stringContaining("lexemes") }] });
  });
  it("refuses aliases that unfold without end, by nesting and by number", () => {
    const levels = Array.from({ length: 12 }, (_, i) => `l${i + 1}: &l${i + 1} [${`*l${i},`.repeat(9)}]`);
    expect(parse("yaml", `l0: &l0 [x]\n${levels.join("\n")}`)).toMatchObject({ ok: false });
    const wide = `a: &a [${"1,".repeat(1000)}1]\nb:\n${"- *a\n".repeat(9000)}`;
    expect(parse("yaml", wide)).toMatchObject({
      ok: false,
      errors: [{ message: expect.stringContaining("unfold") }],
    });
  });
  it("refuses merge keys that copy without end", () => {
    const keys = Array.from({ length: 2000 }, (_, i) => `  k${i}: 1`).join("\n");
    const merges = Array.from({ length: 9000 }, (_, i) => `m${i}: {<<: *a}`).join("\n");
    const outcome = parse("yaml", `a: &a\n${keys}\n${merges}`);
    expect(outcome).toMatchObject({ ok: false, errors: [{ message: expect.stringContaining("merge") }] });
  });
  it.each([
    ["<<: 5", 1, 5],
    ["a: 1\n<<: x", 2, 5],
    ["<<: [{a: 1}, 1]", 1, 5],
    ["a: {<<: null}", 1, 9],
    ["a: {<<: }", 1, 9],
    ["!!str <<: 5", 1, 11],
    ["a: &a 1\nb: {<<: *a}", 2, 9],
    ["a: &a\n  <<: *a\n", 2, 7],
    ["a: &a\n  b: [*a]\n", 2, 7],
    ["a: &a {<<: [*b]}", 1, 13],
    ["? *a\n: 1", 1, 3],
  ])(
    "C3 places a merge key whose value is no map, an alias of nothing and one inside of what it names: %j",
    (text, line, column) => {
      expect(parse("yaml", text)).toMatchObject({ ok: false, errors: [{ line, column }] });
    },
  );
  it("reads a map of many keys in a time that grows with it", () => {
    const keys = Array.from({ length: 50_000 }, (_, i) => `k${i}: ${i}`).join("\n");
    expect(parse("yaml", keys).ok).toBe(true);
  });
});

describe("C3 places of values", () => {
  it.each([
    ["json", '{\n  "a": [1,\n    {"b~/c": 2}]\n}', ["a", "1", "b~/c"], { line: 3, column: 14 }],
    ["json", '{"a": 1}', [], { line: 1, column: 1 }],
    ["json", '{"a": 1}', ["b"], null],
    ["yaml", "a:\n  - 1\n  - b: two\n", ["a", "1", "b"], { line: 3, column: 8 }],
    ["yaml", "a: 1", ["x"], null],
    ["properties", "# x\na = 1\nb = 2", ["b"], { line: 3, column: 1 }],
    ["ini", "a = 1\n[s]\n  b = 2", ["s", "b"], { line: 3, column: 3 }],
    ["ini", "a = 1\n[s]\n  b = 2", ["s"], { line: 2, column: 1 }],
    ["ini", "a = 1\n[s]\n  b = 2", ["b"], null],
    ["xml", '<a>\n <b/>\n <b c="1"\n  d="2"/></a>', ["a", "b", "1", "@d"], { line: 4, column: 3 }],
    ["xml", "<a>\n <b>x</b></a>", ["a", "b"], { line: 2, column: 2 }],
    ["xml", "<a/>", ["b"], null],
  ] as [ConfigFormat, string, string[], object | null][])("%s finds %j", (format, text, path, position) => {
    const outcome = parse(format, text);
    if (!outcome.ok || outcome.locate === undefined) throw new Error("no places");
    expect(atOnce(outcome.locate([path, path]))).toEqual([position, position]);
  });
});
