import * as fc from "fast-check";
import { expect, it } from "vitest";
import { applyCommand } from "../command/apply-command.ts";
import { checkInvariants } from "../command/check-invariants.ts";
import { BASE_COMMAND_KINDS, abilitiesNeeded } from "../command/command-kinds.ts";
import { parseCommand } from "../command/command-schema.ts";
import { MemoryState } from "../command/memory-state.ts";
import { testCommand } from "../command/testing-commands.ts";
import { AUDIT_ANCHORS_MAX } from "../limits.ts";
import { readAuditAnchors } from "./anchor-audit.ts";

const hash = (digit: string): string => digit.repeat(64);

it("A5 any sequence of anchors leaves an ascending list of the newest ones, and no feed entry", () => {
  const step = fc.record({
    tenant: fc.constantFrom("a", "_system"),
    seq: fc.integer({ min: 1, max: 40 }),
    digit: fc.constantFrom("0", "f"),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const state = new MemoryState();
      const model = new Map<string, { seq: number; hash: string }[]>();
      for (const [i, { tenant, seq, digit }] of steps.entries()) {
        const command = testCommand("anchor_audit", { seq, hash: hash(digit) }, { tenant });
        const where = { index: i + 1, prevFeedIndex: 0, timestampMs: i, clusterId: "c1", epoch: 1 };
        const { changes, feedEntry, outcome } = applyCommand({ state, command, attachments: [], ...where });
        state.apply(changes);
        expect(feedEntry).toBeNull();
        const have = model.get(tenant) ?? [];
        const newest = have.at(-1);
        const isSame = newest?.seq === seq && newest.hash === hash(digit);
        const isNewer = newest === undefined || seq > newest.seq;
        expect(outcome).toMatchObject(isSame || isNewer ? { ok: true } : { ok: false, code: "conflict" });
        if (isNewer) model.set(tenant, [...have, { seq, hash: hash(digit) }].slice(-AUDIT_ANCHORS_MAX));
        expect(checkInvariants(state)).toEqual([]);
        const kept = readAuditAnchors(state, tenant).map((anchor) => ({
          seq: anchor.seq,
          hash: anchor.hash,
        }));
        expect(kept).toEqual(model.get(tenant) ?? []);
      }
    }),
  );
});

it("A5 an anchor is proposed only when every voter knows the kind", () => {
  const command = testCommand("anchor_audit", { seq: 1, hash: hash("a") });
  expect(abilitiesNeeded(command)).toEqual(["anchor_audit"]);
  expect(BASE_COMMAND_KINDS).not.toContain("anchor_audit");
  expect(parseCommand(command)).toEqual({ ok: true, command });
});

it.each([
  { seq: 0, hash: hash("a") },
  { seq: 1.5, hash: hash("a") },
  { seq: 1, hash: hash("A") },
  { seq: 1, hash: "a" },
])("A5 no core takes the anchor %j", (payload) => {
  expect(parseCommand({ ...testCommand("anchor_audit", { seq: 1, hash: hash("a") }), payload }).ok).toBe(
    false,
  );
});

it("A5 the invariants name anchors that do not ascend", () => {
  const state = new MemoryState();
  const at = (seq: number) => ({ seq, hash: hash("a"), index: seq, timestamp_ms: 0 });
  state.apply([{ op: "put_json", key: "a/demo", value: [at(5), at(4)] }]);
  expect(checkInvariants(state)).toEqual(["a/demo: anchor 4 follows 5"]);
});
