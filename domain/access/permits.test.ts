import { assert, constantFrom, array, property } from "fast-check";
import { describe, expect, test } from "vitest";
import {
  isPatternOfTenant,
  parseReadScope,
  patternCovers,
  type Permission,
  permits,
  tenantOfScopes,
} from "./permits.ts";
import { matchesPattern } from "./scope.ts";

const read = (resource_pattern: string): Permission => ({ action: "read", resource_pattern });

describe("A4 permits", () => {
  test.each([
    ["**", "demo/shop/prod/db", true],
    ["**", "demo", true],
    ["demo/**", "demo/shop/prod/db", true],
    ["demo/**", "demo", false],
    ["demo/shop/*/db", "demo/shop/prod/db", true],
    ["demo/shop/*/db", "demo/shop/prod/other", false],
    ["demo/shop/prod/*", "demo/shop/prod/*", true],
    ["demo/shop/prod/db", "demo/shop/prod/*", false],
    ["**", "other/shop/prod/db", false],
    ["*/shop/prod/db", "other/shop/prod/db", false],
    ["**", "demos/shop/prod/db", false],
  ])("%s on %s: %s", (pattern, resource, allowed) => {
    expect(permits([read(pattern)], "demo", "read", resource)).toBe(allowed);
  });

  test("an action allows that action alone", () => {
    expect(permits([read("**")], "demo", "write", "demo/a/b/c")).toBe(false);
    expect(permits([], "demo", "read", "demo/a/b/c")).toBe(false);
  });
});

describe("A3 patternCovers", () => {
  test.each([
    ["demo/app/*", "demo/app/**", false],
    ["demo/app/**", "demo/app/**", true],
    ["demo/app/**", "demo/app/*", true],
    ["demo/*/**", "demo/**", false],
    ["demo/*/dev/*", "demo/app/*/x", false],
    ["demo/*/dev/*", "demo/app/dev/x", true],
    ["**", "demo/app/dev/x", true],
    ["demo/app/dev/x", "demo/app/dev", false],
  ])("%s over %s: %s", (outer, inner, covers) => {
    expect(patternCovers(outer, inner)).toBe(covers);
  });

  test("whatever an inner pattern matches, a covering one matches too", () => {
    const pattern = array(constantFrom("a", "b", "*"), { minLength: 1, maxLength: 4 }).chain((segments) =>
      constantFrom(segments.join("/"), [...segments.slice(0, 3), "**"].join("/")),
    );
    const resource = array(constantFrom("a", "b"), { minLength: 1, maxLength: 4 }).map((s) => s.join("/"));
    assert(
      property(pattern, pattern, resource, (outer, inner, name) => {
        if (patternCovers(outer, inner) && matchesPattern(inner, name))
          expect(matchesPattern(outer, name)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});

test("A3 a read scope is delegated only within the tenant and the holder's own patterns", () => {
  expect(permits([read("**")], "demo", "read", "demo/app/dev/*")).toBe(true);
  expect(permits([read("**")], "demo", "read", "other/app/dev/*")).toBe(false);
  expect(permits([read("**")], "demo", "read", "**")).toBe(false);
  expect(permits([read("demo/app/dev/*")], "demo", "read", "demo/app/*/*")).toBe(false);
  expect(permits([read("demo/app/*")], "demo", "read", "demo/app/**")).toBe(false);
  expect(permits([{ action: "write", resource_pattern: "**" }], "demo", "read", "demo/app/dev/*")).toBe(
    false,
  );
});

test("A3 scopes: only read, only patterns, one tenant", () => {
  expect(parseReadScope("read:demo/app/*/x")).toBe("demo/app/*/x");
  for (const bad of [
    "write:demo/**",
    "demo/**",
    "read:",
    "read:demo",
    "read:demo/app/*",
    "read:demo//x",
    "read:demo/**/x",
    "read:a/b/c/d/e",
  ]) {
    expect(parseReadScope(bad)).toBeNull();
  }
  expect(tenantOfScopes(["read:demo/a/**", "read:demo/b/c/d"])).toBe("demo");
  expect(tenantOfScopes(["read:demo/a/**", "read:other/b/c/d"])).toBeNull();
  expect(tenantOfScopes(["read:*/a/**"])).toBeNull();
  expect(tenantOfScopes(["read:**"])).toBeNull();
  expect(tenantOfScopes([])).toBeNull();
});

test("A4 a role of a tenant may hold patterns that can match there", () => {
  expect(isPatternOfTenant("demo/app/**", "demo")).toBe(true);
  expect(isPatternOfTenant("**", "demo")).toBe(true);
  expect(isPatternOfTenant("*/app", "demo")).toBe(true);
  expect(isPatternOfTenant("app/dev/*", "demo")).toBe(false);
});
