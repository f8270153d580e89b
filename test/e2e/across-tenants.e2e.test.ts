/** Every way we know to get from one tenant to what is another's, through the running system. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { makeSecondTenant, type SecondTenant } from "../testing/second-tenant.ts";
import { type Stack, startStack } from "../testing/stack.ts";
import {
  admin,
  adminOk,
  type Answer,
  fetchConfig,
  getRaw,
  sendRaw,
  watchBySocket,
} from "../testing/stack-client.ts";

/** In the content, the description and a label of the other tenant's config: no answer to us may hold it. */
const MARKER = "f2c8-marker-of-the-rival";
const CONFIG = "rival/shop/prod/secret.json";
const FETCH = "/api/v1/fetch/config";
const OURS = "demo/shop/prod/across.json";

let stack: Stack;
let rival: SecondTenant;
let configId = "";
/** From which on our own config is there. */
let oursIndex = "";
/** The last change that the rival made: a fetch that does not name it may be a second behind. */
let rivalIndex = "";
/** What the rival's own client is told of its config. */
let theirs: Answer;
/** What we are told of a name that nobody has. */
let nothing: Answer;

beforeAll(async () => {
  stack = await startStack();
  rival = await makeSecondTenant(stack, "rival");
  const made = await rival.ask("POST", "/mgt/configs", {
    tenant: "rival",
    app: "shop",
    env: "prod",
    name: "secret.json",
    format: "json",
    content: JSON.stringify({ MARKER }),
    description: MARKER,
    releases: [{ version_id: 1, labels: {}, priority: 0 }],
  });
  configId = String(made.json["id"]);
  const minIndex = String(made.json["index"]);
  theirs = await fetchConfig(stack, CONFIG, { token: rival.clientToken, minIndex });
  expect([theirs.status, theirs.text.includes(MARKER)]).toEqual([200, true]);
  const ours = await adminOk(stack, "POST", "/mgt/configs", {
    tenant: "demo",
    app: "shop",
    env: "prod",
    name: "across.json",
    format: "json",
    content: "{}",
    releases: [{ version_id: 1, labels: { tenant: "demo" }, priority: 0 }],
  });
  oursIndex = String(ours.json["index"]);
  nothing = await fetchConfig(stack, "demo/shop/prod/nobody-has-this.json");
  expect(nothing.status).toBe(404);
});
afterAll(async () => {
  expect(await stack.stop()).toBe(0);
});

/** Neither the content nor anything that says there is one. */
function expectNoTrace(answer: Answer): void {
  const said = JSON.stringify([...answer.headers]) + answer.text;
  const hash = theirs.headers.get("x-config-hash")?.slice("sha256:".length) ?? "";
  for (const secret of [MARKER, hash, theirs.headers.get("etag")?.slice(1, -1) ?? ""]) {
    expect(secret.length).toBeGreaterThan(5);
    expect(said).not.toContain(secret);
  }
}

/** All of a problem document but what differs from request to request. */
const withoutTrace = (problem: Record<string, unknown>): Record<string, unknown> => ({
  ...problem,
  trace_id: "",
});

function expectLikeNothing(answer: Answer): void {
  expectNoTrace(answer);
  expect(answer.status).toBe(404);
  expect(withoutTrace(answer.json)).toEqual(withoutTrace(nothing.json));
  const names = (headers: Headers): string[] =>
    [...headers.keys()].filter((name) => name !== "date").toSorted();
  expect(names(answer.headers)).toEqual(names(nothing.headers));
}

