import { createServer, type RequestListener } from "node:http";
import type { AddressInfo, Server } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { LEADER_PROOF_TTL_S } from "../../contracts/core/leader-proof.ts";
import { ServiceAuth } from "../../consensus/server/service-auth.ts";
import { TESTING_SERVICE_KEY } from "../../consensus/server/testing-node.ts";
import { CALL_TRIES_MAX, type CoreCall, CoreCaller, type CoreClientOptions } from "./call-core.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  closers.push(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ("closeAllConnections" in server)
          (server as ReturnType<typeof createServer>).closeAllConnections();
      }),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const problem = (code: string, status: number): string =>
  JSON.stringify({ type: "x", title: "x", status, code, detail: "x", errors: [], trace_id: "t" });
const answers =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
/** Announces more than it sends, then resets the connection. */
const cutsOff =
  (status: number): RequestListener =>
  (_request, response) => {
    response.writeHead(status, { "content-length": "500" });
    response.write("{");
    setImmediate(() => response.socket?.resetAndDestroy());
  };

const write = (changes: Partial<CoreCall> = {}): CoreCall => ({
  method: "POST",
  path: "/v1/propose",
  body: new Uint8Array([1]),
  timeoutMs: 5_000,
  repeatable: false,
  ...changes,
});
const read = (signal?: AbortSignal): CoreCall => ({
  method: "GET",
  path: "/v1/status",
  timeoutMs: 5_000,
  repeatable: true,
  signal,
});
async function outcome(
  call: CoreCall,
  urls: string[],
  options: Partial<CoreClientOptions> = {},
): Promise<string> {
  const caller = new CoreCaller({ urls, serviceKey: TESTING_SERVICE_KEY, role: "admin", ...options });
  try {
    await (await caller.call(call)).text();
    return "answer";
  } catch (error) {
    if (error instanceof ConfluxError) return error.code;
    throw error;
  }
}

