// Over 400 lines: every hold and every moment between decision and removal, over one state.
import { beforeEach, describe, expect, it } from "vitest";
import { testBundle } from "../bundle/testing-bundles.ts";
import { applyCommand } from "../command/apply-command.ts";
import { checkInvariants } from "../command/check-invariants.ts";
import { abilitiesNeeded, BASE_COMMAND_KINDS } from "../command/command-kinds.ts";
import { isCoreKind } from "../command/command.ts";
import { parseCommand } from "../command/command-schema.ts";
import { sampleInvariants } from "../command/sample-invariants.ts";
import { type StateChange, stateKey } from "../command/state-view.ts";
import { testCommand, testRule } from "../command/testing-commands.ts";
import { listVersions, readVersion } from "../config/read-configs.ts";
import { CHANGE_REQUEST_TTL_MS, PRUNE_BYTES_MAX, PRUNE_VERSIONS_MAX } from "../limits.ts";
import { DAY_MS, TestingRetention } from "./testing-retention.ts";

let machine: TestingRetention;
beforeEach(() => {
  machine = new TestingRetention();
});
const hasBytes = (letter: string): boolean => machine.state.hasKey(stateKey.blob("demo", letter.repeat(64)));
const first = [1, 2, 3, 4, 5, 6, 7, 8];