describe("A4 E1 a fetch of another tenant's config is a fetch of nothing", () => {
  test.each<[string, Record<string, string>]>([
    ["its name", {}],
    [
      "labels that name its tenant",
      { "x-client-label-tenant": "rival", "x-client-label-region": "us-east-1" },
    ],
    [
      "a region of our choice",
      { "x-region": "us-east-1", "cf-region": "us-east-1", "x-forwarded-host": "eu-central-1.localhost" },
    ],
    ["a header that claims a principal", { "x-conflux-watch-principal": '{"scopes":["read:rival/**"]}' }],
    ["any ETag", { "if-none-match": "*" }],
  ])("by %s", async (_, headers) => {
    expectLikeNothing(await fetchConfig(stack, CONFIG, { headers }));
  });

  test("by its own ETag, its own index and both, with GET and HEAD", async () => {
    const etag = theirs.headers.get("etag") ?? "";
    const index = theirs.headers.get("x-config-index") ?? "";
    for (const headers of [
      { "if-none-match": etag },
      { "if-none-match": `W/${etag}` },
      { "x-conflux-min-index": index },
      { "if-none-match": etag, "x-conflux-min-index": index },
    ]) {
      expectLikeNothing(await fetchConfig(stack, CONFIG, { headers }));
      const head = await fetchConfig(stack, CONFIG, { headers, method: "HEAD" });
      expect([head.status, head.headers.get("etag"), head.headers.get("x-config-version")]).toEqual([
        404,
        null,
        null,
      ]);
    }
  });

  test.each([
    ["dots", `demo/../${CONFIG}`],
    ["encoded dots", `demo/%2e%2e/${CONFIG}`],
    ["dots encoded twice", `demo/%252e%252e/${CONFIG}`],
    ["an encoded slash", "rival%2fshop%2fprod%2fsecret.json"],
    ["an encoded slash behind our tenant", `demo/shop/prod/..%2f..%2f..%2f${CONFIG}`],
    ["a backslash", `demo\\..\\${CONFIG}`],
    ["a full-width slash", "rival%EF%BC%8Fshop/prod/secret.json"],
    ["a Cyrillic look-alike", "r%D1%96val/shop/prod/secret.json"],
    ["a full-width letter", "%EF%BD%92ival/shop/prod/secret.json"],
    ["a soft hyphen", "ri%C2%ADval/shop/prod/secret.json"],
    ["capitals", "RIVAL/shop/prod/secret.json"],
    ["a NUL", "rival/shop/prod/secret.json%00"],
    ["an overlong slash", "rival%c0%afshop/prod/secret.json"],
    ["a slash before it", `/${CONFIG}`],
    ["a slash behind it", `${CONFIG}/`],
    ["two slashes in it", "rival//shop/prod/secret.json"],
    ["a parameter", `${CONFIG};tenant=demo`],
    ["a query", `${CONFIG}?tenant=rival&access_token=x`],
    ["a pattern", "*/shop/prod/secret.json"],
    ["a name of 10 KB", `rival/shop/prod/${"s".repeat(10_240)}`],
    ["a tenant of 10 KB", `${"rival".repeat(2048)}/shop/prod/secret.json`],
  ])("by a name with %s", async (_, path) => {
    const answer = await getRaw(stack, `${FETCH}/${path}`);
    expectNoTrace(answer);
    expect([400, 404, 414]).toContain(answer.status);
  });
});

