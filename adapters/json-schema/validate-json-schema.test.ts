import { describe, expect, it } from "vitest";
import { SCHEMA_BYTES_MAX } from "../../contracts/limits.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { jsonPlugin } from "../format/json-plugin.ts";
import { validateAtOnce } from "./testing-validate.ts";
import { SCHEMA_ERRORS_MAX } from "./validate-json-schema.ts";

const validate = (schema: unknown, value: unknown) =>
  validateAtOnce({ schema: typeof schema === "string" ? schema : JSON.stringify(schema), value });
const isValid = (schema: unknown, value: unknown): boolean => validate(schema, value).length === 0;

function refusal(schema: unknown): ConfluxError {
  try {
    validate(schema, {});
  } catch (error) {
    if (error instanceof ConfluxError) return error;
    throw error;
  }
  throw new Error("the schema was accepted");
}

const DRAFTS = {
  4: "http://json-schema.org/draft-04/schema#",
  6: "http://json-schema.org/draft-06/schema#",
  7: "http://json-schema.org/draft-07/schema",
  "2019-09": "https://json-schema.org/draft/2019-09/schema",
  "2020-12": "https://json-schema.org/draft/2020-12/schema#",
};

describe.each(Object.entries(DRAFTS))("C3 draft %s", (draft, $schema) => {
  it("judges types, names and references", () => {
    const schema = {
      $schema,
      type: "object",
      required: ["port"],
      properties: { port: { $ref: "#/definitions/port" } },
      additionalProperties: false,
      definitions: { port: { type: "integer", maximum: 65535 } },
    };
    expect(validate(schema, { port: 1 })).toEqual([]);
    expect(validate(schema, {}).map((e) => e.path)).toEqual(["/content"]);
    expect(validate(schema, { port: 70000, x: 1 }).map((e) => e.path)).toEqual([
      "/content/port",
      "/content/x",
    ]);
  });
  it("asserts formats and ignores unknown ones", () => {
    expect(isValid({ $schema, format: "ipv4" }, "10.0.0.1")).toBe(true);
    expect(isValid({ $schema, format: "ipv4" }, "10.0.0")).toBe(false);
    for (const format of ["no-such-format", "constructor", "__proto__"]) {
      expect(isValid({ $schema, format }, "x")).toBe(true);
    }
  });
  it("knows if/then/else from draft 7 on", () => {
    const schema = `{"$schema": "${$schema}", "if": {"type": "string"}, "then": {"minLength": 3}}`;
    expect(isValid(schema, "ab")).toBe(draft === "4" || draft === "6");
  });
  it("lets neighbours of $ref count from 2019-09 on", () => {
    const schema = {
      $schema,
      definitions: { any: {} },
      properties: { a: { $ref: "#/definitions/any", type: "string" } },
    };
    expect(isValid(schema, { a: 1 })).toBe(!draft.startsWith("2"));
  });
  it("reads exclusive limits as booleans and, from draft 6 on, as numbers", () => {
    expect(isValid({ $schema, minimum: 1, exclusiveMinimum: true }, 1)).toBe(false);
    expect(isValid({ $schema, maximum: 1, exclusiveMaximum: false }, 1)).toBe(true);
    if (draft !== "4") expect(isValid({ $schema, exclusiveMaximum: 1 }, 1)).toBe(false);
  });
});

describe("C3 schemas as they are published", () => {
  it.each([
    [String.raw`^[\w-.]+$`, "a-b.c", "a b"],
    [String.raw`^\_\"\@x$`, '_"@x', "x"],
    [String.raw`^{[a-z]+}$`, "{ab}", "ab"],
    [String.raw`^a{2,3}[^\]]\-$`, "aab-", "aab]-"],
    [String.raw`^\p{L}+$`, "é", "1"],
    [String.raw`^[a-z\d-]{1,3}$`, "a-1", "a_1"],
  ])("reads the pattern %s", (pattern, yes, no) => {
    expect(isValid({ pattern }, yes)).toBe(true);
    expect(isValid({ pattern }, no)).toBe(false);
    expect(isValid({ patternProperties: { [pattern]: false } }, { [yes]: 1 })).toBe(false);
    expect(isValid({ patternProperties: { [pattern]: false } }, { [no]: 1 })).toBe(true);
  });
  it("resolves $id, anchors and absolute references to itself", () => {
    const $id = "https://example.com/a.json";
    const schema = {
      $id,
      $defs: { n: { $anchor: "num", type: "number" }, own: { $id: "b.json", type: "string" } },
      properties: { a: { $ref: `${$id}#num` }, b: { $ref: "b.json" }, c: { $ref: "#/$defs/n" } },
    };
    expect(isValid(schema, { a: 1, b: "x", c: 2 })).toBe(true);
    expect(validate(schema, { a: "x", b: 1, c: "y" }).map((e) => e.path)).toEqual([
      "/content/a",
      "/content/b",
      "/content/c",
    ]);
  });
  it("takes id for a plain word outside draft 4", () => {
    expect(
      isValid({ $schema: DRAFTS[7], properties: { id: { id: "http://[", type: "string" } } }, { id: "x" }),
    ).toBe(true);
  });
  it("follows recursive and dynamic references", () => {
    const tree = { $dynamicAnchor: "node", properties: { child: { $dynamicRef: "#node" } }, required: ["v"] };
    expect(isValid(tree, { v: 1, child: { v: 2 } })).toBe(true);
    expect(validate(tree, { v: 1, child: { child: { v: 1 } } }).map((e) => e.path)).toEqual([
      "/content/child",
    ]);
    const old = {
      $schema: DRAFTS["2019-09"],
      $recursiveAnchor: true,
      properties: { c: { $recursiveRef: "#" } },
      required: ["v"],
    };
    expect(isValid(old, { v: 1, c: {} })).toBe(false);
  });
  it("takes true and false for schemas", () => {
    expect(isValid(true, 1)).toBe(true);
    expect(isValid(false, 1)).toBe(false);
  });
});

