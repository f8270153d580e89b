import { SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { codeOf, createIn } from "../../adapters/core-client/testing/core-conformance.ts";
import { publishIn } from "../../adapters/core-client/testing/publish-conformance.ts";
import { COMMAND_CONTENT_TYPE, encodeCommand } from "../../contracts/core/command-codec.ts";
import { CORE_AUDIENCE, CORE_ISSUER } from "../../contracts/core/core-api.ts";
import { COMMAND_BYTES_MAX } from "../../contracts/limits.ts";
import { testCommand, testRule } from "../../domain/command/testing-commands.ts";
import { NotProposedError } from "../replicated-log.ts";
import { FeedWaiters } from "./feed-waiters.ts";
import { startTestingNode, type TestingNode, TESTING_SERVICE_KEY } from "./testing-node.ts";

let node: TestingNode;
let core: CoreClient;
beforeEach(async () => {
  node = await startTestingNode();
  core = new CoreClient({ urls: [node.url], serviceKey: TESTING_SERVICE_KEY, role: "admin" });
});
afterEach(() => node.stop());

async function token(
  claims: { ttlS?: number; audience?: string; role?: string; issuer?: string } = {},
): Promise<string> {
  const nowS = Math.floor(Date.now() / 1000);
  return new SignJWT()
    .setProtectedHeader({ alg: "HS256" })
    .setIssuer(claims.issuer ?? CORE_ISSUER)
    .setAudience(claims.audience ?? CORE_AUDIENCE)
    .setSubject(claims.role ?? "admin")
    .setIssuedAt(nowS)
    .setExpirationTime(nowS + (claims.ttlS ?? 60))
    .sign(new TextEncoder().encode(TESTING_SERVICE_KEY));
}
async function ask(path: string, init: RequestInit = {}, bearer?: string): Promise<Response> {
  const authorization = `Bearer ${bearer ?? (await token())}`;
  const headers = new Headers(init.headers);
  headers.set("authorization", authorization);
  return fetch(node.url + path, { ...init, headers });
}
const post = (
  body: string | Uint8Array<ArrayBuffer>,
  contentType = COMMAND_CONTENT_TYPE,
): Promise<Response> =>
  ask("/v1/propose", { method: "POST", body, headers: { "content-type": contentType } });

describe("requests that are refused", () => {
  it.each<[string, string, number, string]>([
    ["an unknown path", "/v1/nothing", 404, "not_found"],
    ["a write to a read", "/v1/propose", 405, "method_not_allowed"],
    ["a limit over the most", "/v1/feed?after=0&limit=1001", 400, "malformed_request"],
    ["a cursor that is no number", "/v1/feed?after=x", 400, "malformed_request"],
    ["no cursor", "/v1/feed", 400, "malformed_request"],
    ["a wait over the most", "/v1/feed?after=0&wait_ms=20001", 400, "malformed_request"],
    ["an unknown view", "/v1/feed?after=0&view=all", 400, "malformed_request"],
    ["an unknown consistency", "/v1/configs/x?consistency=strong", 400, "malformed_request"],
    ["a list of no tenant", "/v1/configs", 400, "malformed_request"],
    ["publishes of nothing", "/v1/publishes", 400, "malformed_request"],
    ["publishes by two things", "/v1/publishes?config_id=x&due_before=1", 400, "malformed_request"],
    ["publishes due at no time", "/v1/publishes?due_before=soon", 400, "malformed_request"],
    ["broken percent-encoding", "/v1/configs/%zz", 400, "malformed_request"],
    ["a version that is no number", "/v1/configs/x/versions/abc", 404, "not_found"],
    ["an escaped slash in a name", "/v1/config-by-name/demo/a/b/..%2Fc", 404, "not_found"],
  ])("%s", async (_name, path, status, code) => {
    const response = await ask(path);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toBe("application/problem+json");
    expect(await response.json()).toMatchObject({ code, status });
  });

  it.each([
    ["no token", ""],
    ["another audience", { audience: "conflux-edge" }],
    ["another issuer", { issuer: "x" }],
    ["an unknown role", { role: "root" }],
    ["a token that lives too long", { ttlS: 3600 }],
    ["an expired token", { ttlS: -60 }],
  ])("%s is unauthenticated", async (_name, claims) => {
    const bearer = typeof claims === "string" ? claims : await token(claims);
    expect((await ask("/v1/status", {}, bearer)).status).toBe(401);
  });

  it("a body that is no command, of another type or over its limit; nothing enters the log", async () => {
    expect((await post("{}", "application/json")).status).toBe(415);
    expect(await (await post("garbage")).json()).toMatchObject({ code: "malformed_request" });
    expect((await post(new Uint8Array([1, 0, 0, 0, 1, 123]))).status).toBe(400);
    const huge = await post(new Uint8Array(COMMAND_BYTES_MAX + 1)).then(
      (response) => response.status,
      // The node may close the connection while the client still writes.
      () => 413,
    );
    expect(huge).toBe(413);
    expect(node.store.lastApplied()).toBe(0);
  });
});

describe("A4 what a role may propose", () => {
  const clientOf = (role: "lambda" | "replica") =>
    new CoreClient({ urls: [node.url], serviceKey: TESTING_SERVICE_KEY, role });
  const advance = (publish_id: string) => ({
    command: testCommand("advance_publish", { publish_id, expected_stage: 1, cause: "by_hand" }),
    attachments: [],
  });

  it("L1 a function may move plans on, and nothing else", async () => {
    const { result } = await publishIn(core, { name: "p.json", text: "[]", bakeMinutes: null });
    const lambda = clientOf("lambda");
    expect((await lambda.propose(advance(result.publish.id))).result.publish.state).toBe("full");
    const abort = testCommand("abort_publish", { publish_id: result.publish.id });
    expect(await codeOf(lambda.propose({ command: abort, attachments: [] }))).toBe("invalid_transition");
    const applied = node.store.lastApplied();
    const id = result.config.id;
    const stages = { content: null, version_id: 1, description: "", strategy: "all" as const, stages: [] };
    for (const command of [
      testCommand("delete_config", { config_id: id }),
      testCommand("rollback", { config_id: id, version_id: 1 }),
      testCommand("put_releases", { config_id: id, releases: [] }),
      testCommand("start_publish", { config_id: id, ...stages }),
      testCommand("revoke_token", { jti: "j", expires_at_ms: 1 }),
      testCommand("approve_publish_stage", { publish_id: result.publish.id, expected_stage: 1, comment: "" }),
      testCommand("resume_publish", { publish_id: result.publish.id, skip_gates: "x" }),
    ]) {
      expect(await codeOf(lambda.propose<typeof command.kind>({ command, attachments: [] }))).toBe(
        "forbidden",
      );
    }
    expect(node.store.lastApplied()).toBe(applied);
  });

  it("a replica may propose nothing", async () => {
    expect(await codeOf(clientOf("replica").propose(advance("pub-c1-1")))).toBe("forbidden");
  });
});

describe("R14 a log that cannot take a write", () => {
  it("is not_proposed with the leader's id; a read is unavailable", async () => {
    node.log.failure = new NotProposedError("node 2 leads", 2);
    const command = testCommand("revoke_token", { jti: "j", expires_at_ms: 1 });
    const response = await post(new Uint8Array(encodeCommand({ command, attachments: [] })));
    expect(response.status).toBe(503);
    expect(response.headers.get("x-conflux-leader-id")).toBe("2");
    expect(await response.json()).toMatchObject({ code: "not_proposed" });
    expect(await (await ask("/v1/configs/x")).json()).toMatchObject({ code: "unavailable" });
    expect((await ask("/v1/configs/x?consistency=stale")).status).toBe(503);
  });

  it("an unexpected error is internal, and logged with its trace id", async () => {
    node.log.failure = new Error("disk on fire");
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const response = await ask("/v1/configs/x", { headers: { traceparent } });
    expect(response.status).toBe(500);
    const problem: unknown = await response.json();
    expect(problem).toMatchObject({ code: "internal", trace_id: "0af7651916cd43dd8448eb211c80319c" });
    expect(JSON.stringify(problem)).not.toContain("fire");
    const line = node.lines.find((l) => l.level === "error");
    expect(line).toMatchObject({ trace_id: "0af7651916cd43dd8448eb211c80319c" });
    expect(line?.["error"]).toContain("disk on fire");
  });
});

describe("R12 long polls", () => {
  it("a client that goes away leaves no waiter behind", async () => {
    const stop = new AbortController();
    const poll = ask("/v1/feed?after=0&wait_ms=20000", { signal: stop.signal });
    await expect
      .poll(async () => (await metrics()).get(`http_requests_in_flight{protocol="http"}`))
      .toBeGreaterThan(1);
    stop.abort();
    await expect(poll).rejects.toThrow();
    await expect.poll(async () => (await metrics()).get(`http_requests_in_flight{protocol="http"}`)).toBe(1);
  });

  it("a node that stops answers them at once", async () => {
    const poll = core.edgeFeed({ after: 0, limit: 1, wait_ms: 20_000 });
    await expect
      .poll(async () => (await metrics()).get(`http_requests_in_flight{protocol="http"}`))
      .toBeGreaterThan(1);
    const stopped = node.stop();
    expect((await poll).entries).toEqual([]);
    await stopped;
  });

  it("are bounded", async () => {
    const waiters = new FeedWaiters(1);
    const stop = new AbortController();
    const first = waiters.wait(60_000, stop.signal);
    await expect(waiters.wait(60_000, stop.signal)).rejects.toMatchObject({
      code: "unavailable",
      retryAfterS: 1,
    });
    stop.abort();
    await first;
    expect(waiters.size).toBe(0);
  });
});

async function metrics(): Promise<Map<string, number>> {
  const text = await (await fetch(`${node.url}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

describe("M1 metrics and M5 health", () => {
  it("has the names that dashboards use, and counts configs and their updates", async () => {
    const { result } = await createIn(core, "a.json", "{}");
    await createIn(core, "b.json", "{}");
    await createIn(core, "b.json", "{}").catch(() => undefined);
    const id = result.config.id;
    const put = testCommand("put_releases", { config_id: id, releases: [testRule(9)] });
    await core.propose({ command: put, attachments: [] }).catch(() => undefined);
    await core.propose({ command: testCommand("delete_config", { config_id: id }), attachments: [] });
    const have = await metrics();
    const value = (name: string): number | undefined => have.get(name);
    expect(value(`configs_total{tenant="demo",app="shop",env="prod"}`)).toBe(1);
    expect(value(`config_updates_total{tenant="demo",app="shop",result="success"}`)).toBe(3);
    expect(value(`config_updates_total{tenant="demo",app="shop",result="already_exists"}`)).toBe(1);
    expect(value(`config_updates_total{tenant="demo",app="shop",result="validation_error"}`)).toBe(1);
    expect(value("raft_is_leader")).toBe(1);
    expect(value("raft_current_term")).toBe(1);
    expect(value("raft_last_applied_log_index")).toBe(5);
    expect(value("raft_peers_total")).toBe(0);
    expect(value("state_machine_apply_duration_seconds_count")).toBe(5);
    expect(value(`http_requests_total{protocol="http",method="POST",path="/v1/propose",status="200"}`)).toBe(
      3,
    );
    expect([...have.keys()].some((k) => k.startsWith("http_requests_duration_seconds_bucket"))).toBe(true);
  });

  it("is alive and ready, without a token", async () => {
    expect((await fetch(`${node.url}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${node.url}/readyz`)).json()).toEqual({ status: "ready" });
  });
});
