import { describe, expect, it } from "vitest";
import { applyCommand } from "../command/apply-command.ts";
import { checkInvariants } from "../command/check-invariants.ts";
import { abilitiesNeeded, BASE_COMMAND_KINDS } from "../command/command-kinds.ts";
import { parseCommand } from "../command/command-schema.ts";
import type { Command } from "../command/command.ts";
import { MemoryState } from "../command/memory-state.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand, testConfigPayload } from "../command/testing-commands.ts";
import type { Config, ConfigVersion } from "../config/config.ts";
import { GRAY_APP } from "./gray-kind.ts";

const ID = "cfg-c1-1";
const namespace = { tenant: "demo", app: GRAY_APP, env: "data-source" };
const hash = (char: string): string => char.repeat(64);

/** A typed config whose version 1 is a draft; every command is followed by the invariants. */
function machine(more: Parameters<typeof testConfigPayload>[2] = {}) {
  const state = new MemoryState();
  const at = { index: 0 };
  const apply = (command: Command) => {
    at.index += 1;
    const bytes = new Uint8Array(3).fill(at.index);
    const applied = applyCommand({
      state,
      command,
      attachments: [bytes],
      index: at.index,
      prevFeedIndex: at.index - 1,
      timestampMs: 1000 * at.index,
      clusterId: "c1",
      epoch: 1,
    });
    state.apply(applied.changes);
    expect(checkInvariants(state)).toEqual([]);
    return applied;
  };
  apply(testCommand("create_config", testConfigPayload("pop", hash("a"), { namespace, ...more })));
  return {
    apply,
    codeOf: (command: Command): string => {
      const { outcome } = apply(command);
      return outcome.ok ? "accepted" : outcome.code;
    },
    config: () => state.json(stateKey.config(ID)) as Config,
    version: (id: number) => state.json(stateKey.version(ID, id)) as ConfigVersion | undefined,
    hasBlob: (char: string) => state.hasKey(stateKey.blob("demo", hash(char))),
  };
}
const write = (char: string, more: Partial<Command> = {}): Command =>
  testCommand(
    "write_draft",
    { config_id: ID, content: { attachment: 0, sha256: hash(char) }, description: "" },
    more as object,
  );
const publish = (version_id: number): Command =>
  testCommand("start_publish", {
    config_id: ID,
    content: null,
    version_id,
    description: "",
    strategy: "staged",
    form: 2,
    stages: [{ name: "s", regions: ["cn-chengdu"], labels: null, bake_minutes: null }],
  });

describe("P1 write_draft", () => {
  it("edits the draft in its place: the same version, other bytes, and the old ones go", () => {
    const { apply, version, config, hasBlob } = machine();
    const { outcome, feedEntry } = apply(write("b"));
    expect(outcome).toMatchObject({ ok: true, result: { version: { version_id: 1, sha256: hash("b") } } });
    expect(version(1)).toMatchObject({ created_at_ms: 1000, edited_at_ms: 2000, sha256: hash("b") });
    expect(config()).toMatchObject({ latest_version_id: 1, revision: 2 });
    expect([hasBlob("a"), hasBlob("b"), version(2)]).toEqual([false, true, undefined]);
    expect(feedEntry?.events).toMatchObject([{ type: "config_changed", latest_version_id: 1, variants: [] }]);
    expect(feedEntry?.audit).toMatchObject({ action: "write", resource: "demo/gray/data-source/pop" });
    apply(write("b"));
    expect([hasBlob("b"), version(1)?.edited_at_ms]).toEqual([true, 3000]);
  });

  it("makes the next version once a plan has named the latest, whatever became of the plan", () => {
    const { apply, version, codeOf, config } = machine();
    expect(codeOf(publish(1))).toBe("accepted");
    apply(write("b"));
    expect([version(1)?.sha256, version(2)?.sha256]).toEqual([hash("a"), hash("b")]);
    // The second is a draft beside the first in its stage.
    apply(write("c"));
    expect([config().latest_version_id, version(2)?.sha256]).toEqual([2, hash("c")]);
    expect(codeOf(testCommand("abort_publish", { publish_id: "pub-c1-1-2" }))).toBe("accepted");
    expect(codeOf(publish(2))).toBe("accepted");
    const { outcome } = apply(write("d"));
    expect(outcome).toMatchObject({ ok: true, result: { version: { version_id: 3 } } });
    expect(version(2)).toMatchObject({ sha256: hash("c"), edited_at_ms: 4000 });
  });

  it.each([
    [
      "another kind of config",
      machine({ namespace: { ...namespace, app: "shop" } }),
      write("b"),
      "invalid_transition",
    ],
    [
      "another environment",
      machine({ namespace: { ...namespace, env: "prod" } }),
      write("b"),
      "invalid_transition",
    ],
    ["another revision", machine(), write("b", { expected_revision: 9 }), "precondition_failed"],
    ["another tenant", machine(), write("b", { tenant: "other" }), "not_found"],
  ])("is refused for %s", (_name, { codeOf, version }, command, code) => {
    expect(codeOf(command)).toBe(code);
    expect(version(1)?.sha256).toBe(hash("a"));
  });

  it("is answered again under its idempotency key, though the draft it made was published since", () => {
    const { apply, version } = machine();
    const key = { idempotency: { scope: "s", digest: "d" } };
    const first = apply(write("b", key)).outcome;
    apply(publish(1));
    expect(apply(write("c", key)).outcome).toEqual({ ...first, replayed: true });
    expect(version(2)).toBe(undefined);
  });

  it("C14 needs approval where versions do", () => {
    const { codeOf } = machine();
    const policy = { namespaces: "demo/gray/*", approvals_required: 1, applies_to: ["versions" as const] };
    const rules = testCommand("set_change_rules", { approvals: [policy], freezes: [] });
    expect(codeOf(rules)).toBe("accepted");
    expect(codeOf(write("b"))).toBe("approval_required");
  });

  it("is newer than the first release: proposed once every voter knows it", () => {
    expect(BASE_COMMAND_KINDS).not.toContain("write_draft");
    expect(abilitiesNeeded(write("b"))).toEqual(["write_draft"]);
    const command = write("b");
    expect(parseCommand(command)).toEqual({ ok: true, command });
    expect(parseCommand({ ...command, payload: { ...command.payload, version_id: 1 } }).ok).toBe(false);
  });
});