describe("C3 schemas at fault", () => {
  it.each([
    ["no JSON", "{", "/schema"],
    ["a name twice", '{"type":"object","type":"array"}', "/schema"],
    ["a list", [], "/schema"],
    ["a number", "1", "/schema"],
    ["draft 3", { $schema: "http://json-schema.org/draft-03/schema#" }, "/schema/$schema"],
    ["an unknown draft", { $schema: 7 }, "/schema/$schema"],
    ["an unknown type", { properties: { a: { type: "strnig" } } }, "/schema/properties/a/type"],
    [
      "required as a boolean",
      { properties: { "a/b": { required: true } } },
      "/schema/properties/a~1b/required",
    ],
    ["anyOf as an object", { anyOf: {} }, "/schema/anyOf"],
    ["an empty allOf", { allOf: [] }, "/schema/allOf"],
    ["properties as null", { properties: null }, "/schema/properties"],
    ["a schema as a text", { items: "x" }, "/schema/items"],
    ["a limit as a text", { maximum: "5" }, "/schema/maximum"],
    ["a pattern that is none", { items: { pattern: "(" } }, "/schema/items/pattern"],
    ["a pattern of another language", { pattern: "(?i)x" }, "/schema/pattern"],
    ["an $id that is no URI", { $id: "http://[" }, "/schema"],
    ["a reference to nothing", { $ref: "#/$defs/none" }, "/schema/$ref"],
    ["a remote reference", { items: { $ref: "https://example.com/x.json" } }, "/schema/items/$ref"],
    ["a reference to itself", { $ref: "#" }, "/schema"],
    [
      "references in a circle",
      { $defs: { a: { allOf: [{ $ref: "#/$defs/b" }] }, b: { not: { $ref: "#/$defs/a" } } } },
      "/schema",
    ],
  ])("refuses %s", (_, schema, path) => {
    const error = refusal(schema);
    expect(error.code).toBe("validation_failed");
    expect(error.errors[0]?.path).toBe(path);
    expect(error.errors[0]?.message).toBeTruthy();
  });
  it("says that remote references are not fetched, and which", () => {
    expect(refusal({ $ref: "https://example.com/x.json" }).errors[0]?.message).toMatch(
      /example\.com.*nothing is fetched/,
    );
  });
  it("refuses a schema that is too large or too deep", () => {
    expect(refusal(`"${"x".repeat(SCHEMA_BYTES_MAX)}"`).errors[0]?.path).toBe("/schema");
    expect(refusal(`${'{"not":'.repeat(5000)}{}${"}".repeat(5000)}`).errors[0]?.message).toMatch(/deeper/);
  });
});

describe("C3 answers within bounds", () => {
  it("lists at most so many errors, each once", () => {
    const value = Array.from({ length: 1000 }, (_, i) => i);
    expect(validate({ items: { type: "string" } }, value)).toHaveLength(SCHEMA_ERRORS_MAX);
    expect(validate({ allOf: [{ type: "string" }, { type: "string" }] }, 1)).toHaveLength(1);
  });
  it("survives a document that fails in a million places", () => {
    const value = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`k${i}`, i]));
    expect(validate({ additionalProperties: false }, value).length).toBeGreaterThan(0);
    expect(validate({ items: false }, Array(200_000).fill(1)).length).toBeGreaterThan(0);
  });
});

it("C3 points into the document: escaped pointers, line and column", () => {
  const text = '{\n  "a/b": {\n    "c~ é": "x" }\n}';
  const parsed = jsonPlugin.parse(new TextEncoder().encode(text));
  if (!parsed.ok) throw new Error("not parsed");
  const schema = JSON.stringify({ additionalProperties: { additionalProperties: { type: "number" } } });
  const errors = validateAtOnce({ schema, value: parsed.value, locate: parsed.locate });
  expect(errors).toEqual([
    { path: "/content/a~1b/c~0 é", message: expect.stringContaining("number"), line: 3, column: 13 },
  ]);
});
