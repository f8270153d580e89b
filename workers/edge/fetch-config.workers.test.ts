import { describe, expect, it, vi } from "vitest";
import { createIndexSigner } from "../../adapters/index-signature/index-signer.ts";
import type { RuleCondition } from "../../domain/release-rule/release-rule.ts";
import { SIGNING_KEY, startEdge, unique } from "./testing/edge-harness.ts";

const problem = async (response: Response): Promise<Record<string, unknown>> => response.json();
const DEFAULT_AND_CANARY = [{ version_id: 1 }, { version_id: 2, priority: 10, labels: { canary: "true" } }];

describe("fetch config", () => {
  it("E1 gives each client the bytes its labels select, with every header", async () => {
    const edge = await startEdge();
    const [one, two] = [unique(), unique()];
    const index = await edge.publish({ contents: [one, two], rules: DEFAULT_AND_CANARY });
    const plain = await edge.fetchConfig();
    expect(plain.status).toBe(200);
    expect(await plain.text()).toBe(one);
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const canary = await edge.fetchConfig({ headers: { "X-Client-Label-Canary": "true", traceparent } });
    expect(await canary.text()).toBe(two);
    expect(Object.fromEntries(canary.headers)).toMatchObject({
      "content-type": "application/json",
      "cache-control": "private, no-cache",
      "x-config-version": "2",
      "x-config-hash": expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
      "x-config-index": await createIndexSigner(SIGNING_KEY).sign({ cluster_id: "c1", epoch: 1, index }),
      etag: expect.stringMatching(/^"2-[0-9a-f]{32}"$/) as string,
      "x-trace-id": "0af7651916cd43dd8448eb211c80319c",
    });
    expect(plain.headers.get("x-trace-id")).toMatch(/^[0-9a-f]{32}$/);
  });

  it("E1 keeps bytes as they are, whatever they are", async () => {
    const edge = await startEdge();
    const bytes = crypto.getRandomValues(new Uint8Array(4096));
    await edge.publish({ contents: [bytes], rules: [{ version_id: 1 }], format: "binary" });
    const response = await edge.fetchConfig();
    expect(response.headers.get("content-type")).toBe("application/octet-stream");
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes);
    await edge.publish({ contents: [bytes], rules: [{ version_id: 1 }], encrypted: true });
    expect((await edge.fetchConfig()).headers.get("content-type")).toBe(
      "application/vnd.conflux.envelope+json",
    );
  });

  it("E1 reads labels beyond ASCII as they were written in the rule", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: [{ version_id: 1, labels: { city: "Zürich" } }] });
    expect((await edge.fetchConfig({ headers: { "X-Client-Label-City": "Zürich" } })).status).toBe(200);
  });

  it("C5 E1 decides by operators, percentages and the absence of a label", async () => {
    const edge = await startEdge();
    const contents = Array.from({ length: 5 }, unique);
    const when = (label: string, op: RuleCondition["op"], ...values: string[]) => [{ label, op, values }];
    await edge.publish({
      contents,
      rules: [
        { version_id: 1, priority: -1, when: when("app", "exists", "false") },
        { version_id: 2, when: when("app", "semver", ">=2.0.0") },
        { version_id: 3, when: when("ip", "cidr", "10.0.0.0/8"), priority: 1 },
        { version_id: 4, when: when("host", "regex", "^web-\\d+$"), priority: 2 },
        { version_id: 5, priority: 3, percentage: { by: "user", percent: 50, salt: "s" } },
      ],
    });
    const get = async (labels: Record<string, string>): Promise<string | null> => {
      const headers = Object.fromEntries(Object.entries(labels).map(([k, v]) => [`X-Client-Label-${k}`, v]));
      const response = await edge.fetchConfig({ headers });
      return response.headers.get("x-config-version");
    };
    expect(await get({})).toBe("1");
    expect(await get({ app: "1.9.9" })).toBeNull();
    expect(await get({ app: "2.0.1" })).toBe("2");
    expect(await get({ app: "2.0.1", ip: "10.2.3.4" })).toBe("3");
    expect(await get({ ip: "11.2.3.4", host: "web-12" })).toBe("4");
    expect(await get({ host: "web-12x" })).toBe("1");
    // murmur3_32 of "s\0ada" is in bucket 4927, of "s\0eve" in 8961 (in Node, and of the published algorithm).
    expect(await get({ user: "ada" })).toBe("5");
    expect(await get({ user: "eve" })).toBe("1");
  });

  it("C5 serves nothing of a document that it does not understand", async () => {
    const edge = await startEdge();
    const rule = { version_id: 1, when: [{ label: "a", op: "sounds_like" as "in", values: ["x", "y"] }] };
    await edge.publish({ contents: [unique()], rules: [rule] });
    const answer = await edge.fetchConfig({ headers: { "X-Client-Label-A": "x" } });
    expect(answer.status).toBeGreaterThanOrEqual(500);
  });

  it("E3 serves what was compiled for its region", async () => {
    const [one, two] = [unique(), unique()];
    const rules = [{ version_id: 1 }, { version_id: 2, priority: 9, edge: { regions: ["cn-test"] } }];
    const suffix = crypto.randomUUID();
    const regions = [`us-${suffix}`, "cn-test"];
    for (const [region, expected] of [
      [`us-${suffix}`, one],
      ["cn-test", two],
    ] as const) {
      const edge = await startEdge({ regions, region });
      await edge.publish({ contents: [one, two], rules });
      expect(await (await edge.fetchConfig()).text()).toBe(expected);
    }
  });

  it("E6 answers 304 for a current ETag and 200 for an old one", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique(), unique()], rules: [{ version_id: 1 }] });
    const etag = (await edge.fetchConfig()).headers.get("etag") ?? "";
    for (const ifNoneMatch of [etag, `"x", W/${etag}`, "*"]) {
      const response = await edge.fetchConfig({ headers: { "If-None-Match": ifNoneMatch } });
      expect(response.status).toBe(304);
      expect(await response.text()).toBe("");
      expect(response.headers.get("etag")).toBe(etag);
      expect(response.headers.get("x-config-version")).toBe("1");
      expect(response.headers.get("x-config-index")).not.toBeNull();
    }
    await edge.publish({ contents: [unique(), unique()], rules: [{ version_id: 2 }] });
    expect((await edge.fetchConfig({ headers: { "If-None-Match": etag } })).status).toBe(200);
  });

  it("E6 tells nothing by 304 to who may not read", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
    const foreign = await edge.issue({ scopes: ["read:demo/other/prod/*"] });
    const headers = { "If-None-Match": "*" };
    expect((await edge.fetchConfig({ headers: { ...headers, authorization: "none" } })).status).toBe(401);
    expect(
      (await edge.fetchConfig({ headers: { ...headers, authorization: `Bearer ${foreign}` } })).status,
    ).toBe(404);
  });

  it("E6 answers HEAD like GET without the bytes", async () => {
    const edge = await startEdge();
    const content = unique();
    await edge.publish({ contents: [content], rules: [{ version_id: 1 }] });
    const head = await edge.fetchConfig({ method: "HEAD" });
    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe(String(content.length));
    expect(head.headers.get("x-config-version")).toBe("1");
    expect(await head.text()).toBe("");
  });

  it("serves a fresh head without I/O and without parsing JSON", async () => {
    const edge = await startEdge({ headTtlMs: 600_000 });
    await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
    await edge.fetchConfig();
    const before = await edge.replica.calls();
    const kvGet = vi.spyOn(edge.kv, "get");
    const parse = vi.spyOn(JSON, "parse");
    for (let i = 0; i < 50; i += 1) expect((await edge.fetchConfig()).status).toBe(200);
    expect(parse).not.toHaveBeenCalled();
    expect(kvGet).not.toHaveBeenCalled();
    vi.restoreAllMocks();
    expect(await edge.replica.calls()).toEqual(before);
  });
});