describe("C10 versions are removed by their config's retention", () => {
  it("C10 ten versions of which three are kept, with a rule on the first: 1, 8, 9 and 10 stay", () => {
    const id = machine.create("a", 10, { releases: [testRule(1)], retention: { count: 3 } });
    const before = machine.config(id);
    expect(machine.due(id)).toEqual([2, 3, 4, 5, 6, 7]);
    expect(machine.prune(id, machine.due(id))).toEqual({
      config_id: id,
      removed: [2, 3, 4, 5, 6, 7],
      kept: [],
    });
    expect(machine.versions(id)).toEqual([1, 8, 9, 10]);
    expect(machine.due(id)).toEqual([]);
    // Nobody who watches the config, or holds its ETag, sees anything of it.
    expect(machine.config(id)).toEqual(before);
    expect(machine.feed.at(-1)).toMatchObject({
      kind: "prune_versions",
      events: [],
      audit: {
        action: "delete",
        resource: "demo/shop/prod/a",
        summary: "removed versions 2-7 by the retention, archived below c1/versions/demo/x/",
      },
    });
  });

  it("C10 bytes go with the last version that has them, in whichever config", () => {
    const id = machine.create("a", ["a", "b", "a", "c", "d"], { retention: { count: 1 } });
    const other = machine.create("b", ["b", "e"]);
    machine.prune(id, [1, 2, 3, 4]);
    expect(["a", "b", "c", "d", "e"].filter(hasBytes)).toEqual(["b", "d", "e"]);
    machine.keep(other, { count: 1 });
    machine.prune(other, [1]);
    expect(["a", "b", "c", "d", "e"].filter(hasBytes)).toEqual(["d", "e"]);
  });

  it("C10 numbers are never given anew, and lists pass over what is gone", () => {
    const id = machine.create("a", 6, { releases: [testRule(2)], retention: { count: 1 } });
    machine.prune(id, machine.due(id));
    expect(machine.addVersion(id, "9")).toBe(7);
    const page = (cursor?: string) =>
      listVersions(machine.state, { config_id: id, limit: 2, ...(cursor === undefined ? {} : { cursor }) });
    const ids = (answer: ReturnType<typeof page>) =>
      answer.ok ? answer.items.map(({ version_id }) => version_id) : [];
    const begun = page();
    expect([ids(begun), begun]).toMatchObject([[7, 6], { next_cursor: "3" }]);
    expect([ids(page("3")), page("3")]).toMatchObject([[2], { next_cursor: null }]);
    machine.prune(id, machine.due(id));
    expect(machine.versions(id)).toEqual([2, 7]);
    expect(machine.state.json(stateKey.removedVersions(id))).toEqual({
      ranges: [
        [1, 1],
        [3, 6],
      ],
    });
  });

  it("C10 who names a removed version is told what became of it", () => {
    const id = machine.create("a", 3, { retention: { count: 1 }, releases: [testRule(3)] });
    machine.prune(id, [1]);
    const said = "version 1 was archived and removed by the config's retention";
    const read = (version_id: number) => readVersion(machine.state, { config_id: id, version_id });
    expect(read(1)).toEqual({ ok: false, code: "not_found", detail: `config ${id}: ${said}` });
    expect(read(4)).toEqual({ ok: false, code: "not_found", detail: `config ${id}: no version 4` });
    const invalid = { ok: false, code: "validation_failed" };
    expect(machine.apply("rollback", { config_id: id, version_id: 1 })).toMatchObject({
      ...invalid,
      detail: said,
      errors: [{ path: "/version_id", message: said }],
    });
    expect(machine.apply("rollback", { config_id: id, version_id: 4 })).toMatchObject({
      ...invalid,
      detail: "no version 4",
      errors: [{ path: "/version_id", message: "versions are 1 to 3" }],
    });
    const item = { config_id: id, content: null, schema: null, description: "", expected_revision: null };
    const items = [{ ...item, releases: null, default_version_id: 1 }];
    expect(machine.apply("batch_releases", { items, abort_plan: false })).toMatchObject({
      ...invalid,
      errors: [{ path: "/items/0/default_version_id", message: said }],
    });
    const publish = {
      config_id: id,
      content: null,
      version_id: 1,
      description: "",
      strategy: "all" as const,
      stages: [],
    };
    expect(machine.apply("start_publish", publish)).toMatchObject({
      ...invalid,
      detail: said,
      errors: [{ path: "/version_id", message: said }],
    });
    expect(machine.apply("put_releases", { config_id: id, releases: [testRule(1)] })).toMatchObject({
      ...invalid,
      errors: [{ path: "/0/version_id", message: said }],
    });
    const { command, attachments } = testBundle(
      "git",
      [{ name: "a", format: "json", content: "x", releases: [{ labels: {}, priority: 0, version: 1 }] }],
      { adopt: true, force: true },
    );
    expect(machine.apply("apply_bundle", command.payload, {}, attachments)).toMatchObject({
      ...invalid,
      errors: [{ path: "/configs/0/releases/0/version", message: said }],
    });
  });

  it("C10 a deleted config leaves nothing of its removed versions", () => {
    const id = machine.create("a", 3, { retention: { count: 1 } });
    machine.prune(id, [1, 2]);
    machine.done("delete_config", { config_id: id });
    expect(machine.state.hasKey(stateKey.removedVersions(id))).toBe(false);
    expect(["0", "1", "2"].filter(hasBytes)).toEqual([]);
  });

  it("C10 one command takes so many versions and so many bytes, the oldest first", () => {
    const many = machine.create("many", PRUNE_VERSIONS_MAX + 20, { retention: { count: 5 } });
    expect(machine.due(many)).toEqual(Array.from({ length: PRUNE_VERSIONS_MAX }, (_, i) => i + 1));
    machine.prune(many, machine.due(many));
    expect(machine.due(many)).toHaveLength(15);
    const large = machine.create("large", 5, { retention: { count: 1 } });
    for (const [version, bytes] of [
      [1, PRUNE_BYTES_MAX + 1],
      [2, PRUNE_BYTES_MAX - 10],
      [3, 10],
      [4, 1],
    ]) {
      const key = stateKey.version(large, version ?? 0);
      const row = machine.state.json(key) as object;
      machine.state.apply([{ op: "put_json", key, value: { ...row, content_bytes: bytes } }]);
    }
    expect(machine.due(large)).toEqual([1]);
    machine.prune(large, [1]);
    expect(machine.due(large)).toEqual([2, 3]);
  });
});

