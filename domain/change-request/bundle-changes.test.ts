import { describe, expect, it } from "vitest";
import { bundleRule, testBundle, type TestEntry } from "../bundle/testing-bundles.ts";
import { TestingChanges } from "./testing-changes.ts";

/** Applies a bundle of `demo/shop/prod` and answers the code. */
function applied(t: TestingChanges, entries: TestEntry[], flags: { prune?: boolean } = {}): string {
  const { command, attachments } = testBundle("web", entries, flags);
  return t.code("apply_bundle", command.payload, {}, attachments);
}
const released = (content: string): TestEntry => ({
  name: "a",
  content,
  releases: [bundleRule("bundle")],
});

describe("C13 C14 a bundle is a change like any other", () => {
  it("in a namespace that asks for approvals it changes neither rules nor contents, and deletes nothing", () => {
    const t = new TestingChanges();
    expect(applied(t, [released("one")])).toBe("ok");
    t.done(
      "set_change_rules",
      {
        approvals: [
          {
            namespaces: "demo/*/prod",
            approvals_required: 1,
            applies_to: ["releases", "versions", "delete"],
          },
        ],
        freezes: [],
      },
      { by: "root" },
    );
    expect(applied(t, [released("two")])).toBe("approval_required");
    expect(applied(t, [{ name: "a", content: "two" }])).toBe("approval_required");
    expect(applied(t, [released("one"), { ...released("one"), name: "b" }])).toBe("approval_required");
    expect(applied(t, [], { prune: true })).toBe("approval_required");
    // What changes nothing, and what nobody gets, needs nobody.
    expect(applied(t, [released("one")])).toBe("ok");
    expect(applied(t, [released("one"), { name: "c", content: "x" }])).toBe("ok");
  });

  it("in a freeze it changes what clients get no more than a rule does", () => {
    const t = new TestingChanges();
    expect(applied(t, [released("one")])).toBe("ok");
    const freeze = {
      type: "absolute" as const,
      namespaces: "demo/**",
      name: "sale",
      from_ms: 0,
      until_ms: 9_000_000,
    };
    t.done("set_change_rules", { approvals: [], freezes: [freeze] }, { by: "root" });
    expect(applied(t, [released("two")])).toBe("change_frozen");
    expect(applied(t, [], { prune: true })).toBe("change_frozen");
    expect(applied(t, [{ name: "new", content: "x" }])).toBe("ok");
  });
});