describe("R14 a write that was sent is never called not proposed, unless a node says so", () => {
  it.each<[string, RequestListener, string]>([
    ["reset before the answer", (request) => request.socket.resetAndDestroy(), "outcome_unknown"],
    ["closed before the answer", (request) => request.socket.end(), "outcome_unknown"],
    ["a refusal that is cut off", cutsOff(503), "outcome_unknown"],
    ["a conflict that is cut off", cutsOff(409), "outcome_unknown"],
    ["a proxy's 502", answers(502, "<html>"), "outcome_unknown"],
    ["a proxy's 504 in JSON", answers(504, `{"message":"timeout"}`), "outcome_unknown"],
    ["a proxy's 403", answers(403, "no"), "outcome_unknown"],
    ["an unexpected error of the node", answers(500, problem("internal", 500)), "outcome_unknown"],
    ["a node that does not know", answers(503, problem("outcome_unknown", 503)), "outcome_unknown"],
    ["a node that did not take it", answers(503, problem("not_proposed", 503)), "not_proposed"],
    [
      "a node that is being upgraded",
      answers(503, problem("upgrade_in_progress", 503)),
      "upgrade_in_progress",
    ],
    ["a refusal", answers(409, problem("already_exists", 409)), "already_exists"],
  ])("%s", async (_name, listener, expected) => {
    expect(await outcome(write(), [await listen(createServer(listener))])).toBe(expected);
  });

  it("no answer in time", async () => {
    const url = await listen(createServer(() => undefined));
    expect(await outcome(write({ timeoutMs: 50 }), [url])).toBe("outcome_unknown");
  });

  it("a refusal whose end does not come in time", async () => {
    const url = await listen(
      createServer((_request, response) => {
        response.writeHead(503, { "content-length": "500" });
        response.write("{");
      }),
    );
    expect(await outcome(write({ timeoutMs: 200 }), [url])).toBe("outcome_unknown");
  });

  it("a host that becomes unreachable on a connection that stands", async () => {
    const failing = (code: string, syscall: string) => () =>
      Promise.reject(
        new TypeError("fetch failed", { cause: Object.assign(new Error(code), { code, syscall }) }),
      );
    const fails = (code: string, syscall: string): Promise<string> =>
      outcome(write(), ["http://core"], { fetch: failing(code, syscall) });
    expect(await fails("EHOSTUNREACH", "read")).toBe("outcome_unknown");
    expect(await fails("ETIMEDOUT", "write")).toBe("outcome_unknown");
    expect(await fails("ECONNRESET", "read")).toBe("outcome_unknown");
    expect(await fails("EPIPE", "write")).toBe("outcome_unknown");
    expect(await fails("EHOSTUNREACH", "connect")).toBe("not_proposed");
    expect(await fails("ECONNREFUSED", "connect")).toBe("not_proposed");
    expect(await fails("ENOTFOUND", "getaddrinfo")).toBe("not_proposed");
  });

  it("one lost try makes it unknown, whatever later ones say", async () => {
    let seen = 0;
    const url = await listen(
      createServer((request, response) => {
        seen += 1;
        if (seen === 1) request.socket.resetAndDestroy();
        else answers(503, problem("not_proposed", 503))(request, response);
      }),
    );
    expect(await outcome(write({ repeatable: true }), [url])).toBe("outcome_unknown");
    expect(seen).toBe(CALL_TRIES_MAX);
  });

  it("without an idempotency key it is sent once after it may have arrived", async () => {
    let seen = 0;
    const count: RequestListener = (request) => {
      seen += 1;
      request.socket.resetAndDestroy();
    };
    const urls = [await listen(createServer(count)), await listen(createServer(count))];
    expect(await outcome(write(), urls)).toBe("outcome_unknown");
    expect(seen).toBe(1);
    expect(await outcome(write({ repeatable: true, timeoutMs: 200 }), urls)).toBe("outcome_unknown");
    expect(seen).toBeGreaterThan(2);
  });

  it("a node that goes on to the next: refused there, cut off here, taken in the end", async () => {
    const refusing = await listen(createServer(answers(503, problem("not_proposed", 503))));
    const cut = await listen(createServer(cutsOff(200)));
    const taking = await listen(createServer(answers(200, "{}")));
    expect(await outcome(write(), [refusing, taking])).toBe("answer");
    const caller = new CoreCaller({ urls: [cut], serviceKey: TESTING_SERVICE_KEY, role: "admin" });
    // The head said yes: what became of the rest is for who reads it.
    await expect((await caller.call(write())).text()).rejects.toThrow();
  });
});

/** Takes connections and requests and answers nothing, as a frozen machine does. */
const frozen: RequestListener = () => undefined;
/** Answers probes at once and anything else after `delayMs`. */
const slow =
  (delayMs: number): RequestListener =>
  (request, response) => {
    if (request.url === "/healthz") answers(200, "{}")(request, response);
    else setTimeout(() => answers(200, "{}")(request, response), delayMs);
  };

/** A leader that refuses the first writes, as while it hands leadership over. */
function holding(refusals: number): RequestListener {
  const itself = { "x-conflux-node-id": "1", "x-conflux-leader-id": "1" };
  let seen = 0;
  return (request, response) => {
    seen += 1;
    const answer =
      seen > refusals ? answers(200, "{}", itself) : answers(503, problem("not_proposed", 503), itself);
    answer(request, response);
  };
}