describe("C10 what is decided after the archive was written counts", () => {
  it("C10 a rule that was set in between keeps its version", () => {
    const id = machine.create("a", 8, { retention: { count: 2 } });
    const decided = machine.pruning(id, machine.due(id));
    machine.done("put_releases", { config_id: id, releases: [testRule(3, { l: "x" }), testRule(8)] });
    expect(machine.done("prune_versions", decided)).toEqual({
      config_id: id,
      removed: [1, 2, 4, 5, 6],
      kept: [{ version_id: 3, why: "rule" }],
    });
    expect(machine.versions(id)).toEqual([3, 7, 8]);
    expect(machine.feed.at(-1)?.audit.summary).toContain("removed versions 1-2, 4-6 by");
  });

  it("C10 so does a retention that keeps more, or all", () => {
    const id = machine.create("a", 8, { retention: { count: 1 } });
    const decided = machine.pruning(id, machine.due(id));
    machine.keep(id, { count: 6 });
    expect(machine.done("prune_versions", decided).removed).toEqual([1, 2]);
    machine.keep(id, null);
    const entries = machine.feed.length;
    const kept = machine.done("prune_versions", decided);
    expect([kept.removed, kept.kept.map(({ why }) => why)]).toEqual([
      [],
      ["gone", "gone", "not_due", "not_due", "not_due", "not_due", "not_due"],
    ]);
    // What changes nothing tells nobody.
    expect(machine.feed).toHaveLength(entries);
  });

  it("C10 a repetition does nothing, and neither does a number twice or one that never was", () => {
    const id = machine.create("a", 4, { retention: { count: 1 } });
    const decided = machine.pruning(id, [1, 1, 2, 9]);
    expect(machine.done("prune_versions", decided)).toEqual({
      config_id: id,
      removed: [1, 2],
      kept: [
        { version_id: 1, why: "gone" },
        { version_id: 9, why: "gone" },
      ],
    });
    expect(machine.done("prune_versions", decided).removed).toEqual([]);
  });

  it("C10 a version that is not as it was archived stays", () => {
    const id = machine.create("a", 3, { retention: { count: 1 } });
    const decided = machine.pruning(id, [1, 2]);
    const [one] = decided.versions;
    const other = { ...decided, versions: [{ ...one!, sha256: "e".repeat(64) }] };
    expect(machine.done("prune_versions", other).kept).toEqual([{ version_id: 1, why: "changed" }]);
  });

  it("C10 a config that is gone, or another tenant's, is not found", () => {
    const id = machine.create("a", 3, { retention: { count: 1 } });
    const payload = machine.pruning(id, [1]);
    const { changes, outcome } = applyCommand({
      state: machine.state,
      command: testCommand("prune_versions", payload, { tenant: "other" }),
      attachments: [],
      index: machine.index + 1,
      prevFeedIndex: machine.index,
      timestampMs: machine.nowMs,
      clusterId: "c1",
      epoch: 1,
    });
    expect([changes, outcome]).toMatchObject([[], { ok: false, code: "not_found" }]);
    machine.done("delete_config", { config_id: id });
    expect(machine.code("prune_versions", payload)).toBe("not_found");
  });
});

