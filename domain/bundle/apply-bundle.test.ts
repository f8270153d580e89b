import { describe, expect, it } from "vitest";
import { checkInvariants } from "../command/check-invariants.ts";
import type { Command } from "../command/command.ts";
import { abilitiesNeeded, BASE_COMMAND_KINDS } from "../command/command-kinds.ts";
import { parseCommand } from "../command/command-schema.ts";
import { MemoryStateMachine } from "../command/memory-state-machine.ts";
import { StagedState } from "../command/staged-state.ts";
import { testCommand, testConfigPayload, testRule } from "../command/testing-commands.ts";
import { readConfigByName } from "../config/read-configs.ts";
import { testEncrypted, testEnvelope, testSealed } from "../encryption/testing-envelopes.ts";
import { SCHEMA_BYTES_MAX } from "../limits.ts";
import { sha256OfText } from "../sha256-of-text.ts";
import type { BundlePlan } from "./bundle.ts";
import { exportBundle } from "./export-bundle.ts";
import { bundleRule, testBundle, type TestEntry } from "./testing-bundles.ts";

function open() {
  const machine = new MemoryStateMachine({ clusterId: "c1", feedRetainedEntriesMax: 1_000 });
  let nowMs = 0;
  const run = (command: Command, attachments: readonly Uint8Array[] = []) =>
    machine.apply({ command, attachments, timestampMs: (nowMs += 10) });
  const apply = (entries: TestEntry[], flags: Parameters<typeof testBundle>[2] = {}, id = "team") => {
    const { command, attachments } = testBundle(id, entries, flags);
    const before = JSON.stringify(machine.state.rows());
    const outcome = run(command, attachments);
    expect(checkInvariants(machine.state)).toEqual([]);
    if (!outcome.ok) expect(JSON.stringify(machine.state.rows())).toBe(before);
    return outcome;
  };
  const plan = (...given: Parameters<typeof apply>): BundlePlan => {
    const outcome = apply(...given);
    if (!outcome.ok) throw new Error(JSON.stringify(outcome));
    return (outcome.result as { plan: BundlePlan }).plan;
  };
  const config = (name: string) => {
    const found = readConfigByName(machine.state, { tenant: "demo", app: "shop", env: "prod" }, name);
    return found.ok ? found.config : null;
  };
  const addVersion = (name: string, text: string) => {
    const content = { attachment: 0, sha256: sha256OfText(text) };
    const config_id = config(name)?.id ?? "";
    const payload = { config_id, content, format: null, schema: null, description: "" };
    return run(testCommand("create_version", payload), [new Uint8Array([1])]);
  };
  const create = (name: string, text: string, more: Parameters<typeof testConfigPayload>[2] = {}) => {
    const payload = testConfigPayload(name, sha256OfText(text), { format: "text", ...more });
    return run(testCommand("create_config", payload), [new Uint8Array([1])]);
  };
  return { machine, run, apply, plan, config, addVersion, create };
}
const actions = ({ items }: BundlePlan) =>
  items.map(({ name, action, changes }) => [name, action, changes.join()]);