describe("fetch config from memory", () => {
  const warm = async () => {
    const edge = await startEdge({ headTtlMs: 600_000 });
    const content = unique();
    await edge.publish({ contents: [content], rules: [{ version_id: 1, labels: { canary: "true" } }] });
    const headers = { "X-Client-Label-Canary": "true" };
    const first = await edge.fetchConfig({ headers });
    const etag = first.headers.get("etag") ?? "";
    return { ...edge, content, headers, first, etag };
  };
  /** Asks twice: what was unknown to the isolate at first is in memory then. */
  const twice = async (ask: () => Promise<Response>): Promise<Response[]> => [await ask(), await ask()];

  it("E1 E6 answers as it did with I/O, and asks nobody", async () => {
    const edge = await warm();
    const before = await edge.replica.calls();
    const { headers, etag } = edge;
    const again = await edge.fetchConfig({ headers });
    expect(await again.text()).toBe(edge.content);
    const fields = (response: Response) => ({ ...Object.fromEntries(response.headers), "x-trace-id": "" });
    expect(fields(again)).toEqual(fields(edge.first));
    const known = await edge.fetchConfig({ headers: { ...headers, "If-None-Match": etag } });
    expect([known.status, await known.text()]).toEqual([304, ""]);
    const head = await edge.fetchConfig({ method: "HEAD", headers });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([
      200,
      String(edge.content.length),
      "",
    ]);
    expect(await edge.replica.calls()).toEqual(before);
  });

  it("E2 E6 decides who may read before it tells of the config", async () => {
    const edge = await warm();
    const foreign = await edge.issue({ jti: "foreign", scopes: ["read:demo/other/prod/*"] });
    const condition = { ...edge.headers, "If-None-Match": "*" };
    const refused = [
      ...(await twice(() =>
        edge.fetchConfig({ headers: { ...condition, authorization: `Bearer ${foreign}` } }),
      )),
      ...(await twice(() => edge.fetchConfig({ headers: { "If-None-Match": "*" } }))),
      ...(await twice(() => edge.fetchConfig({ headers: condition }, "demo/shop/prod/unknown"))),
    ];
    const bodies = await Promise.all(refused.map(problem));
    for (const [i, body] of bodies.entries()) {
      expect(refused[i]?.status).toBe(404);
      expect({ ...body, trace_id: "" }).toEqual({ ...bodies[0], trace_id: "" });
    }
    const flood = Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`x-client-label-l${i}`, "1"]));
    for (const response of await twice(() => edge.fetchConfig({ headers: flood })))
      expect(response.status).toBe(400);
    const stranger = { ...condition, authorization: "none" };
    expect((await edge.fetchConfig({ headers: stranger })).status).toBe(401);
  });

  it("E2 refuses a token that was verified before and is revoked since", async () => {
    const edge = await warm();
    const index = await edge.replica.put({ name: "demo/shop/prod/other", doc: null, version: 1 });
    await edge.replica.revoke("j1");
    const minimum = await createIndexSigner(SIGNING_KEY).sign({ cluster_id: "c1", epoch: 1, index });
    expect((await edge.fetchConfig({ headers: edge.headers })).status).toBe(200);
    // Brings the head forward, and the revocation with it.
    await edge.fetchConfig({ headers: { ...edge.headers, "X-Conflux-Min-Index": minimum } });
    const condition = { ...edge.headers, "If-None-Match": "*" };
    for (const response of await twice(() => edge.fetchConfig({ headers: condition })))
      expect(response.status).toBe(401);
  });
});