describe("C10 what holds a version", () => {
  const stages = [{ name: "s", regions: ["eu"], labels: null, bake_minutes: null }];

  it("C10 a plan that bakes, or is paused, holds its version and the one before it until it ends", () => {
    const id = machine.create("a", 8, { releases: [testRule(2)], retention: { count: 1 } });
    const { publish } = machine.done("start_publish", {
      config_id: id,
      content: null,
      version_id: 4,
      description: "",
      strategy: "staged",
      form: 2,
      stages,
    });
    // The default rule is taken away; only the plan still names what comes back when it is aborted.
    expect(machine.due(id)).toEqual([1, 3, 5, 6, 7]);
    machine.done("pause_publish", {
      publish_id: publish.id,
      expected_stage: 1,
      minutes: 5,
      on_timeout: "abort",
    });
    expect(machine.prune(id, first.slice(0, 7)).kept).toEqual([
      { version_id: 2, why: "rule" },
      { version_id: 4, why: "rule" },
    ]);
    machine.done("abort_publish", { publish_id: publish.id });
    expect(machine.due(id)).toEqual([4]);
  });

  it("C10 a plan holds the version before it also when no rule names that", () => {
    const id = machine.create("a", 5, { releases: [testRule(2)], retention: { count: 1 } });
    const payload = { config_id: id, content: null, version_id: 4, description: "", form: 2 as const };
    const { publish } = machine.done("start_publish", { ...payload, strategy: "staged", stages });
    const config = machine.config(id);
    const releases = config.releases.filter(({ version_id }) => version_id !== 2);
    machine.state.apply([{ op: "put_json", key: stateKey.config(id), value: { ...config, releases } }]);
    expect(publish.previous_version_id).toBe(2);
    expect(machine.prune(id, [1, 2, 3, 4]).kept).toEqual([
      { version_id: 2, why: "publish" },
      { version_id: 4, why: "rule" },
    ]);
  });

  it.each([
    ["put_releases", { releases: [testRule(2, { l: "x" }), testRule(4)] }, [2, 4]],
    ["rollback", { version_id: 3 }, [3]],
    [
      "start_publish",
      { content: null, version_id: 5, description: "", strategy: "all" as const, stages: [] },
      [5],
    ],
    ["delete_config", {}, []],
  ] as const)("C10 an open change request for %s holds what it names, until it ends", (kind, rest, held) => {
    const id = machine.create("a", 8, { retention: { count: 1 } });
    machine.create("b", 8, { retention: { count: 1 } });
    const operation = { kind, payload: { config_id: id, ...rest } } as Parameters<
      typeof machine.done<"request_change">
    >[1]["operation"];
    const { request } = machine.done("request_change", {
      config_id: id,
      config_revision: machine.config(id).revision,
      operation,
      description: "",
    });
    const others = [1, 2, 3, 4, 5, 6, 7].filter((version) => !(held as readonly number[]).includes(version));
    expect(machine.due(id)).toEqual(others);
    const outcome = machine.prune(id, [1, 2, 3, 4, 5, 6, 7]);
    expect(outcome.kept).toEqual(held.map((version_id) => ({ version_id, why: "change_request" })));
    // The request is as good as before: the config's revision is the same.
    expect(machine.config(id).revision).toBe(request.config_revision);
    machine.done("withdraw_change", { change_request_id: request.id, comment: "" });
    expect(machine.due(id)).toEqual(held);
  });

  it("C10 an open change request holds no longer than it could be executed", () => {
    const id = machine.create("a", 3, { retention: { count: 1 } });
    const operation = { kind: "rollback" as const, payload: { config_id: id, version_id: 1 } };
    const config_revision = machine.config(id).revision;
    machine.done("request_change", { config_id: id, config_revision, operation, description: "" });
    machine.nowMs += CHANGE_REQUEST_TTL_MS - 1;
    expect(machine.due(id)).toEqual([2]);
    machine.nowMs += 1;
    expect(machine.due(id)).toEqual([1, 2]);
  });

  it("C10 what a bundle last applied stays while the config has drifted from it", () => {
    const apply = (content: string): void => {
      const entry = { name: "a", format: "json" as const, content, retention: { count: 1 } };
      const { command, attachments } = testBundle("git", [entry], { adopt: true, force: true });
      machine.done("apply_bundle", command.payload, {}, attachments);
    };
    apply("one");
    apply("two");
    const id = "cfg-c1-1-0";
    expect(machine.due(id)).toEqual([1]);
    machine.addVersion(id, "a");
    machine.addVersion(id, "b");
    expect(machine.due(id)).toEqual([1, 3]);
    expect(machine.prune(id, [1, 2, 3]).kept).toEqual([{ version_id: 2, why: "bundle" }]);
    apply("two");
    expect([machine.versions(id), machine.due(id)]).toEqual([
      [2, 4, 5],
      [2, 4],
    ]);
  });
});

