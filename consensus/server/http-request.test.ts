import { describe, expect, it } from "vitest";
import { splitTarget, traceIdOf } from "./http-request.ts";

describe("a request's target", () => {
  it.each<[string, string, string]>([
    ["/v1/feed", "/v1/feed", ""],
    ["/v1/feed?after=1&limit=2", "/v1/feed", "after=1&limit=2"],
    ["/v1/feed?", "/v1/feed", ""],
    ["/v1/configs/a%2Fb?x=%20", "/v1/configs/a%2Fb", "x=+"],
    // A second question mark is of the query.
    ["/a?b?c=d", "/a", "b%3Fc=d"],
    // The absolute form, as a proxy may send it.
    ["http://core:7400/v1/feed?after=1", "/v1/feed", "after=1"],
    ["HTTPS://core/v1/feed", "/v1/feed", ""],
    ["http://core", "/", ""],
    ["http://core?after=1", "/", "after=1"],
    // What begins with a slash is a path, whatever it looks like.
    ["//elsewhere/v1/feed", "//elsewhere/v1/feed", ""],
    ["/http://elsewhere", "/http://elsewhere", ""],
    ["", "/", ""],
    ["*", "*", ""],
  ])("%s", (target, path, query) => {
    const split = splitTarget(target);
    expect([split.path, new URLSearchParams(split.search).toString()]).toEqual([path, query]);
  });
});

describe("M2 a request's trace", () => {
  const TRACE = "0af7651916cd43dd8448eb211c80319c";

  it("is the one that its traceparent names", () => {
    expect(traceIdOf({ traceparent: `00-${TRACE}-b7ad6b7169203331-01` })).toBe(TRACE);
  });

  it.each([
    undefined,
    "",
    `00-${TRACE}`,
    `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`,
    `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
  ])("is a new one without a valid one: %s", (traceparent) => {
    const ids = Array.from({ length: 600 }, () =>
      traceIdOf(traceparent === undefined ? {} : { traceparent }),
    );
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(new Set(ids).size).toBe(600);
    expect(ids).not.toContain(TRACE);
  });
});
