import { GATE_REASON_CHARACTERS_MAX } from "../../domain/limits.ts";
import type { GateOutcome, GateType, PublishGate } from "../../domain/publish/publish-gate.ts";
import type { PublishPlan, PublishStage } from "../../domain/publish/publish-plan.ts";

/** A gate of the stage that a plan is in. */
export interface GateQuestion<G extends PublishGate = PublishGate> {
  plan: PublishPlan;
  stage: PublishStage;
  gate: G;
}

/**
 * Says what a gate says now. Asking changes nothing and may be repeated. `fails` is only what the gate itself says: a
 * dependency that is away, slow or talks nonsense makes it wait, with the reason, so that nobody's outage takes a version
 * back. One port, an implementation for each kind of gate and one in memory, one conformance suite.
 */
export interface PublishGatePort<G extends PublishGate = PublishGate> {
  check(question: GateQuestion<G>): Promise<GateOutcome>;
}

/** One for each kind of gate. */
export type PublishGatePorts = {
  [T in GateType]: PublishGatePort<Extract<PublishGate, { type: T }>>;
};

/** A reason as outcomes carry it: one line, of at most GATE_REASON_CHARACTERS_MAX. */
export function gateReason(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return line.toWellFormed().slice(0, GATE_REASON_CHARACTERS_MAX).toWellFormed();
}