describe("A4 E6 batches", () => {
  const batch = (body: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    postEdge("/api/v1/fetch/batch", body, headers);

  test("another tenant's name is answered like one that nobody has", async () => {
    const answer = await batch({
      configs: [CONFIG, "demo/shop/prod/nobody-has-this.json"],
      if_none_match: { [CONFIG]: theirs.headers.get("etag") ?? "" },
    });
    expectNoTrace(answer);
    expect(answer.json["items"]).toEqual([
      { config: CONFIG, status: 404 },
      { config: "demo/shop/prod/nobody-has-this.json", status: 404 },
    ]);
  });

  test.each([
    ["another tenant's namespace", { namespace: "rival/shop/prod" }],
    ["a namespace with dots", { namespace: "demo/../rival/shop/prod" }],
    ["a pattern as a namespace", { namespace: "*/shop/prod" }],
    [
      "a cursor that points out of ours",
      { namespace: "demo/shop/prod", cursor: "../../../rival/shop/prod/a" },
    ],
    ["a cursor beyond any name", { namespace: "demo/shop/prod", cursor: "\u{10FFFF}" }],
    ["a prototype's property", { configs: ["__proto__/a/b/c", "constructor/a/b/c"] }],
  ])("%s tells nothing", async (_, body) => {
    const answer = await batch(body);
    expectNoTrace(answer);
    expect(JSON.stringify(answer.json)).not.toContain("secret.json");
    expect([200, 400]).toContain(answer.status);
  });

  test("a hundred names of 10 KB are refused", async () => {
    const answer = await batch({ configs: Array.from({ length: 100 }, () => "r".repeat(10_240)) });
    expectNoTrace(answer);
    expect([200, 400, 413]).toContain(answer.status);
  });
});

function postEdge(path: string, body: unknown, headers: Record<string, string>): Promise<Answer> {
  return fetch(`${stack.dev.edge_url}${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${stack.dev.client_token}`,
      "content-type": "application/json",
      ...headers,
    },
    body: JSON.stringify(body),
  }).then(async (response) => {
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: JSON.parse(text) as Record<string, unknown>,
    };
  });
}

describe("A4 E16 delivery reports", () => {
  const report = (clientId: string, token: string): Promise<Answer> =>
    sendRaw(stack, {
      method: "POST",
      path: "/api/v1/reports",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: {
        client_id: clientId,
        reports: [
          {
            config: CONFIG,
            version: 1,
            index: theirs.headers.get("x-config-index"),
            state: "applied",
            at: new Date().toISOString(),
          },
        ],
      },
    });

  test("on another tenant's config are answered like any, and written nowhere", async () => {
    const ours = await report("ours", stack.dev.client_token);
    const own = await report("own", rival.clientToken);
    expect([ours.status, ours.text]).toEqual([own.status, own.text]);
    expect(ours.status).toBe(202);
    const clients = async (): Promise<unknown[]> => {
      const { json } = await rival.ask("GET", `/mgt/configs/${configId}/delivery/clients`);
      return (json["items"] as { client_id: string }[]).map(({ client_id }) => client_id);
    };
    await expect.poll(clients, { timeout: 30_000 }).toContain("own");
    expect(await clients()).toEqual(["own"]);
  });

  test("another tenant's dead configs are not listed", async () => {
    const answer = await admin(stack, "GET", "/mgt/delivery/dead-configs?tenant=rival");
    expect(answer.status).toBe(403);
    expectNoTrace(answer);
  });
});

describe("A4 E9 watches", () => {
  test("a watcher of everything hears of its own tenant alone", async () => {
    const watcher = await watchBySocket(stack, [OURS, CONFIG, "rival/shop/prod/*", "demo/shop/prod/*"]);
    const changed = await rival.ask("POST", `/mgt/configs/${configId}/versions`, {
      content: JSON.stringify({ MARKER, again: true }),
      description: MARKER,
    });
    expect(changed.status).toBe(201);
    const released = await rival.ask("POST", `/mgt/configs/${configId}/rollback`, { version_id: 2 });
    expect(released.status).toBe(200);
    rivalIndex = String(released.json["index"]);
    // Changes come in the order of the log: what was said of the rival would have come before this.
    const { json } = await adminOk(
      stack,
      "GET",
      "/mgt/configs?tenant=demo&app=shop&env=prod&name_prefix=across",
    );
    const ours = String((json["items"] as { id: string }[])[0]?.id);
    await adminOk(stack, "POST", `/mgt/configs/${ours}/rollback`, { version_id: 1 });
    await expect
      .poll(() => watcher.messages.filter(({ type }) => type === "change").length)
      .toBeGreaterThan(0);
    watcher.close();
    const said = JSON.stringify(watcher.messages.filter(({ type }) => type !== "error"));
    expect(said).not.toContain("rival");
    expect(said).not.toContain(MARKER);
  });

  test.each(["**", "rival/**", "*/shop/prod/*", "demo/../rival/shop/prod/*", "demo/shop/prod/%252a"])(
    "a watch of %s is refused",
    async (config) => {
      const answer = await getRaw(stack, `/api/v1/watch?config=${config}`, { accept: "text/event-stream" });
      expectNoTrace(answer);
      expect(answer.status).toBe(400);
    },
  );
});

