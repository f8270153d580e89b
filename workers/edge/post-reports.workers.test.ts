import { describe, expect, it } from "vitest";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import type { ReportsMessage } from "../../contracts/delivery/delivery-message.ts";
import { UNASKED_REQUESTS_MAX } from "./client-rates.ts";
import { SIGNING_KEY, startEdge, unique } from "./testing/edge-harness.ts";

const CONFIG = "demo/shop/prod/app";
const RULES = [{ version_id: 1 }];
const token = (index: number, changes: { epoch?: number; cluster_id?: string } = {}): Promise<string> =>
  createIndexSigner(SIGNING_KEY).sign({ cluster_id: "c1", epoch: 1, index, ...changes });
const report = (changes: Record<string, unknown> = {}) => ({
  config: CONFIG,
  version: 1,
  index: "not.1.1.ours",
  state: "applied",
  at: "2026-01-02T03:04:05.678+01:00",
  ...changes,
});
const body = (...reports: Record<string, unknown>[]) => ({ client_id: "pod-1", reports });

describe("E16 delivery reports at the edge", () => {
  it("are queued with tenant, trusted region, time of arrival and the change they are about", async () => {
    const edge = await startEdge();
    const changed = await edge.publish({ contents: [unique()], rules: RULES });
    const fetched = await edge.fetchConfig();
    const index = fetched.headers.get("x-config-index");
    const sentAtMs = Date.now();
    const answer = await edge.postReports(body(report({ index, reason: "fine" })), {
      headers: { "x-region": "cn-shanghai" },
    });
    expect([answer.status, await answer.text()]).toEqual([202, ""]);
    expect(answer.headers.get("x-trace-id")).toMatch(/^[0-9a-f]{32}$/);
    const [message] = edge.reported();
    expect(message).toEqual({
      kind: "reports",
      tenant: "demo",
      region: edge.region,
      client_id: "pod-1",
      received_at_ms: expect.any(Number) as number,
      reports: [
        {
          config: CONFIG,
          version: 1,
          state: "applied",
          reason: "fine",
          at_ms: Date.parse("2026-01-02T02:04:05.678Z"),
          position: { cluster_id: "c1", epoch: 1, index: changed },
          change_index: changed,
        },
      ],
    });
    expect((message as ReportsMessage).received_at_ms).toBeGreaterThanOrEqual(sentAtMs);
  });

  it("wait for a region that is behind what the client has read, and then say which change it was", async () => {
    const edge = await startEdge({ headTtlMs: 600_000 });
    await edge.publish({ contents: [unique()], rules: RULES });
    await edge.fetchConfig();
    const changed = await edge.publish({ contents: [unique()], rules: RULES });
    await edge.replica.move({ index: changed + 10 });
    await edge.postReports(body(report({ index: await token(changed + 5) })));
    expect(edge.reported()[0]?.reports).toMatchObject([{ change_index: changed }]);
    const ahead = await edge.postReports(body(report({ index: await token(changed + 11) })));
    expect([ahead.status, ahead.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(edge.reported()).toHaveLength(1);
  });

  it("name no change once the config has changed again, and none for a forged or foreign index", async () => {
    const edge = await startEdge();
    const first = await edge.publish({ contents: [unique()], rules: RULES });
    await edge.publish({ contents: [unique()], rules: RULES });
    await edge.postReports(body(report({ index: await token(first) })));
    await edge.postReports(body(report({ index: "c1.1.999.AAAAAAAAAAA" })));
    await edge.postReports(body(report({ index: await token(first, { cluster_id: "c2" }) })));
    expect(
      edge.reported().map(({ reports }) => [reports[0]?.position?.index ?? null, reports[0]?.change_index]),
    ).toEqual([
      [first, null],
      [null, null],
      [first, null],
    ]);
  });

  it("of one config in one request: the newest stays, and the newest that was applied", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: RULES });
    const at = (n: number) => `2026-01-01T00:00:0${n}Z`;
    await edge.postReports(
      body(
        report({ version: 2, at: at(5) }),
        report({ version: 3, at: at(9), state: "rejected" }),
        report({ version: 1, at: at(1) }),
      ),
    );
    expect(edge.reported().flatMap(({ reports }) => reports)).toMatchObject([
      { version: 3, state: "rejected" },
      { version: 2, state: "applied" },
    ]);
  });

  it("on configs that the token may not read, or that are not there, are left out without a word", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: RULES });
    await edge.publish({ config: "demo/shop/dev/app", contents: [unique()], rules: RULES });
    await edge.publish({ config: "other/shop/prod/app", contents: [unique()], rules: RULES });
    const foreign = ["demo/shop/dev/app", "other/shop/prod/app", "demo/shop/prod/none"].map((config) =>
      report({ config }),
    );
    const alone = await edge.postReports(body(...foreign));
    expect([alone.status, await alone.text()]).toEqual([202, ""]);
    expect(edge.reported()).toEqual([]);
    const mixed = await edge.postReports(body(...foreign, report()));
    expect([mixed.status, await mixed.text()]).toEqual([202, ""]);
    expect(edge.reported().flatMap(({ reports }) => reports.map(({ config }) => config))).toEqual([CONFIG]);
  });

  it("fit into one message of the queue however large they are", async () => {
    const edge = await startEdge();
    const long = (n: number): string => `demo/shop/prod/${`n${n}`.padEnd(128, "x")}`;
    const reason = "\u{1F600}".repeat(120);
    const reports = await Promise.all(
      Array.from({ length: 100 }, async (_, n) => report({ config: long(n), reason, index: await token(2) })),
    );
    for (const { config } of reports) await edge.publish({ config, contents: ["1"], rules: RULES });
    expect((await edge.postReports(body(...reports))).status).toBe(202);
    const [message] = edge.reported();
    expect(message?.reports).toHaveLength(100);
    expect(new TextEncoder().encode(JSON.stringify(message)).byteLength).toBeLessThan(127_900);
  });

  it.each([
    [
      "a queue that is away",
      async (edge: Awaited<ReturnType<typeof startEdge>>) => {
        edge.queue.away = true;
      },
    ],
    [
      "a replica that is away",
      (edge: Awaited<ReturnType<typeof startEdge>>) => edge.replica.fault({ away: true }),
    ],
  ])("A7 %s: 503 with Retry-After, and the fetch goes on", async (_, breakIt) => {
    const edge = await startEdge({ headTtlMs: 600_000 });
    await edge.publish({ contents: [unique()], rules: RULES });
    await edge.publish({ config: "demo/shop/prod/b", contents: [unique()], rules: RULES });
    await edge.fetchConfig();
    await breakIt(edge);
    const answer = await edge.postReports(body(report(), report({ config: "demo/shop/prod/b" })));
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(await answer.json()).toMatchObject({ code: "unavailable" });
    expect((await edge.fetchConfig()).status).toBe(200);
  });

  it("E2 from nobody, or under a revoked or expired token, are refused", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: RULES });
    const expired = await edge.issue({ exp: Math.floor(Date.now() / 1000) - 60 });
    for (const authorization of ["none", "Bearer x", `Bearer ${expired}`]) {
      expect((await edge.postReports(body(report()), { headers: { authorization } })).status).toBe(401);
    }
    await edge.replica.revoke("j1");
    expect((await edge.postReports(body(report()))).status).toBe(401);
    expect(edge.reported()).toEqual([]);
  });

  it.each([
    ["no JSON", "{", 400, "malformed_request", undefined],
    ["no client", JSON.stringify({ reports: [report()] }), 400, "validation_failed", "/client_id"],
    [
      "a long client",
      JSON.stringify({ client_id: "x".repeat(129), reports: [report()] }),
      400,
      "validation_failed",
      "/client_id",
    ],
    [
      "a client with NUL",
      JSON.stringify({ client_id: "a\u0000", reports: [report()] }),
      400,
      "validation_failed",
      "/client_id",
    ],
    ["no report", JSON.stringify(body()), 400, "validation_failed", "/reports"],
    [
      "too many",
      JSON.stringify(body(...Array.from({ length: 101 }, () => report()))),
      400,
      "validation_failed",
      "/reports",
    ],
    [
      "no name",
      JSON.stringify(body(report({ config: "a/b/c" }))),
      400,
      "validation_failed",
      "/reports/0/config",
    ],
    [
      "a path",
      JSON.stringify(body(report({ config: "a/b/c/../d" }))),
      400,
      "validation_failed",
      "/reports/0/config",
    ],
    [
      "version 0",
      JSON.stringify(body(report({ version: 0 }))),
      400,
      "validation_failed",
      "/reports/0/version",
    ],
    [
      "a huge version",
      JSON.stringify(body(report({ version: 2 ** 31 }))),
      400,
      "validation_failed",
      "/reports/0/version",
    ],
    [
      "a long index",
      JSON.stringify(body(report({ index: "x".repeat(257) }))),
      400,
      "validation_failed",
      "/reports/0/index",
    ],
    [
      "an unknown state",
      JSON.stringify(body(report({ state: "done" }))),
      400,
      "validation_failed",
      "/reports/0/state",
    ],
    [
      "a long reason",
      JSON.stringify(body(report({ reason: "x".repeat(501) }))),
      400,
      "validation_failed",
      "/reports/0/reason",
    ],
    [
      "half a character",
      JSON.stringify(body(report({ reason: "\ud800" }))),
      400,
      "validation_failed",
      "/reports/0/reason",
    ],
    ["no time", JSON.stringify(body(report({ at: "yesterday" }))), 400, "validation_failed", "/reports/0/at"],
    [
      "an unknown field",
      JSON.stringify(body(report({ region: "cn-shanghai" }))),
      400,
      "validation_failed",
      "/reports/0",
    ],
    ["a huge body", "x".repeat(200_000), 413, "payload_too_large", undefined],
  ])("%s is refused with its place", async (_, sent, status, code, path) => {
    const edge = await startEdge();
    const answer = await edge.send("/api/v1/reports", { method: "POST", body: sent });
    const problem = await answer.json<{ code: string; errors?: { path: string }[] }>();
    expect([answer.status, problem.code, problem.errors?.[0]?.path]).toEqual([status, code, path]);
    expect(edge.reported()).toEqual([]);
  });

  it("E8 count towards the client's rate", async () => {
    const edge = await startEdge({ clientRate: { limit: async () => ({ success: false }) } });
    await edge.publish({ contents: [unique()], rules: RULES });
    let answer = await edge.postReports(body(report()));
    // A window that ends in the middle begins the count anew.
    for (let i = 0; i < 3 * UNASKED_REQUESTS_MAX && answer.status === 202; i += 1) {
      answer = await edge.postReports(body(report()));
    }
    expect([answer.status, await answer.json()]).toMatchObject([429, { code: "rate_limited" }]);
    expect(edge.reported().length).toBeGreaterThanOrEqual(UNASKED_REQUESTS_MAX);
  });

  it("answers POST alone", async () => {
    const edge = await startEdge();
    const answer = await edge.send("/api/v1/reports");
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
  });
});
