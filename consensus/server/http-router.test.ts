import { describe, expect, it } from "vitest";
import { type Route, Router } from "./http-router.ts";

const route = (method: Route["method"], path: string): Route => ({
  method,
  path,
  roles: null,
  handle: () => ({ json: null }),
});
const router = new Router([
  route("GET", "/v1/configs"),
  route("POST", "/v1/configs"),
  route("GET", "/v1/configs/:id"),
  route("GET", "/v1/configs/newest"),
  route("POST", "/v1/configs/:id"),
  route("GET", "/v1/:kind/:id"),
  route("GET", "/v1/blobs/:tenant/:sha256"),
]);
const found = (method: string, path: string): unknown => {
  const { route: of, params } = router.find(method, path);
  return [of.method, of.path, params];
};

describe("the core's router", () => {
  it.each<[string, string, unknown]>([
    ["GET", "/v1/configs", ["GET", "/v1/configs", []]],
    ["HEAD", "/v1/configs", ["GET", "/v1/configs", []]],
    ["POST", "/v1/configs", ["POST", "/v1/configs", []]],
    ["GET", "/v1/configs/c1", ["GET", "/v1/configs/:id", ["c1"]]],
    // A closed path is what it says, wherever it stands in the list.
    ["GET", "/v1/configs/newest", ["GET", "/v1/configs/newest", []]],
    // Known as a closed path for another method: the open one takes it.
    ["POST", "/v1/configs/newest", ["POST", "/v1/configs/:id", ["newest"]]],
    // The first that fits.
    ["GET", "/v1/publishes/p1", ["GET", "/v1/:kind/:id", ["publishes", "p1"]]],
    ["GET", "/v1/blobs/demo/00ff", ["GET", "/v1/blobs/:tenant/:sha256", ["demo", "00ff"]]],
  ])("%s %s", (method, path, expected) => {
    expect(found(method, path)).toEqual(expected);
  });

  it("decodes open segments one by one: an encoded slash parts none", () => {
    expect(found("GET", "/v1/configs/a%2Fb%20c")).toEqual(["GET", "/v1/configs/:id", ["a/b c"]]);
  });

  it.each<[string, string, string]>([
    ["GET", "/v1/nothing", "not_found"],
    ["GET", "/v1/configs/", "accepted"],
    ["GET", "/v1/configs/a/b/c", "not_found"],
    ["GET", "/", "not_found"],
    ["GET", "", "not_found"],
    ["PUT", "/v1/configs", "method_not_allowed"],
    ["DELETE", "/v1/configs/c1", "method_not_allowed"],
    ["POST", "/v1/blobs/demo/00ff", "method_not_allowed"],
    ["GET", "/v1/configs/%zz", "malformed_request"],
  ])("%s %s: %s", (method, path, code) => {
    const outcome = (): string => {
      try {
        found(method, path);
        return "accepted";
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(outcome()).toBe(code);
  });
});
