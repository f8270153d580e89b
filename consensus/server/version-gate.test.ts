import { describe, expect, it } from "vitest";
import { COMMAND_KINDS } from "../../domain/command/apply-command.ts";
import { BASE_COMMAND_KINDS } from "../../domain/command/command-kinds.ts";
import type { ReplicatedLogStatus } from "../replicated-log.ts";
import { OWN_ABILITIES, readsSnapshots } from "./own-abilities.ts";
import type { PeerAbilities } from "./peer-knowledge.ts";
import { requireSupported } from "./version-gate.ts";

const status = (changes: Partial<ReplicatedLogStatus> & { voters?: number[]; learners?: number[] } = {}) => {
  const { voters = [1, 2, 3], learners = [], ...rest } = changes;
  const member = (voter: boolean) => (nodeId: number) => ({ nodeId, matchIndex: 0, voter, active: true });
  return {
    nodeId: 1,
    role: "leader" as const,
    leaderId: 1,
    term: 1,
    commitIndex: 0,
    appliedIndex: 0,
    lastIndex: 0,
    firstIndex: 1,
    ...rest,
    members: [...voters.map(member(true)), ...learners.map(member(false))],
  };
};
const able = (build: string, ...commandKinds: string[]): PeerAbilities => ({
  build,
  commandKinds: [...BASE_COMMAND_KINDS, ...commandKinds],
  snapshotFormats: [1],
});
const ask = (
  kind: string,
  known: Record<number, PeerAbilities>,
  changes: Parameters<typeof status>[0] = {},
): string => {
  try {
    requireSupported(kind, () => status(changes), { abilitiesOf: (id) => known[id] ?? null });
    return "taken";
  } catch (error) {
    const { code, message, retryAfterS } = error as { code: string; message: string; retryAfterS: number };
    return `${code} after ${retryAfterS}: ${message}`;
  }
};

describe("a new kind of command is proposed only when every voter supports it", () => {
  it.each(BASE_COMMAND_KINDS)(
    "the first release's %s is taken of a cluster that said nothing yet",
    (kind) => {
      expect(ask(kind, {})).toBe("taken");
      expect(COMMAND_KINDS).toContain(kind);
    },
  );

  it("a newer one is refused in a mixed cluster, naming who does not understand it", () => {
    expect(ask("paint", { 2: able("2.0", "paint"), 3: able("1.0") })).toBe(
      "upgrade_in_progress after 5: paint is not taken yet: node 3 (build 1.0) is not known to understand it",
    );
    expect(ask("paint", { 2: able("2.0", "paint") })).toContain("node 3 (not heard of yet)");
  });

  it("and taken once all have said so, learners and members of the past aside", () => {
    const known = { 2: able("2.0", "paint"), 3: able("2.0", "paint"), 4: able("1.0") };
    expect(ask("paint", known)).toBe("taken");
    expect(ask("paint", known, { learners: [4, 5] })).toBe("taken");
    expect(ask("paint", known, { voters: [1, 2, 3, 4] })).toContain("node 4 (build 1.0)");
  });

  it("a node that is alone, or that does not lead, refuses nothing", () => {
    expect(ask("paint", {}, { voters: [1] })).toBe("taken");
    expect(ask("paint", {}, { role: "follower" })).toBe("taken");
  });
});

describe("R4 a snapshot is offered only in a format that the member reads", () => {
  it("the first one to anybody, a newer one to who has said so", () => {
    expect(readsSnapshots(null, 1)).toBe(true);
    expect(readsSnapshots(null, 2)).toBe(false);
    expect(readsSnapshots(OWN_ABILITIES, OWN_ABILITIES.snapshotFormats[0]!)).toBe(true);
    expect(readsSnapshots(able("1.0"), 2)).toBe(false);
  });
});
