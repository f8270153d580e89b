import { describe, expect, it } from "vitest";
import { decodeDocument } from "../../contracts/delivery/document-codec.ts";
import { rule, testEnv, TestRegion } from "./testing/test-region.ts";

describe("region replica", () => {
  it("E11 follows the feed: the document is in KV before the head names it", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", `{"a":1}`);
    const first = await region.head("a.json", made.index);
    expect(first).toMatchObject({ version: 1, index: made.index });
    const index = await region.release(made.id, `{"a":2}`);
    const second = await region.head("a.json", index);
    expect(second).toMatchObject({ version: 2, index });
    const bytes = await testEnv.KV_US_EAST_1.get(`d/demo/${second.doc}`, "arrayBuffer");
    const document = decodeDocument(new Uint8Array(bytes ?? new ArrayBuffer(0)));
    expect(new TextDecoder().decode(document.variants[0]?.content ?? undefined)).toBe(`{"a":2}`);
    expect(await region.replica.content({ tenant: "demo", key: `d/demo/${second.doc}` })).toEqual(bytes);
  });

  it("E3 rules of another region change nothing here", async () => {
    const region = new TestRegion();
    const made = await region.create("a.json", `{"a":1}`);
    const before = await region.head("a.json", made.index);
    const index = await region.release(made.id, `{"a":2}`, [
      rule(1),
      rule(2, { edge: { regions: ["elsewhere"] } }),
    ]);
    expect(await region.head("a.json", index)).toEqual(before);
  });
});
