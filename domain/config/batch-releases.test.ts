import { beforeEach, describe, expect, it } from "vitest";
import { type Applied, applyCommand } from "../command/apply-command.ts";
import { checkInvariants } from "../command/check-invariants.ts";
import { abilitiesNeeded } from "../command/command-kinds.ts";
import { parseCommand } from "../command/command-schema.ts";
import type { BatchItem, Command } from "../command/command.ts";
import { MemoryState } from "../command/memory-state.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand, testConfigPayload, testRule } from "../command/testing-commands.ts";
import { BATCH_CONTENT_BYTES_MAX, BATCH_ITEMS_MAX, BATCH_RULES_MAX } from "../limits.ts";
import { testStage, testStart } from "../publish/testing-publish.ts";
import type { Config } from "./config.ts";

const [A, B] = ["cfg-c1-1", "cfg-c1-2"];
const NEW = { attachment: 0, sha256: "b".repeat(64) };
const item = (config_id: string, changes: Partial<BatchItem> = {}): BatchItem => ({
  config_id,
  expected_revision: null,
  content: null,
  schema: null,
  description: "",
  releases: null,
  default_version_id: 1,
  ...changes,
});
const fresh = (config_id: string, changes: Partial<BatchItem> = {}): BatchItem =>
  item(config_id, { content: NEW, default_version_id: "new", ...changes });
const batch = (items: BatchItem[], abort_plan = false, more: Partial<Command> = {}): Command =>
  testCommand("batch_releases", { items, abort_plan }, more as object);

let state: MemoryState;
let index: number;
let feedIndex: number;
function apply(command: Command, bytes = 3): Applied {
  index += 1;
  const applied = applyCommand({
    state,
    command,
    attachments: [new Uint8Array(bytes), new Uint8Array(bytes)],
    index,
    prevFeedIndex: feedIndex,
    timestampMs: index,
    clusterId: "c1",
    epoch: 1,
  });
  state.apply(applied.changes);
  feedIndex = applied.feedEntry?.index ?? feedIndex;
  expect(checkInvariants(state)).toEqual([]);
  return applied;
}
const config = (id: string): Config => state.json(stateKey.config(id)) as Config;
beforeEach(() => {
  state = new MemoryState();
  [index, feedIndex] = [0, 0];
  for (const name of ["one", "two"]) {
    apply(testCommand("create_config", testConfigPayload(name, "a".repeat(64), { releases: [testRule(1)] })));
  }
});

