import { describe, expect, it } from "vitest";
import { PreparedVariant } from "./serve-variant.ts";

const content = new TextEncoder().encode('{"a":1}');
const prepare = () =>
  new PreparedVariant(
    {
      version_id: 3,
      sha256: "ab".repeat(32),
      format: "json",
      content_bytes: content.byteLength,
      etag: '"3-abab"',
      content,
    },
    false,
  );
const at = (traceId: string, staleMs: number | null = null, indexToken = "c1.1.5.x") => ({
  indexToken,
  traceId,
  staleMs,
});
const FULL_FIELDS = {
  "cache-control": "private, no-cache",
  "content-type": "application/json",
  etag: '"3-abab"',
  "x-config-hash": `sha256:${"ab".repeat(32)}`,
  "x-config-index": "c1.1.5.x",
  "x-config-version": "3",
};

describe("prepared variant", () => {
  it("E1 answers the bytes with every header, again and again", async () => {
    const prepared = prepare();
    for (const traceId of ["t1", "t2"]) {
      const response = prepared.full(content, at(traceId));
      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toEqual({ ...FULL_FIELDS, "x-trace-id": traceId });
      expect(await response.text()).toBe('{"a":1}');
    }
  });

  it("E7 tells age, trace and index of one answer in no other", () => {
    const prepared = prepare();
    const old = prepared.full(content, at("t1", 1500));
    const later = prepared.full(content, at("t2", null, "c1.1.6.y"));
    const fields = (response: Response, name: string) => response.headers.get(name);
    expect(["x-config-age", "x-trace-id", "x-config-index"].map((name) => fields(old, name))).toEqual([
      "2",
      "t1",
      "c1.1.5.x",
    ]);
    expect(["x-config-age", "x-trace-id", "x-config-index"].map((name) => fields(later, name))).toEqual([
      null,
      "t2",
      "c1.1.6.y",
    ]);
    expect(fields(prepared.notModified(at("t3", 200)), "x-config-age")).toBe("1");
    expect(fields(prepared.notModified(at("t4")), "x-config-age")).toBeNull();
  });

  it("E6 leaves the bytes out of a 304 and of HEAD, and their length in the latter", async () => {
    const prepared = prepare();
    const { "content-type": _, ...fields } = FULL_FIELDS;
    const notModified = prepared.notModified(at("t1"));
    expect(notModified.status).toBe(304);
    expect(Object.fromEntries(notModified.headers)).toEqual({ ...fields, "x-trace-id": "t1" });
    const head = prepared.head(at("t2"));
    expect(head.status).toBe(200);
    expect(Object.fromEntries(head.headers)).toEqual({
      ...FULL_FIELDS,
      "content-length": "7",
      "x-trace-id": "t2",
    });
    expect(await head.text()).toBe("");
    expect(prepared.full(content, at("t3")).headers.get("content-length")).toBeNull();
  });
});