describe("R14 a leader that takes no write just now", () => {
  it("is asked again after a pause, before a node that is frozen gets the write", async () => {
    const urls = [await listen(createServer(holding(4))), await listen(createServer(frozen))];
    const startedMs = performance.now();
    expect(await outcome(write({ timeoutMs: 60_000 }), urls)).toBe("answer");
    expect(performance.now() - startedMs).toBeLessThan(2_500);
  });

  it("is left for another in the end, and within the call's own limit", async () => {
    const urls = [
      await listen(createServer(holding(Infinity))),
      await listen(createServer(answers(200, "{}"))),
    ];
    expect(await outcome(write({ timeoutMs: 60_000 }), urls)).toBe("answer");
    const startedMs = performance.now();
    expect(await outcome(write({ timeoutMs: 300 }), urls)).toBe("answer");
    expect(performance.now() - startedMs).toBeLessThan(1_500);
  });

  it("that stopped leading meanwhile is not waited for", async () => {
    let seen = 0;
    const stepping: RequestListener = (request, response) => {
      seen += 1;
      const leaderId = seen === 1 ? "1" : "2";
      const headers = { "x-conflux-node-id": "1", "x-conflux-leader-id": leaderId };
      answers(503, problem("not_proposed", 503), headers)(request, response);
    };
    const urls = [await listen(createServer(stepping)), await listen(createServer(answers(200, "{}")))];
    expect(await outcome(write({ timeoutMs: 60_000 }), urls)).toBe("answer");
    expect(seen).toBe(2);
  });
});

describe("R14 frozen nodes", () => {
  it("a write with an idempotency key finds the one node of three that answers, long before its limit", async () => {
    const urls = await Promise.all(
      [frozen, frozen, answers(200, "{}")].map((listener) => listen(createServer(listener))),
    );
    const caller = new CoreCaller({ urls, serviceKey: TESTING_SERVICE_KEY, role: "admin" });
    const timed = write({ repeatable: true, timeoutMs: 60_000 });
    expect((await caller.call(timed)).status).toBe(200);
    // Those that come next do not find out anew.
    const served = await Promise.all(Array.from({ length: 8 }, () => caller.call(timed)));
    expect(served.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 200));
  });

  it("a write without one is unknown before its limit, and the next goes elsewhere", async () => {
    const urls = [await listen(createServer(frozen)), await listen(createServer(answers(200, "{}")))];
    const caller = new CoreCaller({ urls, serviceKey: TESTING_SERVICE_KEY, role: "admin" });
    await expect(caller.call(write({ timeoutMs: 60_000 }))).rejects.toMatchObject({
      code: "outcome_unknown",
      message: expect.stringContaining("the node does not answer") as string,
    });
    expect((await caller.call(write())).status).toBe(200);
  });

  it("a node that is slow but there is waited for", async () => {
    let others = 0;
    const other: RequestListener = (request, response) => {
      others += 1;
      answers(503, problem("not_proposed", 503))(request, response);
    };
    const urls = [await listen(createServer(slow(3_000))), await listen(createServer(other))];
    expect(await outcome(write({ repeatable: true, timeoutMs: 60_000 }), urls)).toBe("answer");
    expect(others).toBe(0);
  });

  it("calls that were lost to one node late do not lead those that come later to another that is lost", async () => {
    const lost = await listen(createServer((request) => request.socket.resetAndDestroy()));
    const dead = await listen(createServer((request) => request.socket.resetAndDestroy()));
    const seen: string[] = [];
    const there = await listen(
      createServer((request, response) => {
        seen.push(request.url ?? "");
        answers(200, "{}")(request, response);
      }),
    );
    const caller = new CoreCaller({
      urls: [lost, dead, there],
      serviceKey: TESTING_SERVICE_KEY,
      role: "admin",
    });
    const first = await Promise.allSettled(Array.from({ length: 4 }, () => caller.call(write())));
    expect(new Set(first.map(({ status }) => status))).toEqual(new Set(["rejected"]));
    await expect(caller.call(write())).rejects.toMatchObject({ code: "outcome_unknown" });
    // Both are known to be away now.
    expect((await caller.call(write())).status).toBe(200);
    expect(seen).toEqual(["/v1/propose"]);
  });
});

describe("R14 a read", () => {
  it.each<[string, RequestListener, string]>([
    ["reset", (request) => request.socket.resetAndDestroy(), "unavailable"],
    ["cut off", cutsOff(503), "unavailable"],
    ["a proxy's 502", answers(502, "<html>"), "unavailable"],
    ["not found", answers(404, problem("not_found", 404)), "not_found"],
  ])("%s", async (_name, listener, expected) => {
    expect(await outcome(read(), [await listen(createServer(listener))])).toBe(expected);
  });

  it("that its caller gives up rejects with the caller's reason, also while a refusal is read", async () => {
    const stop = new AbortController();
    const url = await listen(
      createServer((_request, response) => {
        response.writeHead(503, { "content-length": "500" });
        response.write("{");
        setImmediate(() => stop.abort(new Error("enough")));
      }),
    );
    await expect(outcome(read(stop.signal), [url])).rejects.toThrow("enough");
  });
});

