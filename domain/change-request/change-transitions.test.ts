import { describe, expect, it } from "vitest";
import { sha256Hex } from "../sha256.ts";
import { testConfigPayload, testRule } from "../command/testing-commands.ts";
import { CHANGE_REQUEST_TTL_MS } from "../limits.ts";
import { CHANGE_MOVES, CHANGE_REQUEST_STATES, type ChangeMove, moveChange } from "./change-transitions.ts";
import { TestingChanges } from "./testing-changes.ts";

/** What every move makes of every state; null: refused. */
const TABLE = [
  ["open", "edit", "open"],
  ["open", "approve", "open"],
  ["open", "execute", "executed"],
  ["open", "reject", "rejected"],
  ["open", "withdraw", "withdrawn"],
  ["open", "expire", "expired"],
  ...(["executed", "rejected", "withdrawn", "expired"] as const).flatMap((state) =>
    CHANGE_MOVES.map((move) => [state, move, null] as const),
  ),
] as const;

/** A config whose rules are asked to change, and the request, brought to a state. */
function at(stands: (typeof CHANGE_REQUEST_STATES)[number]) {
  const t = new TestingChanges();
  const sha = sha256Hex(new Uint8Array([1]));
  const { config } = t.done("create_config", testConfigPayload("a", sha));
  const asked = {
    config_id: config.id,
    config_revision: config.revision,
    operation: {
      kind: "create_version" as const,
      payload: {
        config_id: config.id,
        content: { attachment: 0, sha256: sha256Hex(new Uint8Array([2])) },
        format: null,
        schema: null,
        description: "",
      },
    },
    description: "",
  };
  const { request } = t.done("request_change", asked, {}, [new Uint8Array([2])]);
  const to = { change_request_id: request.id };
  const moves: Record<ChangeMove, () => string> = {
    edit: () => t.code("edit_change", { ...to, ...asked }, {}, [new Uint8Array([2])]),
    approve: () => t.code("approve_change", { ...to, digest: request.digest, comment: "" }, { by: "bob" }),
    execute: () => t.code("execute_change", { ...to, digest: request.digest }),
    reject: () => t.code("reject_change", { ...to, comment: "" }, { by: "bob" }),
    withdraw: () => t.code("withdraw_change", { ...to, comment: "" }),
    expire: () => {
      t.nowMs += CHANGE_REQUEST_TTL_MS;
      const { revision } = t.config(config.id);
      return t.code("request_change", {
        ...asked,
        config_revision: revision,
        operation: { kind: "put_releases", payload: { config_id: config.id, releases: [testRule(1)] } },
      });
    },
  };
  const way = CHANGE_MOVES.find((move) => moveChange("open", move) === stands);
  if (stands !== "open" && way !== undefined) expect(moves[way]()).toBe("ok");
  const stateOf = (): string => (t.state.json(`change-request/${request.id}`) as { state: string }).state;
  expect(stateOf()).toBe(stands);
  return { moves, stateOf };
}

describe("C14 the states of a change request", () => {
  it("has every state with every move", () => {
    expect(TABLE).toHaveLength(CHANGE_REQUEST_STATES.length * CHANGE_MOVES.length);
  });

  it.each(TABLE)("%s by %s comes to %s", (from, move, to) => {
    expect(moveChange(from, move)).toBe(to);
    const { moves, stateOf } = at(from);
    const code = moves[move]();
    // Time passes for those that have ended, too, and does nothing to them.
    if (to !== null || move === "expire") expect(code).toBe("ok");
    else expect(code).toBe("invalid_transition");
    expect(stateOf()).toBe(to ?? from);
  });
});
