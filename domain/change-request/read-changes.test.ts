import { beforeEach, describe, expect, it } from "vitest";
import { bundleRule, testBundle } from "../bundle/testing-bundles.ts";
import { planBundle } from "../bundle/plan-bundle.ts";
import type { ChangeOperation } from "../command/command.ts";
import { testConfigPayload, testRule } from "../command/testing-commands.ts";
import { CHANGE_REQUEST_TTL_MS } from "../limits.ts";
import { sha256Hex } from "../sha256.ts";
import { type ChangeRequestFilter, listChangeRequests } from "./read-changes.ts";
import { TestingChanges } from "./testing-changes.ts";

const ONE = new Uint8Array([1]);
let t: TestingChanges;
let a: string;
let b: string;

beforeEach(() => {
  t = new TestingChanges();
  [a, b] = ["a", "b"].map(
    (name) =>
      t.done("create_config", testConfigPayload(name, sha256Hex(ONE), { releases: [testRule(1)] })).config.id,
  ) as [string, string];
});

const revisionOf = (id: string): number => t.config(id).revision;
const askOne = (id: string): string => {
  const operation: ChangeOperation = { kind: "rollback", payload: { config_id: id, version_id: 1 } };
  const asked = { config_id: id, config_revision: revisionOf(id), operation, description: "" };
  return t.done("request_change", asked).request.id;
};
const askSeveral = (operation: ChangeOperation, bytes: Uint8Array[] = []): string => {
  const asked = { config_id: null, config_revision: null, operation, description: "" };
  return t.done("request_change", asked, {}, bytes).request.id;
};
const askBatch = (id: string): string => {
  const item = { config_id: id, expected_revision: revisionOf(id), content: null, schema: null };
  const items = [{ ...item, description: "", releases: null, default_version_id: 1 }];
  return askSeveral({ kind: "batch_releases", payload: { items, abort_plan: false } });
};
const askBundle = (name: string): string => {
  const entry = { name, content: "2", releases: [bundleRule("bundle")] };
  const { command, attachments } = testBundle("git", [entry], { adopt: true });
  const planned = planBundle(t.state, "demo", command.payload);
  const if_plan = planned.ok ? planned.plan.digest : null;
  return askSeveral({ kind: "apply_bundle", payload: { ...command.payload, if_plan } }, attachments);
};
const list = (filter: Partial<ChangeRequestFilter>, page: { cursor?: string; limit?: number } = {}) => {
  const found = listChangeRequests(t.state, {
    tenant: "demo",
    now_ms: t.nowMs,
    limit: 9,
    ...filter,
    ...page,
  });
  if (!found.ok) throw new Error(found.detail);
  return { ids: found.items.map(({ id }) => id), next: found.next_cursor };
};

describe("C14 a list of change requests", () => {
  it("C14 finds by its config those of it alone, and those of several that have it among them", () => {
    const ofA = [askOne(a), askBatch(a), askBundle("a")];
    const ofB = [askOne(b), askBundle("b"), askBatch(b)];
    expect(list({ config_id: a }).ids).toEqual(ofA.toReversed());
    expect(list({ config_id: b }).ids).toEqual(ofB.toReversed());
    expect(list({ config_id: "cfg-c1-99" }).ids).toEqual([]);
    expect(list({ config_id: a, app: "pay" }).ids).toEqual([]);
  });

  it("C14 goes by where each stands at the time of the list, page by page", () => {
    const old = [askOne(a), askOne(a)].toReversed();
    t.nowMs += CHANGE_REQUEST_TTL_MS - 1;
    const fresh = askOne(b);
    expect(list({ state: "open" }).ids).toEqual([fresh, ...old]);
    t.nowMs += 1;
    expect(list({ state: "open" }).ids).toEqual([fresh]);
    const first = list({ state: "expired" }, { limit: 1 });
    const second = list({ state: "expired" }, { limit: 1, cursor: first.next ?? "" });
    expect([...first.ids, ...second.ids, second.next]).toEqual([...old, null]);
  });
});
