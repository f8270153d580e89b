import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isResourcePattern, matchesPattern, scopesAllowRead } from "./scope.ts";
import { scopesWithinTenant } from "./scope-within-tenant.ts";

function coversEach([want, ...wanted]: string[], [have, ...more]: string[]): boolean {
  if (want === undefined || have === undefined) return want === have;
  return want === "**" || ((want === "*" || want === have) && coversEach(wanted, more));
}

describe("resource patterns", () => {
  it.each([
    ["a/b/c/d", "a/b/c/d", true],
    ["a/b/c/*", "a/b/c/d", true],
    ["a/b/c/*", "a/b/c", false],
    ["a/b/c/*", "a/b/c/d/e", false],
    ["a/*/c/d", "a/x/c/d", true],
    ["a/**", "a/b/c/d", true],
    ["a/**", "a", false],
    ["**", "a/b/c/d", true],
    ["a/b/c/D", "a/b/c/d", false],
    ["a/b", "a/b/c/d", false],
    ["ab/b/c/d", "a/b/c/d", false],
  ])("A4 %s covers %s: %s", (pattern, resource, covers) => {
    expect(matchesPattern(pattern, resource)).toBe(covers);
  });

  it("A4 covers what its segments cover, one by one", () => {
    const text = (...segments: string[]) =>
      fc.array(fc.constantFrom(...segments), { maxLength: 5 }).map((parts) => parts.join("/"));
    fc.assert(
      fc.property(
        text("a", "ab", "b", "", "*", "**", "*a", "***"),
        text("a", "ab", "b", ""),
        (pattern, resource) => {
          expect(matchesPattern(pattern, resource)).toBe(coversEach(pattern.split("/"), resource.split("/")));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it.each(["", "a/", "/a", "a/**/d", "a/b/c/d/e", "a/b*/c", "a/../c", "a b"])(
    "refuses the pattern %j",
    (pattern) => {
      expect(isResourcePattern(pattern)).toBe(false);
    },
  );

  it.each(["a", "*", "**", "a/**", "a/b/c/*", "a/*/*/d"])("accepts the pattern %j", (pattern) => {
    expect(isResourcePattern(pattern)).toBe(true);
  });

  it("grants nothing for an unknown verb", () => {
    expect(scopesAllowRead(["write:a/**", "a/**", "READ:a/**"], "a/b/c/d")).toBe(false);
    expect(scopesAllowRead([], "a/b/c/d")).toBe(false);
    expect(scopesAllowRead(["write:a/**", "read:a/b/*/d"], "a/b/c/d")).toBe(true);
  });
});

describe("scopesWithinTenant", () => {
  it("A4 keeps a token inside its tenant whatever its scopes say", () => {
    const scopes = ["read:**", "read:*/b/c/d", "read:a/b/c/*", "read:z/b/c/d", "write:a/**", "read:**/d"];
    expect(scopesWithinTenant(scopes, "a")).toEqual(["read:a/**", "read:a/b/c/d", "read:a/b/c/*"]);
    expect(scopesAllowRead(scopesWithinTenant(scopes, "a"), "z/b/c/d")).toBe(false);
  });
});
