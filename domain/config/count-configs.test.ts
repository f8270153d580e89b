import { describe, expect, it } from "vitest";
import { applyCommand } from "../command/apply-command.ts";
import { checkInvariants } from "../command/check-invariants.ts";
import type { Command } from "../command/command.ts";
import { MemoryState } from "../command/memory-state.ts";
import { stateKey } from "../command/state-view.ts";
import { testCommand, testConfigPayload } from "../command/testing-commands.ts";

/** A state to which commands are applied one after the other. */
function machine() {
  const state = new MemoryState();
  let index = 0;
  function apply(command: Command) {
    index += 1;
    const { changes, outcome } = applyCommand({
      state,
      command,
      attachments: [new Uint8Array([1])],
      index,
      prevFeedIndex: 0,
      timestampMs: index,
      clusterId: "c1",
      epoch: 1,
    });
    state.apply(changes);
    expect(checkInvariants(state)).toEqual([]);
    return outcome;
  }
  const create = (name: string, max?: number, tenant = "demo", key?: string) =>
    apply(
      testCommand(
        "create_config",
        testConfigPayload(name, "0".repeat(64), {
          namespace: { tenant, app: "shop", env: "prod" },
          ...(max === undefined ? {} : { max_configs: max }),
        }),
        { tenant, idempotency: key === undefined ? null : { scope: key, digest: name } },
      ),
    );
  const remove = (id: string) => apply(testCommand("delete_config", { config_id: id }));
  const count = (tenant = "demo") => state.json(stateKey.configCount(tenant));
  return { state, create, remove, count };
}

describe("A6 max_configs", () => {
  it("is the number of configs that a tenant can have, and a deleted one makes room", () => {
    const { create, remove, count } = machine();
    expect(create("a", 2).ok).toBe(true);
    expect(create("b", 2).ok).toBe(true);
    expect(create("c", 2)).toMatchObject({ ok: false, code: "quota_exceeded" });
    expect(count()).toBe(2);
    expect(remove("cfg-c1-1").ok).toBe(true);
    expect(create("c", 2).ok).toBe(true);
    expect(create("d", 2)).toMatchObject({ ok: false, code: "quota_exceeded" });
  });

  it("counts a state from before the first limit once, and every config from then on", () => {
    const { create, remove, count } = machine();
    for (const name of ["a", "b", "c"]) expect(create(name).ok).toBe(true);
    remove("cfg-c1-3");
    expect(count()).toBeUndefined();
    expect(create("d", 2)).toMatchObject({ ok: false, code: "quota_exceeded" });
    // A refusal writes nothing.
    expect(count()).toBeUndefined();
    expect(create("d", 3).ok).toBe(true);
    expect(count()).toBe(3);
    expect(create("e").ok).toBe(true);
    expect(count()).toBe(4);
  });

  it("counts each tenant by itself, also one whose name begins like another's", () => {
    const { create, count } = machine();
    expect(create("a", 1, "demo").ok).toBe(true);
    expect(create("a", 1, "demo-2").ok).toBe(true);
    expect(create("a", 1, "dem").ok).toBe(true);
    expect([count("demo"), count("demo-2"), count("dem")]).toEqual([1, 1, 1]);
    expect(create("b", 0, "none")).toMatchObject({ ok: false, code: "quota_exceeded" });
  });

  it("a lowered limit takes nothing away, and a repetition gets its first answer", () => {
    const { create } = machine();
    expect(create("a", 5, "demo", "k1").ok).toBe(true);
    expect(create("b", 5).ok).toBe(true);
    expect(create("a", 1, "demo", "k1")).toMatchObject({ ok: true, replayed: true });
    expect(create("c", 1)).toMatchObject({ ok: false, code: "quota_exceeded" });
  });
});
