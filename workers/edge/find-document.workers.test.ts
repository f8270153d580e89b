/** The core as the last place to ask, when the region's replica does not answer (E4). */
import { describe, expect, it } from "vitest";
import { MemoryCore } from "../../adapters/memory/memory-core.ts";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { testCommand, testConfigPayload } from "../../domain/command/testing-commands.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import type { EdgeCore } from "./open-core.ts";
import { SIGNING_KEY, startEdge, unique } from "./testing/edge-harness.ts";

const LARGE = JSON.stringify({ filler: "x".repeat(100_000) });

async function sha256Of(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A core with `content` in `demo/shop/prod/app`, given out by `rules`. */
async function coreWith(content: string, rules: Partial<ReleaseRule>[] = [{}]) {
  const core = new MemoryCore();
  const bytes = new TextEncoder().encode(content);
  const releases = rules.map((rule) => ({ labels: {}, version_id: 1, priority: 0, ...rule }));
  const made = await core.propose<"create_config">({
    command: testCommand("create_config", testConfigPayload("app", await sha256Of(bytes), { releases })),
    attachments: [bytes],
  });
  return { core, index: made.index };
}

/** An edge whose replica and KV do not answer. */
async function startCutOff(core: EdgeCore) {
  const edge = await startEdge({
    core,
    kv: { get: () => Promise.reject(new Error("away")) } as unknown as KVNamespace,
  });
  await edge.replica.fault({ away: true });
  return edge;
}

describe("the core as the last place to ask", () => {
  it.each([unique(), LARGE])(
    "E4 answers with the bytes, ETag and position that the region would give",
    async (content) => {
      const { core, index } = await coreWith(content);
      const edge = await startCutOff(core);
      const response = await edge.fetchConfig();
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(content);
      expect(response.headers.get("x-config-age")).toBeNull();
      expect(response.headers.get("x-config-index")).toBe(
        await createIndexSigner(SIGNING_KEY).sign({ cluster_id: "c1", epoch: 1, index }),
      );
      const etag = response.headers.get("etag") ?? "";
      expect((await edge.fetchConfig({ headers: { "if-none-match": etag } })).status).toBe(304);
    },
  );

  it("E3 E4 knows the region's rules and the client's labels", async () => {
    const elsewhere = await startCutOff(
      (await coreWith(unique(), [{ edge: { regions: ["elsewhere"] } }])).core,
    );
    expect((await elsewhere.fetchConfig()).status).toBe(404);
    const labelled = await startCutOff((await coreWith(unique(), [{ labels: { canary: "true" } }])).core);
    expect((await labelled.fetchConfig()).status).toBe(404);
    expect((await labelled.fetchConfig({ headers: { "X-Client-Label-Canary": "true" } })).status).toBe(200);
  });

  it("E2 E4 refuses a revoked token, and asks for nobody who may not read", async () => {
    const { core } = await coreWith(unique());
    let asked = 0;
    const edge = await startCutOff({
      edgeConfig: (input) => {
        asked += 1;
        return core.edgeConfig(input);
      },
      getBlob: (input) => core.getBlob(input),
    });
    expect((await edge.fetchConfig({}, "demo/other/prod/app")).status).toBe(404);
    expect(asked).toBe(0);
    expect((await edge.fetchConfig({}, "demo/shop/prod/none")).status).toBe(404);
    const command = testCommand("revoke_token", { jti: "j1", expires_at_ms: Date.now() + 60_000 });
    await core.propose({ command, attachments: [] });
    expect((await edge.fetchConfig()).status).toBe(401);
  });

  it("E4 is asked only while the region is away, and goes no further back than the region went", async () => {
    const { core, index } = await coreWith(unique());
    const edge = await startEdge({ core });
    const served = unique();
    await edge.publish({ contents: [served], rules: [{ version_id: 1 }] });
    expect(await (await edge.fetchConfig()).text()).toBe(served);
    // The fake replica stands at a higher index than the core in memory.
    await edge.replica.fault({ away: true });
    expect(index).toBeLessThan(100);
    const other = await edge.fetchConfig({}, "demo/shop/prod/other");
    expect(other.status).toBe(503);
    expect(edge.logs.some(({ message }) => message.includes("neither the region nor the core"))).toBe(true);
  });

  it("E4 E7 both away: 503 with Retry-After; a flood of questions reaches the core only in part", async () => {
    let underWay = 0;
    let most = 0;
    const gate = Promise.withResolvers<never>();
    const edge = await startCutOff({
      edgeConfig: async () => {
        underWay += 1;
        most = Math.max(most, underWay);
        return gate.promise.finally(() => {
          underWay -= 1;
        });
      },
      getBlob: () => gate.promise,
    });
    const flood = Array.from({ length: 40 }, () => edge.fetchConfig());
    await expect.poll(() => most, { timeout: 10_000 }).toBe(8);
    gate.reject(new ConfluxError("unavailable", "the core is away"));
    for (const response of await Promise.all(flood)) {
      expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    }
    expect(most).toBe(8);
  });
});
