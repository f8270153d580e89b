import { describe, expect, test } from "vitest";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { causesOf } from "./log-failure.ts";
import { newConfig, readProblem, testingAdmin } from "./testing-admin.ts";

const withCause = (cause: unknown): ConfluxError =>
  new ConfluxError("unavailable", "The database is unavailable.", { cause });

describe("a request that is answered 5xx", () => {
  test("has one line of the log, with its trace id, its route and what stood behind it", async () => {
    const { core, send, logs } = testingAdmin();
    const refusedBy = Object.assign(new Error("connect ECONNREFUSED db:5432"), { code: "ECONNREFUSED" });
    core.getConfig = () => Promise.reject(withCause(refusedBy));
    const answer = await send("GET", "/api/v1/mgt/configs/cfg-c1-1/diff?from=1&to=1");
    const { trace_id } = await readProblem(answer);
    expect(answer.status).toBe(503);
    expect(logs).toEqual([
      {
        level: "warn",
        message: "a request could not be served",
        trace_id,
        method: "GET",
        path: "/api/v1/mgt/configs/cfg-c1-1/diff",
        status: 503,
        code: "unavailable",
        detail: "The database is unavailable.",
        cause: "Error ECONNREFUSED: connect ECONNREFUSED db:5432",
      },
    ]);
  });

  test("has one when nobody could say who called, and none has what was refused for a reason of its own", async () => {
    const away = testingAdmin({ authenticate: () => Promise.reject(withCause(undefined)) });
    const { trace_id } = await readProblem(await away.send("POST", "/api/v1/mgt/configs", newConfig()));
    expect(away.logs).toMatchObject([{ trace_id, method: "POST", cause: null }]);
    const { send, logs } = testingAdmin();
    for (const path of ["/api/v1/mgt/configs/cfg-c1-9", "/api/v1/mgt/configs", "/nowhere"])
      expect((await send("GET", path)).status).toBeLessThan(500);
    expect(logs).toEqual([]);
  });
});

describe("what a line of the log tells of the causes", () => {
  test.each<[string, unknown, string | null]>([
    ["none", undefined, null],
    [
      "each, the nearest first",
      new Error("no node answered", { cause: new TypeError("fetch failed") }),
      "Error: no node answered <- TypeError: fetch failed",
    ],
    ["a query without its parameters", Object.assign(new Error("Failed: s3cret"), { params: [] }), "Error"],
    ["a parser without the text", new SyntaxError('"s3cret" is not valid JSON'), "SyntaxError"],
    ["an address without its password", new Error("postgres://u:s3cret@db/x"), "Error: postgres://***@db/x"],
    ["no token", new Error("sent Bearer s3cret, eyJhb.eyJz.s3cret"), "Error: sent Bearer *** ***"],
    ["nothing of what is no error", "s3cret", "string"],
    ["what has a code alone", Object.assign(new Error(""), { code: "ETIMEDOUT" }), "Error ETIMEDOUT"],
  ])("%s", (_what, cause, said) => {
    expect(causesOf(withCause(cause))).toBe(said);
  });

  test("little, however much there is", () => {
    const endless = new Error("x".repeat(10_000));
    endless.cause = endless;
    expect(causesOf(withCause(endless))?.length).toBe(500);
  });
});
