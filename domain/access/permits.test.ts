import { assert, array, constantFrom, property, record } from "fast-check";
import { describe, expect, test } from "vitest";
import {
  coveringPatterns,
  indexPermissions,
  isPatternOfTenant,
  parseReadScope,
  type Permission,
  type PermissionAction,
  permissionsBeyond,
  permits as permitsIndexed,
  tenantOfScopes,
} from "./permits.ts";
import { isResourcePattern, matchesPattern } from "./scope.ts";

const read = (resource_pattern: string): Permission => ({ action: "read", resource_pattern });
const permits = (held: readonly Permission[], tenant: string, action: PermissionAction, resource: string) =>
  permitsIndexed(indexPermissions(held), tenant, action, resource);

/**
 * Whether everything that `inner` matches, `outer` matches too. Both are resource patterns; `**` is covered only by
 * `**` at the same place or before it. For an `inner` without wildcards this is `matchesPattern`.
 */
function patternCovers(outer: string, inner: string): boolean {
  const want = outer.split("/");
  const have = inner.split("/");
  for (const [i, segment] of want.entries()) {
    if (segment === "**") return have.length > i;
    const other = have[i];
    if (other === undefined || other === "**") return false;
    if (segment !== "*" && segment !== other) return false;
  }
  return want.length === have.length;
}

/** What `permits` means, one permission after the other. */
const permitsPlainly = (held: readonly Permission[], tenant: string, action: string, resource: string) =>
  (resource === tenant || resource.startsWith(`${tenant}/`)) &&
  held.some((p) => p.action === action && patternCovers(p.resource_pattern, resource));

const segments = array(constantFrom("demo", "a", "b", "*"), { minLength: 1, maxLength: 4 });
const patterns = segments.chain((list) =>
  constantFrom(list.join("/"), [...list.slice(0, 3), "**"].join("/"), "**"),
);

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

describe("A4 the indexed check", () => {
  test("agrees with the plain definition, for resources and for patterns that are handed on", () => {
    const held = array(record({ action: constantFrom("read", "write"), resource_pattern: patterns }), {
      maxLength: 8,
    });
    let allowed = 0;
    assert(
      property(held, constantFrom("demo", "a"), constantFrom("read", "write"), patterns, (...args) => {
        const expected = permitsPlainly(...args);
        allowed += Number(expected);
        expect(permits(...args)).toBe(expected);
      }),
      { numRuns: 5000 },
    );
    // Or the property would hold of a check that refuses everything.
    expect(allowed).toBeGreaterThan(200);
  });

  test("asks for 31 patterns at most, all of them well-formed", () => {
    for (const resource of ["demo/a/b/c", "demo", "demo/*/b", "demo/**", "a/b/c/d/e/f"]) {
      const asked = coveringPatterns(resource);
      expect(asked.length).toBeLessThanOrEqual(31);
      expect(new Set(asked).size).toBe(asked.length);
      expect(asked.every(isResourcePattern)).toBe(true);
    }
    expect(coveringPatterns("demo/a/b/c")).toHaveLength(31);
  });
});

describe("A1 nobody hands on what they do not hold", () => {
  test.each([
    ["**", "**", true],
    ["**", "demo/a/b/c", true],
    ["demo/**", "demo/a/**", true],
    ["demo/**", "demo", false],
    // A pattern without the tenant's name reaches the tenant itself and all below it.
    ["demo/**", "**", false],
    ["demo/**", "*/a/b/c", true],
    ["demo/a/*/*", "*/a/*/*", true],
    ["demo/a/b/*", "demo/a/*/*", false],
    ["demo", "*", true],
    ["demo", "demo/**", false],
    ["other/**", "demo/a/b/c", false],
  ])("who holds %s may grant %s: %s", (held, wanted, allowed) => {
    const beyond = permissionsBeyond(indexPermissions([read(held)]), "demo", [read(wanted)]);
    expect(beyond).toEqual(allowed ? [] : [read(wanted)]);
    expect(
      permissionsBeyond(indexPermissions([read(held)]), "demo", [{ ...read(wanted), action: "write" }]),
    ).toHaveLength(1);
  });

  test("the two patterns of an administrator are worth the one of everything", () => {
    const held = indexPermissions([read("demo"), read("demo/**")]);
    expect(permissionsBeyond(held, "demo", [read("**"), read("demo/**"), read("*")])).toEqual([]);
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
    const resource = array(constantFrom("demo", "a", "b"), { minLength: 1, maxLength: 4 }).map((s) =>
      s.join("/"),
    );
    assert(
      property(patterns, patterns, resource, (outer, inner, name) => {
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
