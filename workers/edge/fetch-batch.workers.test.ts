import { describe, expect, it } from "vitest";
import type { BatchAnswer } from "../../contracts/delivery/batch.ts";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { SIGNING_KEY, startEdge, unique } from "./testing/edge-harness.ts";

const RULES = [{ version_id: 1 }];
const answerOf = async (response: Response): Promise<BatchAnswer> => response.json();

describe("fetch batch", () => {
  it("E6 answers each config like a fetch of its own, in the order asked for", async () => {
    const edge = await startEdge();
    const [one, two] = [unique(), unique()];
    const rules = [{ version_id: 1 }, { version_id: 2, priority: 1, labels: { canary: "true" } }];
    await edge.publish({ config: "demo/shop/prod/a", contents: [one, two], rules });
    await edge.publish({
      config: "demo/shop/prod/b",
      contents: [Uint8Array.of(0xff, 0)],
      rules: RULES,
      format: "binary",
    });
    const index = await edge.publish({ config: "demo/shop/dev/c", contents: [unique()], rules: RULES });
    const configs = [
      "demo/shop/prod/b",
      "demo/shop/prod/none",
      "demo/shop/prod/a",
      "demo/shop/dev/c",
      "demo/shop/prod/b",
    ];
    const response = await edge.fetchBatch({ configs }, { headers: { "x-client-label-canary": "true" } });
    const answer = await answerOf(response);
    expect(response.status).toBe(200);
    expect(answer.items.map(({ config, status }) => [config, status])).toEqual([
      ["demo/shop/prod/b", 200],
      ["demo/shop/prod/none", 404],
      ["demo/shop/prod/a", 200],
      ["demo/shop/dev/c", 404],
      ["demo/shop/prod/b", 200],
    ]);
    expect(answer.items[0]).toMatchObject({
      content_type: "application/octet-stream",
      content_base64: "/wA=",
    });
    expect(answer.items[2]).toMatchObject({ version: 2, content: two, content_type: "application/json" });
    const single = await edge.fetchConfig(
      { headers: { "x-client-label-canary": "true" } },
      "demo/shop/prod/a",
    );
    expect(answer.items[2]).toMatchObject({
      etag: single.headers.get("etag"),
      hash: single.headers.get("x-config-hash"),
    });
    expect(answer.index).toBe(
      await createIndexSigner(SIGNING_KEY).sign({ cluster_id: "c1", epoch: 1, index }),
    );
    expect(response.headers.get("x-config-index")).toBe(answer.index);
  });

  it("E6 leaves out what the client has", async () => {
    const edge = await startEdge();
    const config = "demo/shop/prod/app";
    await edge.publish({ contents: [unique()], rules: RULES });
    const first = await answerOf(await edge.fetchBatch({ configs: [config] }));
    const etag = first.items[0] !== undefined && "etag" in first.items[0] ? first.items[0].etag : "";
    const again = await answerOf(
      await edge.fetchBatch({ configs: [config], if_none_match: { [config]: etag } }),
    );
    expect(again.items[0]).toMatchObject({ config, status: 304, etag });
    expect(again.items[0]).not.toHaveProperty("content");
  });

  it("E6 pages through a namespace with what the client can get, and nothing else", async () => {
    const edge = await startEdge();
    const names = Array.from({ length: 130 }, (_, i) => `demo/shop/prod/n${String(i).padStart(3, "0")}`);
    for (const config of names) await edge.publish({ config, contents: [`"${config}"`], rules: RULES });
    await edge.publish({
      config: "demo/shop/prod/n050x",
      contents: ["1"],
      rules: [{ version_id: 1, labels: { no: "1" } }],
    });
    const token = await edge.issue({ scopes: ["read:demo/shop/prod/*"] });
    const got: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const body = { namespace: "demo/shop/prod", ...(cursor === null ? {} : { cursor }) };
      const page: BatchAnswer = await answerOf(
        await edge.fetchBatch(body, { headers: { authorization: `Bearer ${token}` } }),
      );
      got.push(...page.items.map(({ config }) => config));
      cursor = page.next_cursor;
      pages += 1;
    } while (cursor !== null);
    expect(got).toEqual(names);
    expect(pages).toBe(2);
  });

  it("E6 shows nothing of a namespace the token does not reach", async () => {
    const edge = await startEdge();
    await edge.publish({ config: "other/shop/prod/a", contents: [unique()], rules: RULES });
    await edge.publish({ config: "demo/shop/dev/a", contents: [unique()], rules: RULES });
    for (const namespace of ["other/shop/prod", "demo/shop/dev", "demo/none/none"]) {
      expect(await answerOf(await edge.fetchBatch({ namespace }))).toMatchObject({
        items: [],
        next_cursor: null,
      });
    }
  });

  it("E6 names a config that does not fit instead of growing without bound", async () => {
    const edge = await startEdge();
    const content = (n: number): string => JSON.stringify({ n, x: crypto.randomUUID().repeat(90_000) });
    const configs = [1, 2, 3].map((n) => `demo/shop/prod/big${n}`);
    for (const [i, config] of configs.entries())
      await edge.publish({ config, contents: [content(i)], rules: RULES });
    const { items } = await answerOf(await edge.fetchBatch({ configs }));
    expect(items.filter(({ status }) => status === 200)).toHaveLength(2);
    expect(items.filter(({ status }) => status === 413)).toHaveLength(1);
  });

  it("E5 waits for the minimum index", async () => {
    const edge = await startEdge({ headTtlMs: 600_000 });
    await edge.publish({ contents: [unique()], rules: RULES });
    await edge.fetchBatch({ configs: ["demo/shop/prod/app"] });
    const content = unique();
    const index = await edge.publish({ contents: [content], rules: RULES });
    const minimum = await createIndexSigner(SIGNING_KEY).sign({ cluster_id: "c1", epoch: 1, index });
    for (const body of [{ configs: ["demo/shop/prod/app"] }, { namespace: "demo/shop/prod" }]) {
      const answer = await answerOf(
        await edge.fetchBatch(body, { headers: { "x-conflux-min-index": minimum } }),
      );
      expect(answer.items[0]).toMatchObject({ status: 200, content });
      expect(answer.index).toBe(minimum);
    }
  });

  it.each([
    ["no JSON", "{", 400, "malformed_request"],
    ["no UTF-8", Uint8Array.of(0x22, 0xff, 0x22), 400, "malformed_request"],
    ["nothing", "", 400, "malformed_request"],
    ["neither form", "{}", 400, "validation_failed"],
    ["both forms", '{"configs":["a/b/c/d"],"namespace":"a/b/c"}', 400, "validation_failed"],
    ["no configs", '{"configs":[]}', 400, "validation_failed"],
    [
      "too many",
      JSON.stringify({ configs: Array.from({ length: 101 }, () => "a/b/c/d") }),
      400,
      "validation_failed",
    ],
    ["a name with ..", '{"configs":["a/b/c/../d"]}', 400, "validation_failed"],
    [
      "half a character in a name",
      String.raw`{"configs":["a/b/c/d"],"if_none_match":{"x\ud800":"y"}}`,
      400,
      "validation_failed",
    ],
    ["no namespace", '{"namespace":"a/b"}', 400, "validation_failed"],
    ["a huge body", "x".repeat(300_000), 413, "payload_too_large"],
  ])("refuses %s", async (_, body, status, code) => {
    const edge = await startEdge();
    const response = await edge.send("/api/v1/fetch/batch", { method: "POST", body });
    expect([response.status, (await response.json<{ code: string }>()).code]).toEqual([status, code]);
  });

  it("refuses who has no token", async () => {
    const edge = await startEdge();
    const response = await edge.fetchBatch({ configs: ["a/b/c/d"] }, { headers: { authorization: "none" } });
    expect(response.status).toBe(401);
  });
});