describe("C13 a bundle", () => {
  it("creates, changes, leaves alone and prunes in one entry of the log, and once only", () => {
    const { machine, plan, config } = open();
    const a = { name: "a", content: "1", releases: [bundleRule("bundle")] };
    const b = {
      name: "b",
      content: "1",
      versions: { old: "0" },
      releases: [bundleRule("old", "x"), bundleRule("bundle")],
    };
    expect(actions(plan([a, b]))).toEqual([
      ["a", "create", "content,settings,releases,owner"],
      ["b", "create", "content,settings,releases,owner"],
    ]);
    expect(config("b")?.releases.map((rule) => rule.version_id)).toEqual([1, 2]);
    const before = machine.lastFeedIndex();
    expect(actions(plan([a, b]))).toEqual([
      ["a", "unchanged", ""],
      ["b", "unchanged", ""],
    ]);
    expect(machine.lastFeedIndex()).toBe(before);
    expect(actions(plan([{ ...a, content: "2" }]))).toEqual([
      ["a", "update", "content,releases,owner"],
      ["b", "orphan", ""],
    ]);
    expect(config("a")).toMatchObject({ latest_version_id: 2, releases: [{ version_id: 2 }] });
    expect(actions(plan([{ ...a, content: "2" }], { prune: true }))).toEqual([
      ["a", "unchanged", ""],
      ["b", "delete", ""],
    ]);
    expect(config("b")).toBeNull();
    const entries = [...machine.feed().entriesAfter(0)].map(({ entry }) => entry);
    expect(entries.map(({ kind, events }) => [kind, events.length])).toEqual([
      ["apply_bundle", 2],
      ["apply_bundle", 1],
      ["apply_bundle", 1],
    ]);
    expect(entries.at(-1)?.audit).toMatchObject({
      resource: "demo/shop/prod/*",
      summary: "applied bundle team: 0 created, 0 changed, 1 deleted: shop/prod/b",
    });
  });

  it("changes settings without a version, and the format with one", () => {
    const { plan, config } = open();
    plan([{ name: "a", content: "1" }]);
    plan([{ name: "a", content: "1", description: "d", retention: { count: 3 } }]);
    expect(config("a")).toMatchObject({ description: "d", retention: { count: 3 }, latest_version_id: 1 });
    expect(
      actions(plan([{ name: "a", content: "1", format: "json", description: "d", retention: { count: 3 } }])),
    ).toEqual([["a", "update", "content,settings,owner"]]);
    expect(config("a")).toMatchObject({ format: "json", latest_version_id: 2 });
  });

  it("leaves alone what it does not own, takes it over when told to, and loses it to nobody by accident", () => {
    const { apply, plan, config, create } = open();
    create("a", "1");
    const before = config("a");
    expect(apply([{ name: "a", content: "2" }])).toMatchObject({
      code: "conflict",
      errors: [{ path: "/configs/0", message: expect.stringContaining("no bundle owns it") as string }],
    });
    expect(config("a")).toEqual(before);
    expect(actions(plan([{ name: "a", content: "1", description: "first" }], { adopt: true }))).toEqual([
      ["a", "update", "owner"],
    ]);
    expect(config("a")).toEqual({ ...before, bundle: expect.objectContaining({ id: "team" }) as object });
    expect(apply([{ name: "a", content: "3" }], {}, "other")).toMatchObject({ code: "conflict" });
    plan([{ name: "a", content: "3" }], { adopt: true }, "other");
    expect(apply([{ name: "a", content: "1" }], { force: true })).toMatchObject({ code: "conflict" });
    expect(actions(plan([], { prune: true }))).toEqual([]);
    expect(config("a")).not.toBeNull();
  });

  it("tells what was changed by hand, and overwrites it only by force", () => {
    const { apply, plan, config, addVersion, run } = open();
    const a = { name: "a", content: "1", releases: [bundleRule("bundle")] };
    plan([a]);
    addVersion("a", "hand");
    const drifted = apply([a]);
    expect(drifted).toMatchObject({ code: "conflict" });
    expect(actions(plan([a], { force: true }))).toEqual([["a", "update", "content"]]);
    expect(config("a")).toMatchObject({ latest_version_id: 3 });
    run(testCommand("put_releases", { config_id: config("a")?.id ?? "", releases: [] }));
    expect(apply([a])).toMatchObject({
      errors: [{ message: expect.stringContaining("releases") as string }],
    });
    // Another part than the one that was touched is the bundle's to change.
    expect(actions(plan([{ ...a, releases: [], description: "d" }]))).toEqual([
      ["a", "update", "settings,owner"],
    ]);
    addVersion("a", "hand");
    expect(apply([], { prune: true })).toMatchObject({ code: "conflict" });
    plan([], { prune: true, force: true });
    expect(config("a")).toBeNull();
  });

  it("leaves rules alone that it does not name, and those of a running plan", () => {
    const { apply, plan, config, run } = open();
    plan([{ name: "a", content: "1", releases: [bundleRule("bundle")] }]);
    const start = {
      config_id: config("a")?.id ?? "",
      content: { attachment: 0, sha256: sha256OfText("p") },
      version_id: null,
      description: "",
      strategy: "canary" as const,
      stages: [{ name: "s", regions: null, labels: { l: "x" }, bake_minutes: null }],
    };
    expect(run(testCommand("start_publish", start), [new Uint8Array([1])]).ok).toBe(true);
    expect(plan([{ name: "a", content: "p" }]).items[0]).toMatchObject({ changes: ["owner"] });
    expect(config("a")?.releases).toHaveLength(2);
    const wanted = [{ name: "a", content: "p", releases: [bundleRule("bundle")] }];
    expect(apply(wanted)).toMatchObject({ code: "publish_running" });
    plan(wanted, { abort_plan: true });
    expect(config("a")?.releases).toEqual([testRule(2)]);
  });

  it("is refused as a whole, with the path of all that is wrong", () => {
    const { apply, config } = open();
    const none = `sha256:${"0".repeat(64)}`;
    const outcome = apply([
      { name: "a", content: "1" },
      { name: "a", content: "1" },
    ]);
    expect(outcome).toMatchObject({ code: "validation_failed", errors: [{ path: "/configs/1" }] });
    expect(
      apply([
        { name: "ok", content: "1" },
        { name: "b", content: none },
        { name: "c", content: "1", releases: [bundleRule("nobody"), bundleRule(7, "x")] },
        { name: "d", content: "1", releases: [bundleRule("bundle"), bundleRule("bundle")] },
        { name: "e", content: "1", versions: { bundle: "2" } },
      ]),
    ).toMatchObject({
      code: "validation_failed",
      errors: [
        { path: "/configs/1/content_hash" },
        { path: "/configs/2/releases/0/version" },
        { path: "/configs/2/releases/1/version" },
        { path: "/configs/3/releases/1" },
        { path: "/configs/4/versions/0/name" },
      ],
    });
    expect(config("ok")).toBeNull();
  });

  it("K5 takes the settings and rules of an encrypted config, and never its content", () => {
    const { apply, plan, config, run, machine } = open();
    expect(run(testEncrypted("secret", 1), [testEnvelope("secret", "sealed")]).ok).toBe(true);
    const hash = `sha256:${testSealed(1).sealed?.content_sha256 ?? ""}`;
    const byHash = { name: "secret", content: hash, format: "json" as const, description: "d" };
    expect(apply([{ ...byHash, content: "plain" }], { adopt: true })).toMatchObject({
      code: "validation_failed",
      errors: [{ path: "/configs/0/content" }],
    });
    plan([{ ...byHash, releases: [bundleRule("bundle")] }], { adopt: true });
    expect(config("secret")).toMatchObject({
      latest_version_id: 1,
      description: "d",
      releases: [{ version_id: 1 }],
    });
    const exported = exportBundle(machine.state, { tenant: "demo" });
    expect(exported).toMatchObject({
      configs: [{ contents: [{ sha256: hash.slice(7), isEncrypted: true }] }],
    });
  });

  it("C13 an export counts schemas and rules as it counts contents, and is refused before it is too large", () => {
    const { machine, create } = open();
    const schema = `"${"s".repeat(SCHEMA_BYTES_MAX - 2)}"`;
    for (let i = 0; i < 6; i++) create(`c${i}`, "x", { schema });
    const { app, env } = testConfigPayload("c", sha256OfText("x")).namespace;
    for (const [scope, help] of [
      [{}, "name an app, or an app and an env"],
      [{ env }, "name an app, too"],
      [{ app }, "name an env, too"],
      [{ app, env }, "read its configs one by one"],
    ] as const)
      expect(exportBundle(machine.state, { tenant: "demo", ...scope })).toMatchObject({
        code: "payload_too_large",
        detail: expect.stringContaining(help) as string,
      });
  });

  it("is the plan that was looked at, or none", () => {
    const { apply, plan, addVersion } = open();
    const looked = plan([{ name: "a", content: "1" }]);
    const { digest } = plan([{ name: "a", content: "1" }]);
    expect(digest).not.toBe(looked.digest);
    expect(apply([{ name: "a", content: "1" }], { if_plan: digest })).toMatchObject({ ok: true });
    expect(apply([{ name: "a", content: "2" }], { if_plan: digest })).toMatchObject({
      code: "precondition_failed",
    });
    addVersion("a", "1");
    expect(apply([{ name: "a", content: "1" }], { if_plan: digest })).toMatchObject({
      code: "precondition_failed",
    });
  });

  it("counts against the tenant's limit what it leaves, deletions first or last", () => {
    const { apply, plan } = open();
    plan(
      [
        { name: "a", content: "1" },
        { name: "b", content: "1" },
      ],
      { max_configs: 2 },
    );
    expect(apply([{ name: "c", content: "1" }], { max_configs: 2 })).toMatchObject({
      code: "quota_exceeded",
    });
    plan([{ name: "c", content: "1" }], { prune: true, max_configs: 2 });
    plan(
      [
        { name: "c", content: "1" },
        { name: "d", content: "1" },
      ],
      { max_configs: 2 },
    );
  });

  it("is never one of the kinds that every build applies, and no core takes a malformed one", () => {
    const { command } = testBundle("team", [{ name: "a", content: "1", releases: [bundleRule("bundle")] }]);
    expect(abilitiesNeeded(command)).toEqual(["apply_bundle"]);
    expect(BASE_COMMAND_KINDS).not.toContain("apply_bundle");
    expect(parseCommand(command)).toEqual({ ok: true, command });
    const broken = [{ if_plan: "x" }, { prune: null }, { configs: [{ name: "a" }] }, { surplus: 1 }];
    for (const fields of broken)
      expect(parseCommand({ ...command, payload: { ...command.payload, ...fields } }).ok).toBe(false);
  });

  it("of 500 configs is one command of its limits, and goes into an empty tenant as it was exported", () => {
    const { plan, machine } = open();
    const entries = Array.from({ length: 500 }, (_, i) => ({
      name: `c${i}`,
      content: `content ${i % 7}`,
      releases: [bundleRule("bundle")],
    }));
    expect(plan(entries).items).toHaveLength(500);
    expect(plan(entries).items.every(({ action }) => action === "unchanged")).toBe(true);
    const exported = exportBundle(machine.state, { tenant: "demo" });
    expect(exported.ok && exported.configs.length).toBe(500);
    expect(plan([], { prune: true }).items.every(({ action }) => action === "delete")).toBe(true);
    expect(machine.state.rows().filter(({ key }) => /^[bclnrv]\//.test(key))).toEqual([]);
  });
});

describe("C13 writes that are staged", () => {
  it("are seen by reads and scans in the order of keys, and made once", () => {
    const { machine } = open();
    machine.state.apply(["a1", "a3", "a5", "b1"].map((key) => ({ op: "put_json", key, value: key })));
    const staged = new StagedState(machine.state);
    staged.stage([
      { op: "put_json", key: "a2", value: 2 },
      { op: "put_json", key: "a3", value: 3 },
      { op: "delete", key: "a5" },
      { op: "put_json", key: "a6", value: 6 },
      { op: "put_json", key: "a2", value: 4 },
      { op: "put_bytes", key: "a4", bytes: new Uint8Array() },
    ]);
    const scan = (options: { after?: string; limit: number }) =>
      [...staged.scan("a", options)].map((row) => row.value);
    expect(scan({ limit: 9 })).toEqual(["a1", 4, 3, 6]);
    expect(scan({ limit: 2 })).toEqual(["a1", 4]);
    expect(scan({ after: "a2", limit: 1 })).toEqual([3]);
    expect([staged.json("a5"), staged.hasKey("a5"), staged.hasKey("a4"), staged.json("b1")]).toEqual([
      undefined,
      false,
      true,
      "b1",
    ]);
    expect(staged.changes()).toHaveLength(5);
    expect(() => staged.stage([{ op: "drop_staged" }])).toThrow("cannot be staged");
  });
});
