import { describe, expect, it } from "vitest";
import { abilitiesNeeded, BASE_COMMAND_KINDS } from "./command-kinds.ts";
import { parseCommand } from "./command-schema.ts";
import { testCommand, testConfigPayload, testRule } from "./testing-commands.ts";

const condition = { label: "a", op: "in" as const, values: ["x"] };
const conditional = [
  { ...testRule(1), when: [condition] },
  { ...testRule(1), percentage: { by: "user", percent: 1 } },
];

describe("C5 a command with conditions needs voters that know them", () => {
  it.each(conditional)("%j", (rule) => {
    const put = testCommand("put_releases", { config_id: "cfg-1", releases: [testRule(1), rule] });
    const create = testCommand("create_config", testConfigPayload("a", "0".repeat(64), { releases: [rule] }));
    expect(abilitiesNeeded(put)).toEqual(["put_releases", "rule_conditions"]);
    expect(abilitiesNeeded(create)).toEqual(["create_config", "rule_conditions"]);
    expect(parseCommand(put)).toEqual({ ok: true, command: put });
  });

  it("and one without them does not", () => {
    const releases = [testRule(1, { a: "x" }, 0, ["eu"]), { ...testRule(1), when: [] }];
    expect(abilitiesNeeded(testCommand("put_releases", { config_id: "cfg-1", releases }))).toEqual([
      "put_releases",
    ]);
    expect(abilitiesNeeded(testCommand("delete_config", { config_id: "cfg-1" }))).toEqual(["delete_config"]);
  });

  it("K1 a sealed content needs voters that know envelopes", () => {
    const content = {
      attachment: 0,
      sha256: "0".repeat(64),
      sealed: { key_id: "alias/a", content_sha256: "1".repeat(64) },
    };
    const create = testCommand(
      "create_config",
      testConfigPayload("a", content.sha256, { content, encrypted: true }),
    );
    expect(abilitiesNeeded(create)).toEqual(["create_config", "sealed_content"]);
    expect(parseCommand(create)).toEqual({ ok: true, command: create });
    const rest = { format: null, schema: null, description: "" };
    const version = testCommand("create_version", { config_id: "cfg-1", content, ...rest });
    expect(abilitiesNeeded(version)).toEqual(["create_version", "sealed_content"]);
    expect(BASE_COMMAND_KINDS).not.toContain("rewrap_keys");
  });

  it.each([
    { when: [{ label: "a", op: "equals", values: [] }] },
    { when: [{ ...condition, values: [1] }] },
    { when: [{ ...condition, negate: true }] },
    { percentage: { by: "user", percent: "1" } },
    { percentage: { by: "user", percent: 1, of: "all" } },
  ])("no core takes %j", (fields) => {
    const command = testCommand("put_releases", { config_id: "cfg-1", releases: [testRule(1)] });
    const broken = { ...command, payload: { ...command.payload, releases: [{ ...testRule(1), ...fields }] } };
    expect(parseCommand(broken).ok).toBe(false);
  });
});

describe("A6 a command with a limit of configs needs voters that count them", () => {
  it("also beside conditions, and not without the limit", () => {
    const limited = { max_configs: 3, releases: [{ ...testRule(1), when: [condition] }] };
    const create = testCommand("create_config", testConfigPayload("a", "0".repeat(64), limited));
    expect(abilitiesNeeded(create)).toEqual(["create_config", "rule_conditions", "config_limit"]);
    expect(parseCommand(create)).toEqual({ ok: true, command: create });
    expect(abilitiesNeeded(testCommand("create_config", testConfigPayload("a", "0".repeat(64))))).toEqual([
      "create_config",
    ]);
  });

  it.each([-1, 0.5, "3", null])("no core takes the limit %j", (max) => {
    const create = testCommand("create_config", testConfigPayload("a", "0".repeat(64)));
    expect(parseCommand({ ...create, payload: { ...create.payload, max_configs: max } }).ok).toBe(false);
  });
});

describe("C7 P5 plans of several stages need voters that know them", () => {
  const stage = { name: "s", regions: ["eu"], labels: null, bake_minutes: null };
  const old = {
    config_id: "cfg-1",
    content: null,
    version_id: 1,
    description: "",
    strategy: "staged" as const,
    stages: [stage],
  };
  const share = { ...stage, percentage: { by: "user", percent: 1 } };

  it.each([
    [old, ["start_publish"]],
    [{ ...old, form: 2 as const }, ["start_publish", "publish_stages"]],
    [{ ...old, abort_plan: false }, ["start_publish", "publish_stages"]],
    [{ ...old, form: 2 as const, stages: [share] }, ["start_publish", "rule_conditions", "publish_stages"]],
  ])("%#", (payload, needed) => {
    const start = testCommand("start_publish", payload);
    expect(abilitiesNeeded(start)).toEqual(needed);
    expect(parseCommand(start)).toEqual({ ok: true, command: start });
  });

  it("and so do pauses, which are kinds of their own", () => {
    for (const kind of ["pause_publish", "resume_publish", "end_pause"] as const) {
      expect(BASE_COMMAND_KINDS).not.toContain(kind);
    }
    const ended = testCommand("end_pause", { publish_id: "pub-1", paused_at_ms: 5 });
    expect(parseCommand(ended)).toEqual({ ok: true, command: ended });
  });

  it.each([{ form: 1 }, { abort_plan: "yes" }, { stages: [{ ...stage, percentage: 5 }] }])(
    "no core takes %j",
    (fields) => {
      const start = testCommand("start_publish", old);
      expect(parseCommand({ ...start, payload: { ...old, ...fields } }).ok).toBe(false);
    },
  );
});

describe("C14 a change request needs voters that know what it asks for", () => {
  const releases = [{ ...testRule(1), when: [condition] }];
  const operation = { kind: "put_releases" as const, payload: { config_id: "cfg-1", releases } };
  const asked = { config_id: "cfg-1", config_revision: 1, operation, description: "" };

  it("also when it is executed much later, and those that know of a reason to pass a freeze", () => {
    const request = testCommand("request_change", asked);
    expect(parseCommand(request)).toEqual({ ok: true, command: request });
    expect(abilitiesNeeded(request)).toEqual(["request_change", "put_releases", "rule_conditions"]);
    const pass = testCommand("rollback", { config_id: "cfg-1", version_id: 1 }, { break_glass: "why" });
    expect(parseCommand(pass)).toEqual({ ok: true, command: pass });
    expect(abilitiesNeeded(pass)).toEqual(["rollback", "break_glass"]);
  });

  it.each([
    { kind: "revoke_token", payload: { jti: "a", expires_at_ms: 1 } },
    { kind: "put_releases", payload: { config_id: "cfg-1", releases: [], more: 1 } },
    { kind: "put_releases", payload: { config_id: "cfg-1" } },
  ])("no core takes one for %j", (wrong) => {
    const request = testCommand("request_change", asked);
    const broken = { ...request, payload: { ...request.payload, operation: wrong } };
    const parsed = parseCommand(broken);
    expect(parsed).toMatchObject({ ok: false });
    expect(parsed.ok ? [] : parsed.errors.map(({ path }) => path)).toContainEqual(
      expect.stringMatching(/^\/payload\/operation/),
    );
  });
});