describe("C7 a batch", () => {
  it("makes versions and rules of several configs at one index, with one entry of the feed", () => {
    const rules = [{ ...testRule(1, { tier: "gold" }), version_id: "new" as const }, testRule(1)];
    const applied = apply(
      batch([fresh(A, { expected_revision: 1 }), fresh(B, { releases: rules, default_version_id: null })]),
    );
    expect([config(A).releases, config(B).releases]).toEqual([
      [testRule(2)],
      [testRule(2, { tier: "gold" }), testRule(1)],
    ]);
    expect([config(A).revision, config(B).revision]).toEqual([3, 3]);
    // Both contents are the same bytes: the second sees the first's reference.
    expect(state.json(stateKey.blobRefs("demo", "b".repeat(64)))).toBe(2);
    expect(applied.feedEntry).toMatchObject({
      events: [
        { type: "config_changed", config_id: A, variants: [{ version_id: 2 }] },
        { type: "config_changed", config_id: B, variants: [{ version_id: 1 }, { version_id: 2 }] },
      ],
      audit: {
        action: "publish",
        resource: "demo/shop/prod/*",
        summary: "changed the release rules of 2 configs: shop/prod/one version 2, shop/prod/two version 2",
      },
    });
  });

  it("rolls back, and ends the plans that run when it says so", () => {
    apply(testStart({ stages: [testStage("s", { regions: ["eu"] })] }));
    const items = [item(B), item(A)];
    expect(apply(batch(items)).outcome).toMatchObject({
      code: "publish_running",
      errors: [
        {
          path: "/items/1",
          message: expect.stringMatching(/^publish_running: publish pub-c1-1-3/) as string,
        },
      ],
    });
    const { feedEntry } = apply(batch(items, true));
    expect(feedEntry?.events.map((event) => event.type)).toEqual([
      "config_changed",
      "config_changed",
      "publish_changed",
    ]);
    expect(config(A).releases).toEqual([testRule(1)]);
  });

  it.each<[string, BatchItem[], string, string[]]>([
    ["a config that is not there", [fresh(A), fresh("cfg-c1-9")], "not_found", ["/items/1"]],
    [
      "a stale item, told with the others that are wrong",
      [item(A), fresh(B, { expected_revision: 1 }), item("cfg-c1-9")],
      "precondition_failed",
      ["/items/1", "/items/2"],
    ],
    [
      "a missing version",
      [fresh(A), item(B, { default_version_id: 7 })],
      "validation_failed",
      ["/items/1/default_version_id"],
    ],
    [
      "a rule of a missing version",
      [fresh(A), item(B, { default_version_id: null, releases: [testRule(7)] })],
      "validation_failed",
      ["/items/1/releases/0/version_id"],
    ],
    [
      "new without content",
      [fresh(A), item(B, { default_version_id: "new" })],
      "validation_failed",
      ["/items/1/default_version_id"],
    ],
    [
      "a rule of a new version without content",
      [item(B, { default_version_id: null, releases: [{ ...testRule(1), version_id: "new" }] })],
      "validation_failed",
      ["/items/0/releases/0/version_id"],
    ],
    ["a config that comes twice", [fresh(A), fresh(A)], "validation_failed", ["/items/1/config_id"]],
    ["rules and a default", [fresh(A, { releases: [] })], "validation_failed", ["/items/0"]],
    ["neither", [item(A, { default_version_id: null })], "validation_failed", ["/items/0"]],
    [
      "an attachment that it lacks",
      [fresh(A, { content: { ...NEW, attachment: 5 } })],
      "validation_failed",
      ["/items/0/content"],
    ],
    ["no item", [], "validation_failed", ["/items"]],
    [
      "too many",
      Array.from({ length: BATCH_ITEMS_MAX + 1 }, (_, i) => item(`cfg-c1-${i}`)),
      "validation_failed",
      ["/items"],
    ],
  ])("is refused whole for %s", (_name, items, code, paths) => {
    const before = state.rows();
    const { outcome } = apply(batch(items));
    expect(outcome).toMatchObject({ ok: false, code, errors: paths.map((path) => ({ path })) });
    expect(state.rows()).toEqual(before);
  });

  it("has limits for its bytes and its rules", () => {
    const half = BATCH_CONTENT_BYTES_MAX / 2;
    const items = [fresh(A), fresh(B, { content: { ...NEW, attachment: 1 } })];
    expect(apply(batch(items), half + 1).outcome).toMatchObject({ code: "payload_too_large" });
    expect(apply(batch(items), half).outcome.ok).toBe(true);
    const rules = Array.from({ length: BATCH_RULES_MAX / 2 + 1 }, () => testRule(1));
    const many = [A, B].map((id) => item(id, { default_version_id: null, releases: rules }));
    expect(apply(batch(many)).outcome).toMatchObject({
      code: "validation_failed",
      errors: [{ path: "/items" }],
    });
  });

  it("C12 is repeated under its key without a second write; another tenant's configs are not there", () => {
    const key = { idempotency: { scope: "k", digest: "d" } };
    apply(batch([fresh(A), fresh(B)], false, key));
    expect(apply(batch([fresh(A), fresh(B)], false, key)).outcome).toMatchObject({
      replayed: true,
      index: 3,
    });
    expect(config(A).latest_version_id).toBe(2);
    expect(apply(batch([item(A)], false, { tenant: "other" })).outcome).toMatchObject({ code: "not_found" });
  });

  it("is a kind of its own, and conditions in its rules need voters that know them", () => {
    const rule = { ...testRule(1), version_id: "new" as const, percentage: { by: "user", percent: 1 } };
    const command = batch([fresh(A, { releases: [rule], default_version_id: null })]);
    expect(abilitiesNeeded(command)).toEqual(["batch_releases", "rule_conditions"]);
    expect(parseCommand(command)).toEqual({ ok: true, command });
    const old = { ...item(A), releases: [{ ...testRule(1), version_id: "old" }] };
    expect(parseCommand(batch([old as unknown as BatchItem])).ok).toBe(false);
  });
});
