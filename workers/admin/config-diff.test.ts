import { describe, expect, it } from "vitest";
import { ContentSealer } from "../../adapters/kms/content-sealer.ts";
import { MemoryKeyService } from "../../adapters/memory/memory-key-service.ts";
import { DIFF_BYTES_MAX } from "../../contracts/limits.ts";
import { newConfig, readProblem, testingAdmin, type TestingAdmin } from "./testing-admin.ts";

const CONFIGS = "/api/v1/mgt/configs";

/** A config of these versions; answers the path of its diff. */
async function create(
  admin: TestingAdmin,
  [first, ...others]: { content?: string; content_base64?: string; format?: string; encrypt?: boolean }[],
): Promise<string> {
  const { content: _content, ...rest } = newConfig();
  const created = await admin.send("POST", CONFIGS, { ...rest, ...first });
  const { id } = await created.json<{ id: string }>();
  for (const version of others) {
    expect((await admin.send("POST", `${CONFIGS}/${id}/versions`, version)).status).toBe(201);
  }
  return `${CONFIGS}/${id}/diff`;
}
async function read(admin: TestingAdmin, path: string): Promise<Record<string, unknown>> {
  const answer = await admin.send("GET", path);
  expect(answer.status).toBe(200);
  return await answer.json<Record<string, unknown>>();
}

describe("C9 diff of two versions", () => {
  it("says how texts and values differ, in either direction", async () => {
    const admin = testingAdmin();
    const path = await create(admin, [
      { content: '{\n  "a": 1,\n  "b": [1, 2]\n}\n' },
      { content: "{}" },
      { content: '{\n  "a": 2,\n  "b": [1, 2]\n}\n' },
    ]);
    expect(await read(admin, `${path}?from=1&to=3`)).toMatchObject({
      from: { version_id: 1, format: "json", content_hash: expect.stringMatching(/^sha256:/) },
      to: { version_id: 3, content_bytes: 28 },
      unified:
        "--- demo/shop/prod/app.json@1\n+++ demo/shop/prod/app.json@3\n@@ -1,4 +1,4 @@\n {\n" +
        '-  "a": 1,\n+  "a": 2,\n   "b": [1, 2]\n }\n',
      unified_omitted: null,
      json_patch: [{ op: "replace", path: "/a", value: 2 }],
      json_patch_omitted: null,
    });
    expect((await read(admin, `${path}?from=3&to=1`))["json_patch"]).toEqual([
      { op: "replace", path: "/a", value: 1 },
    ]);
    expect(await read(admin, `${path}?from=2&to=2`)).toMatchObject({ unified: "", json_patch: [] });
  });

  it("compares versions of different formats by their values", async () => {
    const admin = testingAdmin();
    const path = await create(admin, [
      { content: '{"a": {"b": "1"}}' },
      { content: "[a]\nb = 1\n", format: "ini" },
      { content: "<a><b>1</b></a>", format: "xml" },
      { content: "hello", format: "text" },
    ]);
    expect(await read(admin, `${path}?from=1&to=2`)).toMatchObject({ json_patch: [] });
    expect(await read(admin, `${path}?from=2&to=3`)).toMatchObject({ json_patch: [] });
    expect(await read(admin, `${path}?from=3&to=4`)).toMatchObject({
      unified: expect.stringContaining("+hello"),
      json_patch: null,
      json_patch_omitted: { reason: "unstructured" },
    });
  });

  it("does not compare binary content, nor what is too large", async () => {
    const admin = testingAdmin();
    const large = JSON.stringify("x".repeat(DIFF_BYTES_MAX));
    const path = await create(admin, [
      { content: "{}" },
      { content_base64: "AP8=", format: "binary" },
      { content: large },
    ]);
    for (const [to, reason] of [
      [2, "binary"],
      [3, "too_large"],
    ]) {
      expect(await read(admin, `${path}?from=1&to=${to}`)).toMatchObject({
        unified: null,
        unified_omitted: { reason },
        json_patch: null,
        json_patch_omitted: { reason },
      });
    }
  });

  it("never reads the content of an encrypted config", async () => {
    const keys = new MemoryKeyService(["alias/default"]);
    const admin = testingAdmin({ sealer: new ContentSealer({ keys, defaultKeyId: "alias/default" }) });
    const versions = [{ content: '{"a": 1}', encrypt: true }, { content: '{"a": 2}' }];
    const path = await create(admin, versions);
    const listed = await read(admin, path.replace("/diff", "/versions"));
    admin.core.getBlob = () => Promise.reject(new Error("read"));
    const diff = await read(admin, `${path}?from=1&to=2`);
    expect(diff).toMatchObject({ unified: null, json_patch: null, unified_omitted: { reason: "encrypted" } });
    // What it tells of a version is what the list of versions tells.
    const [second, first] = listed["items"] as { content_hash: string }[];
    expect([diff["from"], diff["to"]]).toMatchObject([
      { content_hash: first?.content_hash },
      { content_hash: second?.content_hash },
    ]);
  });

  it("refuses versions that do not exist or are no numbers, and callers who may not read", async () => {
    const admin = testingAdmin();
    const path = await create(admin, [{ content: "{}" }]);
    expect((await admin.send("GET", `${path}?from=1&to=2`)).status).toBe(404);
    const wrong = await admin.send("GET", `${path}?from=0&to=x`);
    expect((await readProblem(wrong)).errors.map((e) => e.path)).toEqual(["/query/from", "/query/to"]);
    expect((await admin.send("GET", `${path}?to=1`)).status).toBe(400);
    const stranger = { authorization: "Bearer stranger" };
    expect((await admin.send("GET", `${path}?from=1&to=1`, undefined, stranger)).status).toBe(404);
    const reader = { authorization: "Bearer reader" };
    expect((await admin.send("GET", `${path}?from=1&to=1`, undefined, reader)).status).toBe(200);
  });
});
