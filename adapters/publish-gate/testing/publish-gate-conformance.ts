import { describe, expect, it } from "vitest";
import type { GateQuestion, PublishGatePort } from "../../../contracts/publish/publish-gate-port.ts";
import { GATE_REASON_CHARACTERS_MAX } from "../../../domain/limits.ts";
import type { GateOutcome, PublishGate } from "../../../domain/publish/publish-gate.ts";
import type { PublishPlan, PublishStage } from "../../../domain/publish/publish-plan.ts";

/** A plan in the first of two stages, which has one gate. */
export function gateQuestion<G extends PublishGate>(
  gate: G,
  changes: Partial<PublishStage> = {},
): GateQuestion<G> {
  const stage: PublishStage = {
    name: "first",
    regions: ["eu"],
    labels: null,
    bake_minutes: 5,
    started_at_ms: 1000,
    gates: [gate],
    ...changes,
  };
  const plan: PublishPlan = {
    id: "pub-c1-1-2",
    config_id: "cfg-c1-1",
    namespace: { tenant: "demo", app: "shop", env: "prod" },
    name: "app.json",
    version_id: 2,
    previous_version_id: 1,
    description: "",
    strategy: "staged",
    form: 2,
    state: "baking",
    stages: [stage, { ...stage, name: "second", started_at_ms: null }],
    stage: 1,
    creator: "ada",
    creator_id: "u-1",
    created_at_ms: 1000,
    updated_at_ms: 1000,
    ended_at_ms: null,
    revision: 2,
  };
  return { plan, stage, gate };
}

/** A gate with a way to bring it to each verdict; null for one that it cannot come to. */
export interface GateUnderTest<G extends PublishGate> {
  port: PublishGatePort<G>;
  /** Makes the world such that the gate says so, and answers what to ask it. */
  bringTo: Record<GateOutcome["verdict"], (() => Promise<GateQuestion<G>>) | null>;
  /** Takes away what the gate depends on; null when that is nothing. */
  cutOff: (() => Promise<GateQuestion<G>>) | null;
}

/** What every `PublishGatePort` promises. */
export function publishGateConformance<G extends PublishGate>(make: () => Promise<GateUnderTest<G>>): void {
  describe("a gate", () => {
    it.each(["holds", "waits", "fails"] as const)(
      "P4 P5 says %s, as often as it is asked, with a reason that fits",
      async (verdict) => {
        const { port, bringTo } = await make();
        const bring = bringTo[verdict];
        if (bring === null) return expect(verdict).toBe("fails");
        const question = await bring();
        const before = structuredClone(question);
        const outcome = await port.check(question);
        expect(outcome.verdict).toBe(verdict);
        const reason = outcome.verdict === "holds" ? "none" : outcome.reason;
        expect(reason).toMatch(/^[^\p{Cc}]+$/u);
        expect(reason.length).toBeLessThanOrEqual(GATE_REASON_CHARACTERS_MAX);
        expect(await port.check(question)).toEqual(outcome);
        expect(question).toEqual(before);
      },
    );

    it("P5 waits, and neither fails nor rejects, while what it depends on is away", async () => {
      const { port, cutOff } = await make();
      if (cutOff === null) return;
      expect(await port.check(await cutOff())).toMatchObject({
        verdict: "waits",
        reason: expect.stringMatching(/./) as string,
      });
    });
  });
}
