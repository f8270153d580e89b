import { beforeEach, describe, expect, it } from "vitest";
import { bundleRule, testBundle, type TestEntry } from "../bundle/testing-bundles.ts";
import { planBundle } from "../bundle/plan-bundle.ts";
import { abilitiesNeeded } from "../command/command-kinds.ts";
import { parseCommand } from "../command/command-schema.ts";
import type { BatchItem, CommandPayloads, OperationOfSeveral } from "../command/command.ts";
import { testCommand, testRule } from "../command/testing-commands.ts";
import { sha256OfText } from "../sha256-of-text.ts";
import { TestingRetention } from "./testing-retention.ts";

let machine: TestingRetention;
/** A config of eight versions of which one is kept, and another one. */
let id: string;
let other: string;
const OLD = [1, 2, 3, 4, 5, 6, 7];

beforeEach(() => {
  machine = new TestingRetention();
  id = machine.create("a", 8, { retention: { count: 1 } });
  other = machine.create("b", 8, { retention: { count: 1 } });
});

const item = (config_id: string, more: Partial<BatchItem>): BatchItem => ({
  config_id,
  expected_revision: machine.config(config_id).revision,
  content: null,
  schema: null,
  description: "",
  releases: null,
  default_version_id: null,
  ...more,
});

function ask(operation: OperationOfSeveral, attachments?: Uint8Array[]) {
  const payload = { config_id: null, config_revision: null, operation, description: "" };
  return machine.done("request_change", payload, {}, attachments).request;
}

function askForBundle(entry: Omit<TestEntry, "name">) {
  const bundle = testBundle("git", [{ name: "a", ...entry }], { adopt: true });
  const { payload } = bundle.command;
  const planned = planBundle(machine.state, "demo", payload);
  if (!planned.ok) throw new Error(JSON.stringify(planned.errors));
  const if_plan = planned.plan.digest;
  return ask({ kind: "apply_bundle", payload: { ...payload, if_plan } }, bundle.attachments);
}

describe("C10 C14 what a change request of several configs names", () => {
  it("C10 of a batch stays, of each of its configs, until the request has ended", () => {
    const rules = [testRule(2, { l: "x" }), testRule(4)];
    const items = [item(id, { releases: rules }), item(other, { default_version_id: 6 })];
    const request = ask({ kind: "batch_releases", payload: { items, abort_plan: false } });
    expect([machine.due(id), machine.due(other)]).toEqual([
      [1, 3, 5, 6, 7],
      [1, 2, 3, 4, 5, 7],
    ]);
    expect(machine.prune(id, OLD).kept).toEqual([
      { version_id: 2, why: "change_request" },
      { version_id: 4, why: "change_request" },
    ]);
    expect(machine.prune(other, OLD).kept).toEqual([{ version_id: 6, why: "change_request" }]);
    // What was approved can still be done.
    const { digest } = request;
    machine.done("execute_change", { change_request_id: request.id, digest }, { by: "bob" });
    expect(machine.config(other).releases).toEqual([testRule(6)]);
  });

  it("C10 is no version that the batch itself makes", () => {
    const content = { attachment: 0, sha256: "e".repeat(64) };
    const items = [item(id, { content, default_version_id: "new" }), item(other, { default_version_id: 8 })];
    ask({ kind: "batch_releases", payload: { items, abort_plan: false } });
    expect(machine.due(id)).toEqual(OLD);
  });

  it("C10 of a bundle stays by number and by content, and what is gone would make another plan of it", () => {
    machine = new TestingRetention();
    id = machine.create("a", 1);
    for (const text of ["one", "two", "three", "four"]) {
      const content = { attachment: 0, sha256: sha256OfText(text) };
      const payload = { config_id: id, content, format: "text" as const, schema: null, description: "" };
      machine.done("create_version", payload);
    }
    machine.keep(id, { count: 1 });
    const request = askForBundle({
      content: "five",
      versions: { two: "two", three: `sha256:${sha256OfText("three")}` },
      releases: [bundleRule("bundle", "x"), bundleRule("two", "y"), bundleRule("three", "z"), bundleRule(1)],
    });
    expect(machine.due(id)).toEqual([2]);
    expect(machine.prune(id, [1, 2, 3, 4]).kept.map(({ version_id }) => version_id)).toEqual([1, 3, 4]);
    const { digest } = request;
    machine.done("execute_change", { change_request_id: request.id, digest }, { by: "bob" });
    expect(machine.config(id).releases.map(({ version_id }) => version_id)).toEqual([6, 3, 4, 1]);
  });

  it("C10 went with builds before, and a removal says which of the two it is", () => {
    ask({
      kind: "batch_releases",
      payload: { items: [item(id, { default_version_id: 6 })], abort_plan: false },
    });
    const { form, ...before } = machine.pruning(id, OLD);
    expect(machine.done("prune_versions", before).removed).toEqual(OLD);
    const needs = (payload: CommandPayloads["prune_versions"]) =>
      abilitiesNeeded(testCommand("prune_versions", payload));
    expect([needs(before), needs({ ...before, form })]).toEqual([
      ["prune_versions"],
      ["prune_versions", "prune_spares_several"],
    ]);
    expect(parseCommand(testCommand("prune_versions", { ...before, form })).ok).toBe(true);
  });
});