describe("A3 A4 tokens", () => {
  test("a token of one surface is none at the other", async () => {
    const atEdge = await fetchConfig(stack, CONFIG, { token: rival.accessToken });
    expect(atEdge.status).toBe(401);
    const atAdmin = await admin(stack, "GET", `/mgt/configs/${configId}`, undefined, {
      authorization: `Bearer ${rival.clientToken}`,
    });
    expect(atAdmin.status).toBe(401);
    for (const answer of [atEdge, atAdmin]) expectNoTrace(answer);
  });

  test("nobody issues a token for another tenant, or for all", async () => {
    for (const scopes of [["read:rival/**"], ["read:demo/**", "read:rival/**"], ["read:*/**"], ["read:**"]]) {
      const answer = await admin(stack, "POST", "/auth/client-tokens", {
        name: "x",
        scopes,
        ttl_seconds: 60,
      });
      expect([400, 403]).toContain(answer.status);
    }
  });

  test.each<[string, string, string, unknown?]>([
    ["its config", "GET", ""],
    ["its versions", "GET", "/versions"],
    ["its content", "GET", "/versions/1/content"],
    ["its rules", "GET", "/releases"],
    ["what a client would get", "GET", "/resolve"],
    ["who runs it", "GET", "/delivery"],
    ["its clients", "GET", "/delivery/clients"],
    ["a new version", "POST", "/versions", { content: "{}", description: "x" }],
    ["new rules", "PUT", "/releases", []],
    ["a rollback", "POST", "/rollback", { version_id: 1 }],
    ["a publish", "POST", "/publish", { version_id: 1, strategy: { type: "all" }, description: "x" }],
    ["its end", "DELETE", ""],
  ])("the admin API refuses %s", async (_, method, path, body) => {
    const answer = await admin(stack, method, `/mgt/configs/${configId}${path}`, body);
    expectNoTrace(answer);
    expect([403, 404]).toContain(answer.status);
  });

  test("the rival's config is as the rival left it", async () => {
    const own = await fetchConfig(stack, CONFIG, { token: rival.clientToken, minIndex: rivalIndex });
    expect([own.status, own.headers.get("x-config-version")]).toEqual([200, "2"]);
  });
});

describe("E1 floods", () => {
  test.each<[string, Record<string, string>]>([
    [
      "three hundred labels",
      Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`x-client-label-l${i}`, "v"])),
    ],
    ["a label value of 8 KB", { "x-client-label-big": "v".repeat(8_000) }],
    ["a label name of 4 KB", { [`x-client-label-${"n".repeat(4_000)}`]: "v" }],
    ["an ETag of 16 KB", { "if-none-match": `"${"e".repeat(16_000)}"` }],
    ["a minimum index of 16 KB", { "x-conflux-min-index": "1".repeat(16_000) }],
    ["a token of 32 KB", { authorization: `Bearer ${"a".repeat(32_000)}` }],
  ])("%s is refused or answered, and the next fetch is served", async (_, headers) => {
    const answer = await getRaw(stack, `${FETCH}/${OURS}`, { "x-client-label-tenant": "demo", ...headers });
    expect([200, 400, 401, 413, 431]).toContain(answer.status);
    expectNoTrace(answer);
    const next = await fetchConfig(stack, OURS, { labels: { tenant: "demo" }, minIndex: oursIndex });
    expect([next.status, next.text]).toEqual([200, "{}"]);
  });
});
