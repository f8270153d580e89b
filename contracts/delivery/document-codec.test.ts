import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConfigChanged } from "../../domain/command/feed-entry.ts";
import { compileDocument, DOCUMENT_INLINE_BYTES_MAX } from "../../domain/delivery/compile-document.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import { decodeDocument, encodeDocument } from "./document-codec.ts";

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** An event whose versions have the given contents, each named by a rule labelled `v: <number>`. */
function eventOf(contents: readonly Uint8Array[], regions?: readonly string[]): ConfigChanged {
  return {
    type: "config_changed",
    config_id: "c1",
    namespace: { tenant: "demo", app: "shop", env: "prod" },
    name: "app.json",
    encrypted: false,
    latest_version_id: contents.length,
    releases: contents.map((_, i) => ({
      labels: { v: String(i + 1) },
      version_id: i + 1,
      priority: 0,
      ...(regions?.[i] === undefined ? {} : { edge: { regions: [regions[i]] } }),
    })),
    variants: contents.map((content, i) => ({
      version_id: i + 1,
      sha256: sha256(content),
      content_bytes: content.byteLength,
      format: "json",
    })),
  };
}

const conditional: ReleaseRule = {
  labels: { a: "1" },
  version_id: 1,
  priority: 0,
  when: [{ label: "app", op: "semver", values: ["^1.2.0"] }],
  percentage: { by: "user", percent: 12.5 },
};
const compileOne = (releases: ReleaseRule[]) =>
  compileDocument({
    event: { ...eventOf([Uint8Array.of(1)]), releases },
    region: "eu",
    inline: () => Uint8Array.of(1),
  });

function compile(
  contents: readonly Uint8Array[],
  region = "eu",
  regions?: readonly string[],
  inlineMax = 1024,
) {
  const bySha = new Map(contents.map((content) => [sha256(content), content]));
  return compileDocument({
    event: eventOf(contents, regions),
    region,
    inline: (hash) => {
      const content = bySha.get(hash);
      return content !== undefined && content.byteLength <= inlineMax ? content : undefined;
    },
  });
}

describe("compileDocument", () => {
  it("E3 keeps only the rules and variants of the region", () => {
    const contents = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)];
    const document = compile(contents, "eu", ["eu", "us", "eu"]);
    expect(document.config).toBe("demo/shop/prod/app.json");
    expect(document.variants.map((v) => v.version_id)).toEqual([1, 3]);
    expect(document.rules.rules.map((r) => r.position)).toEqual([0, 2]);
  });

  it("gives versions that share bytes different etags", () => {
    const document = compile([Uint8Array.of(7), Uint8Array.of(7)]);
    expect(new Set(document.variants.map((v) => v.etag)).size).toBe(2);
  });

  it("leaves content past the document's budget to KV", () => {
    const half = DOCUMENT_INLINE_BYTES_MAX / 2;
    const contents = [0, 1, 2].map((n) => new Uint8Array(half).fill(n));
    const document = compile(contents, "eu", undefined, half);
    expect(document.variants.map((v) => v.content?.byteLength ?? null)).toEqual([half, half, null]);
  });

  it("refuses an event that lacks a version a rule names, and bytes of another length", () => {
    const event = { ...eventOf([Uint8Array.of(1)]), variants: [] };
    expect(() => compileDocument({ event, region: "eu", inline: () => undefined })).toThrow(RangeError);
    expect(() =>
      compileDocument({ event: eventOf([Uint8Array.of(1)]), region: "eu", inline: () => new Uint8Array(2) }),
    ).toThrow("has 2 bytes, not 1");
  });

  it("does not depend on the order in which labels were written", () => {
    const event = eventOf([Uint8Array.of(1)]);
    const a = { ...event, releases: [{ labels: { x: "1", y: "2" }, version_id: 1, priority: 0 }] };
    const b = { ...event, releases: [{ labels: { y: "2", x: "1" }, version_id: 1, priority: 0 }] };
    const [one, two] = [a, b].map((e) =>
      encodeDocument(compileDocument({ event: e, region: "eu", inline: () => undefined })),
    );
    expect(one).toEqual(two);
  });
});