describe("fetch config refuses", () => {
  it.each([
    ["no token", async () => "none"],
    ["what is no token", async () => "Bearer abc"],
    ["another scheme", async () => "Basic YTpi"],
    ["an access token", async (edge) => `Bearer ${await edge.issue({}, { typ: "conflux-access+jwt" })}`],
    ["another audience", async (edge) => `Bearer ${await edge.issue({ aud: "conflux-admin" })}`],
    ["an expired token", async (edge) => `Bearer ${await edge.issue({ exp: 1_000_000 })}`],
    ["a foreign key", async () => `Bearer ${(await startEdge()).token}`],
  ] as [string, (edge: Awaited<ReturnType<typeof startEdge>>) => Promise<string>][])(
    "E2 %s with 401",
    async (_, authorization) => {
      const edge = await startEdge();
      await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
      const response = await edge.fetchConfig({ headers: { authorization: await authorization(edge) } });
      expect(response.status).toBe(401);
      expect(response.headers.get("www-authenticate")).toContain("Bearer");
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      const body = await problem(response);
      expect(body["code"]).toBe("unauthenticated");
      expect(body["trace_id"]).toBe(response.headers.get("x-trace-id"));
    },
  );

  it("E2 a revoked token with 401, as soon as the head is checked", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
    expect((await edge.fetchConfig()).status).toBe(200);
    await edge.replica.revoke("j1");
    expect((await edge.fetchConfig()).status).toBe(401);
    edge.restart();
    expect((await edge.fetchConfig()).status).toBe(401);
    const other = await edge.issue({ jti: "j2" });
    expect((await edge.fetchConfig({ headers: { authorization: `Bearer ${other}` } })).status).toBe(200);
  });

  it("R13 E2 a token of before a restore with 401, one issued since with 200", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
    expect((await edge.fetchConfig()).status).toBe(200);
    const nowS = Math.floor(Date.now() / 1000);
    const later = await edge.issue({ jti: "later", iat: nowS + 60 });
    const fetchLater = () => edge.fetchConfig({ headers: { authorization: `Bearer ${later}` } });
    await edge.replica.callIn((nowS + 30) * 1000);
    expect((await edge.fetchConfig()).status).toBe(401);
    expect((await fetchLater()).status).toBe(200);
    edge.restart();
    expect((await edge.fetchConfig()).status).toBe(401);
    expect((await fetchLater()).status).toBe(200);
  });

  it("E1 unknown, unmatched, deleted and forbidden with the same 404", async () => {
    const edge = await startEdge();
    const rules = [{ version_id: 1, labels: { never: "1" } }];
    await edge.publish({ config: "demo/shop/prod/unmatched", contents: [unique()], rules });
    await edge.publish({ config: "demo/shop/prod/ruleless", contents: [unique()], rules: [] });
    await edge.publish({ config: "demo/shop/prod/app", contents: [unique()], rules: [{ version_id: 1 }] });
    await edge.publish({ config: "other/shop/prod/app", contents: [unique()], rules: [{ version_id: 1 }] });
    await edge.replica.put({ name: "demo/shop/prod/deleted", doc: null, version: 1 });
    const tenantless = await edge.issue({ tenant: "other", scopes: ["read:demo/**", "read:*/shop/prod/x"] });
    const wild = await edge.issue({ scopes: ["read:**", "read:other/**", "read:*/*/*/*"] });
    const answers = [
      await edge.fetchConfig({}, "demo/shop/prod/unknown"),
      await edge.fetchConfig({}, "demo/shop/prod/unmatched"),
      await edge.fetchConfig({}, "demo/shop/prod/ruleless"),
      await edge.fetchConfig({}, "demo/shop/prod/deleted"),
      await edge.fetchConfig({}, "demo/shop/dev/app"),
      await edge.fetchConfig({ headers: { authorization: `Bearer ${tenantless}` } }),
      await edge.fetchConfig({ headers: { authorization: `Bearer ${wild}` } }, "other/shop/prod/app"),
    ];
    const bodies = await Promise.all(answers.map(problem));
    for (const [i, body] of bodies.entries()) {
      expect(answers[i]?.status).toBe(404);
      expect({ ...body, trace_id: "" }).toEqual({ ...bodies[0], trace_id: "" });
    }
    expect((await edge.fetchConfig({ headers: { authorization: `Bearer ${wild}` } })).status).toBe(200);
  });

  it.each([
    ["demo/shop/prod/a..b", 400, "validation_failed"],
    ["demo/shop/prod/%2e%2e%2fapp", 400, "validation_failed"],
    ["demo/shop/prod/..%2Fapp", 400, "validation_failed"],
    ["demo/shop/prod", 400, "validation_failed"],
    ["demo/shop/prod/a/b", 400, "validation_failed"],
    ["demo/shop/prod/", 400, "validation_failed"],
    [`demo/shop/prod/${"n".repeat(129)}`, 400, "validation_failed"],
    ["demo/shop%2Fprod/app", 400, "validation_failed"],
    ["demo%2fshop%2fprod%2fapp", 400, "validation_failed"],
    ["demo/shop/prod/%00", 400, "validation_failed"],
    ["demo/shop/prod/%ff", 400, "validation_failed"],
    ["demo/shop/prod/%c0%af", 400, "validation_failed"],
    ["demo/shop/prod/app%", 400, "validation_failed"],
    ["demo/shop/prod/app%zz", 400, "validation_failed"],
    ["demo/shop/prod/%2561pp", 400, "validation_failed"],
    [`demo/shop/prod/${"%61".repeat(129)}`, 400, "validation_failed"],
  ])("the name %s with %i %s", async (config, status, code) => {
    const edge = await startEdge();
    const response = await edge.fetchConfig({}, config);
    expect([response.status, (await problem(response))["code"]]).toEqual([status, code]);
    expect(await edge.replica.calls()).toEqual({});
    const stranger = await edge.fetchConfig({ headers: { authorization: "none" } }, config);
    expect(stranger.status).toBe(401);
  });

  it("no name whose letters are merely encoded", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
    expect((await edge.fetchConfig({}, "demo/%73hop/prod/%61pp")).status).toBe(200);
  });

  it.each([
    [
      "a label flood",
      Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`x-client-label-l${i}`, "1"])),
    ],
    ["a long label name", { [`x-client-label-${"n".repeat(65)}`]: "1" }],
    ["a long label value", { "x-client-label-a": "v".repeat(257) }],
  ])("%s with 400", async (_, headers) => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
    const response = await edge.fetchConfig({ headers });
    const body = await problem(response);
    expect([response.status, body["code"]]).toEqual([400, "validation_failed"]);
    expect(body["errors"]).toHaveLength(1);
  });

  it.each([
    ["PUT", "/api/v1/fetch/config/demo/shop/prod/app", "GET, HEAD"],
    ["DELETE", "/api/v1/fetch/config/demo/shop/prod/app", "GET, HEAD"],
    ["GET", "/api/v1/fetch/batch", "POST"],
    ["POST", "/api/v1/watch", "GET"],
    ["POST", "/healthz", "GET, HEAD"],
  ])("%s %s with 405", async (method, path, allow) => {
    const edge = await startEdge();
    const response = await edge.send(path, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, allow]);
    expect((await problem(response))["code"]).toBe("method_not_allowed");
  });

  it("another path with 404", async () => {
    const edge = await startEdge();
    expect((await edge.send("/api/v2/nothing")).status).toBe(404);
    expect((await edge.send("/")).status).toBe(404);
  });

  it("A7 anyone with 503 as long as no key could be read, and recovers", async () => {
    const edge = await startEdge();
    await edge.publish({ contents: [unique()], rules: [{ version_id: 1 }] });
    edge.issuer.away = true;
    const response = await edge.fetchConfig();
    expect([response.status, response.headers.get("retry-after")]).toEqual([503, "1"]);
    edge.issuer.away = false;
    expect((await edge.fetchConfig()).status).toBe(200);
    edge.issuer.away = true;
    expect((await edge.fetchConfig()).status).toBe(200);
  });
});

describe("health", () => {
  it("M5 tells the region and where it stands, without asking anyone", async () => {
    const edge = await startEdge();
    const cold = await edge.send("/healthz", { headers: { authorization: "none" } });
    expect(await cold.json()).toEqual({ status: "ok", region: edge.region, index: null });
    await edge.fetchConfig();
    const warm = await problem(await edge.send("/healthz"));
    expect(warm["index"]).toMatch(/^c1\.1\.100\./);
  });
});