describe("C10 days", () => {
  it("C10 are counted from when a version was replaced, by a newer one or by a publish", () => {
    const id = machine.create("a", 1, { releases: [testRule(1)], retention: { days: 2 } });
    machine.nowMs += 100 * DAY_MS;
    machine.addVersion(id, "b");
    machine.done("put_releases", { config_id: id, releases: [] });
    machine.nowMs += 2 * DAY_MS - 1;
    expect(machine.due(id)).toEqual([]);
    machine.nowMs += 1;
    expect(machine.due(id)).toEqual([1]);
    machine.done("put_releases", { config_id: id, releases: [testRule(1)] });
    const publish = { config_id: id, content: null, version_id: 2, description: "", form: 2 as const };
    machine.done("start_publish", { ...publish, strategy: "all", stages: [] });
    machine.nowMs += 2 * DAY_MS - 1;
    expect(machine.prune(id, [1]).kept).toEqual([{ version_id: 1, why: "not_due" }]);
    machine.nowMs += 1;
    expect(machine.prune(id, [1]).removed).toEqual([1]);
  });

  it("C10 a version is removed when it is past both limits, if both are set", () => {
    const id = machine.create("a", 6, { retention: { count: 3, days: 2 } });
    expect(machine.due(id)).toEqual([]);
    machine.nowMs += 2 * DAY_MS;
    expect(machine.due(id)).toEqual([1, 2, 3]);
    machine.keep(id, { count: 5, days: 1 });
    expect(machine.due(id)).toEqual([1]);
    machine.keep(id, { days: 1 });
    expect(machine.due(id)).toEqual([1, 2, 3, 4, 5]);
    machine.keep(id, null);
    expect(machine.due(id)).toEqual([]);
  });
});

describe("C10 R11 the invariants know of removed versions", () => {
  const ranges = (value: unknown): StateChange => ({
    op: "put_json",
    key: stateKey.removedVersions("cfg-c1-1"),
    value: { ranges: value },
  });
  it.each<[string, StateChange, string, boolean]>([
    ["a version lost", { op: "delete", key: stateKey.version("cfg-c1-1", 5) }, "5 of 6 versions", false],
    ["a record lost", { op: "delete", key: stateKey.removedVersions("cfg-c1-1") }, "4 of 6 versions", false],
    ["there and removed", ranges([[1, 3]]), "version 3 is there and removed", false],
    [
      "touching",
      ranges([
        [1, 1],
        [2, 2],
      ]),
      "2-2 are out of order",
      true,
    ],
    ["backwards", ranges([[2, 1]]), "2-1 are out of order", true],
    [
      "the latest",
      ranges([
        [1, 2],
        [6, 6],
      ]),
      "6-6 are out of order, or up to the latest",
      true,
    ],
    [
      "of no config",
      { op: "put_json", key: stateKey.removedVersions("cfg-c1-99"), value: { ranges: [] } },
      "removed-versions/cfg-c1-99 is of no config",
      false,
    ],
  ])("C10 R11 %s", (_name, change, sentence, isSampled) => {
    const id = machine.create("a", 6, { retention: { count: 4 } });
    machine.prune(id, [1, 2]);
    expect(checkInvariants(machine.state)).toEqual([]);
    machine.state.apply([change]);
    expect(checkInvariants(machine.state).join("; ")).toContain(sentence);
    const { wrong } = sampleInvariants(machine.state, { cursor: null, limit: 9 });
    expect(wrong.join("; ").includes(sentence)).toBe(isSampled);
  });
});

describe("C10 R0 the command", () => {
  const payload = {
    config_id: "cfg-1",
    versions: [{ version_id: 1, sha256: "a".repeat(64) }],
    archive: "c1/versions/demo/cfg-1/",
  };
  it("C10 is a core's own, and one that every voter must know", () => {
    const command = testCommand("prune_versions", payload);
    expect(isCoreKind("prune_versions")).toBe(true);
    expect(BASE_COMMAND_KINDS).not.toContain("prune_versions");
    expect(abilitiesNeeded(command)).toEqual(["prune_versions"]);
    expect(parseCommand(command)).toEqual({ ok: true, command });
  });

  it.each([
    { versions: [] },
    { versions: [{ version_id: 0, sha256: "a".repeat(64) }] },
    { versions: [{ version_id: 1, sha256: "a" }] },
    { versions: Array.from({ length: PRUNE_VERSIONS_MAX + 1 }, () => payload.versions[0]) },
    { archive: 1 },
    { force: true },
  ])("C10 no core takes it with %j", (fields) => {
    const command = testCommand("prune_versions", payload);
    expect(parseCommand({ ...command, payload: { ...payload, ...fields } }).ok).toBe(false);
  });
});