describe("document codec", () => {
  it("decodes what it encoded, byte for byte, and encodes the same again", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 6 }),
        fc.nat(200),
        (contents, inlineMax) => {
          const document = compile(contents, "eu", undefined, inlineMax);
          const bytes = encodeDocument(document);
          const decoded = decodeDocument(bytes);
          expect(decoded).toEqual(document);
          expect(encodeDocument(decoded)).toEqual(bytes);
        },
      ),
    );
  });

  it("C5 carries conditions and percentages, in a version of their own", () => {
    const document = compileOne([conditional, { labels: {}, version_id: 1, priority: -1 }]);
    expect(document.rules.rules[0]).toEqual({
      position: 0,
      version_id: 1,
      labels: [["a", "1"]],
      when: [{ label: "app", op: "semver", values: ["^1.2.0"] }],
      percentage: { by: "user", below: 1250, salt: "c1" },
    });
    const bytes = encodeDocument(document);
    expect(bytes[0]).toBe(2);
    expect(decodeDocument(bytes)).toEqual(document);
    expect(encodeDocument(decodeDocument(bytes))).toEqual(bytes);
    for (let length = 0; length < bytes.byteLength; length += 1) {
      expect(() => decodeDocument(bytes.subarray(0, length))).toThrow(RangeError);
    }
  });

  it("C5 keeps the bytes, and so the names, of documents without conditions as they were before there were any", () => {
    const labelled: ReleaseRule = { labels: { a: "1" }, version_id: 1, priority: 0 };
    const bytes = encodeDocument(compileOne([labelled, { labels: {}, version_id: 1, priority: 0 }]));
    const [header] = new TextDecoder().decode(bytes.subarray(5)).split("\u0001");
    const variants = `[{"version_id":1,"sha256":"${sha256(Uint8Array.of(1))}","format":"json","content_bytes":1`;
    expect([bytes[0], header]).toEqual([
      1,
      '{"config":"demo/shop/prod/app.json","config_id":"c1","encrypted":false,"rules":{"rules":' +
        '[{"position":0,"version_id":1,"labels":[["a","1"]]},{"position":1,"version_id":1,"labels":[]}],' +
        `"by_label":{"a\\u00001":[0]},"unlabelled":[1]},"variants":${variants},` +
        `"etag":"\\"1-${sha256(Uint8Array.of(1)).slice(0, 32)}\\"","inline":true}]}`,
    ]);
    const withIn = { ...labelled, labels: {}, when: [{ label: "a", op: "in" as const, values: ["1"] }] };
    expect(encodeDocument(compileOne([withIn]))).toEqual(encodeDocument(compileOne([labelled])));
  });

  it("refuses every truncation and every surplus", () => {
    const bytes = encodeDocument(compile([Uint8Array.of(1, 2, 3), new Uint8Array(0)]));
    for (let length = 0; length < bytes.byteLength; length += 1) {
      expect(() => decodeDocument(bytes.subarray(0, length))).toThrow(RangeError);
    }
    expect(() => decodeDocument(Uint8Array.of(...bytes, 0))).toThrow("bytes after the last content");
  });

  it("refuses an unknown version and a header of another shape", () => {
    const bytes = encodeDocument(compile([Uint8Array.of(1)]));
    expect(() => decodeDocument(Uint8Array.of(9, ...bytes.subarray(1)))).toThrow("wire version 9");
    const labelsOnly =
      '{"config":"a","config_id":"b","encrypted":false,"variants":[],"rules":{"rules":[],"unlabelled":[],"by_label":{}}}';
    for (const header of ["null", "{}", "[]", "nope", '{"config":"a"}', labelsOnly]) {
      const text = new TextEncoder().encode(header);
      const framed = (version: number) => Uint8Array.of(version, 0, 0, 0, text.byteLength, ...text);
      expect(() => decodeDocument(framed(2))).toThrow(RangeError);
      if (header === labelsOnly) expect(decodeDocument(framed(1)).rules.by_name).toEqual({});
      else expect(() => decodeDocument(framed(1))).toThrow(RangeError);
    }
  });
});