describe("R14 where a service token goes", () => {
  /** A server that keeps what it is sent. */
  async function eavesdrop(listener: RequestListener): Promise<{ url: string; tokens: string[] }> {
    const tokens: string[] = [];
    const url = await listen(
      createServer((request, response) => {
        tokens.push(request.headers.authorization ?? "");
        listener(request, response);
      }),
    );
    return { url, tokens };
  }
  const naming = (url: string, proof?: string): RequestListener =>
    answers(503, problem("not_proposed", 503), {
      "x-conflux-leader-id": "9",
      "x-conflux-leader-url": url,
      ...(proof === undefined ? {} : { "x-conflux-leader-proof": proof }),
    });
  const prove = (of: { key?: string; id?: string; url: string; agoS?: number }): string =>
    new ServiceAuth(of.key ?? TESTING_SERVICE_KEY, () => Date.now() - 1000 * (of.agoS ?? 0)).proveLeader(
      of.id ?? "9",
      of.url,
    );

  it.each<[string, (url: string) => string | undefined]>([
    ["without a proof", () => undefined],
    ["with something else in its place", () => "1"],
    ["with a proof under another key", (url) => prove({ key: "k".repeat(40), url })],
    ["with a proof of another node's", (url) => prove({ id: "8", url })],
    ["with a proof of another address", (url) => prove({ url: `${url}0` })],
    ["with a proof that has expired", (url) => prove({ url, agoS: LEADER_PROOF_TTL_S + 1 })],
    [
      "with a proof whose expiry was put off",
      (url) => prove({ url }).replace(/^\d+/, (s) => String(Number(s) + 1)),
    ],
  ])("an answer that names a leader at an unknown address %s is not followed", async (_name, proofFor) => {
    const thief = await eavesdrop(answers(200, "{}"));
    const lying = await listen(createServer(naming(thief.url, proofFor(thief.url))));
    const honest = await listen(createServer(answers(200, "{}")));
    expect(await outcome(write({ repeatable: true }), [lying])).toBe("not_proposed");
    expect(await outcome(read(), [lying])).toBe("unavailable");
    expect(await outcome(write({ repeatable: true }), [lying, honest])).toBe("answer");
    expect(thief.tokens).toEqual([]);
  });

  it("an address that the cluster itself vouches for is followed, and kept", async () => {
    const added = await eavesdrop(answers(200, "{}", { "x-conflux-node-id": "9" }));
    const told = await eavesdrop(naming(added.url, prove({ url: added.url })));
    const caller = new CoreCaller({ urls: [told.url], serviceKey: TESTING_SERVICE_KEY, role: "admin" });
    for (let i = 0; i < 2; i += 1) await (await caller.call(write())).text();
    expect([told.tokens.length, added.tokens.length]).toEqual([1, 2]);
  });

  it("a leader that is configured is next, whatever else is", async () => {
    const other = await eavesdrop(answers(503, problem("not_proposed", 503)));
    const leader = await eavesdrop(answers(200, "{}"));
    const told = await listen(createServer(naming(leader.url)));
    expect(await outcome(write(), [told, other.url, `${leader.url}/`])).toBe("answer");
    expect(other.tokens).toEqual([]);
  });

  it("a redirect is no answer of a core's and is not followed: with it the command would go", async () => {
    const thief = await eavesdrop(answers(200, "{}"));
    const url = await listen(createServer(answers(307, "", { location: `${thief.url}/v1/propose` })));
    expect(await outcome(write(), [url])).toBe("outcome_unknown");
    expect(thief.tokens).toEqual([]);
  });
});
