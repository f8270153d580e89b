import type { Actor } from "../command/actor.ts";

export const GATE_TYPES = ["webhook", "approval", "delivery_reports"] as const;
export type GateType = (typeof GATE_TYPES)[number];

/** What a gate that fails does to its plan. */
export const GATE_FAILURES = ["pause", "abort"] as const;
export type GateFailure = (typeof GATE_FAILURES)[number];

/** Asks a service of the tenant, signed with a secret that both know. */
export interface WebhookGate {
  type: "webhook";
  url: string;
  /** As `adapters/publish-gate/gate-secret.ts` has sealed it: no plaintext enters the log. */
  secret: string;
  on_fail: GateFailure;
}
/** Waits for people other than the plan's creator. It never fails: who is against it aborts the plan. */
export interface ApprovalGate {
  type: "approval";
  approvers: number;
}
/** Looks at what clients say of the version (`domain/delivery`). */
export interface DeliveryReportsGate {
  type: "delivery_reports";
  /** Percentage points by which errors may be more frequent with the version than without it. */
  max_error_percent: number;
  /** Clients that must have said something of the version before it counts. */
  sample_min: number;
  on_fail: GateFailure;
}
/** What must hold before a stage is left, besides its bake time. */
export type PublishGate = WebhookGate | ApprovalGate | DeliveryReportsGate;

export const GATE_VERDICTS = ["holds", "waits", "fails"] as const;
/** What a gate says now. Only what does not hold has a reason, of up to GATE_REASON_CHARACTERS_MAX. */
export type GateOutcome = { verdict: "holds" } | { verdict: "waits" | "fails"; reason: string };

export interface StageApproval {
  by: Actor;
  at_ms: number;
  comment: string;
}
/** Word of a person who let a stage go on without its gates. */
export interface GatesSkipped {
  by: Actor;
  at_ms: number;
  reason: string;
}

/** The gates of a stage, and all that has been said of them. */
export interface GatedStage {
  /** What must hold, besides the bake time, before the plan goes on by itself; left out: nothing. */
  gates?: PublishGate[] | undefined;
  /** What the gates said when it was last written down, in their order; left out: never. */
  gate_outcomes?: GateOutcome[] | undefined;
  approvals?: StageApproval[] | undefined;
  /** The stage goes on without its gates. */
  gates_skipped?: GatesSkipped | undefined;
}

/** The gates that still count for a stage: none once a person has let it go on without them. */
export function openGates(stage: GatedStage | undefined): readonly PublishGate[] {
  return stage?.gates_skipped === undefined ? (stage?.gates ?? []) : [];
}

/** What an approval gate says, by the approvals that the log has. */
export function approvalOutcome({ approvers }: ApprovalGate, stage: GatedStage): GateOutcome {
  const have = stage.approvals?.length ?? 0;
  if (have >= approvers) return { verdict: "holds" };
  return { verdict: "waits", reason: `${have} of ${approvers} approvals` };
}

/**
 * What the open gates of a stage say as far as the log knows, in their order: approvals as they are counted in it, the
 * others as `reported` (by default the last report that was written down); what nobody has asked waits.
 */
export function knownOutcomes(stage: GatedStage, reported = stage.gate_outcomes): GateOutcome[] {
  return openGates(stage).map((gate, i) => {
    if (gate.type === "approval") return approvalOutcome(gate, stage);
    return reported?.[i] ?? { verdict: "waits", reason: "not asked yet" };
  });
}

/** The gates that do not hold, in words; empty when all hold. */
export function sayOutcomes(gates: readonly PublishGate[], outcomes: readonly GateOutcome[]): string {
  return outcomes
    .flatMap((outcome, i) =>
      outcome.verdict === "holds" ? [] : [`${gates[i]?.type} ${outcome.verdict} (${outcome.reason})`],
    )
    .join("; ");
}

/** The first gate that fails, of those that abort when there is one: what the plan is stopped by. */
export function findFailed(
  gates: readonly PublishGate[],
  outcomes: readonly GateOutcome[],
): { gate: Exclude<PublishGate, ApprovalGate>; reason: string } | null {
  const failed = gates.flatMap((gate, i) => {
    const outcome = outcomes[i];
    return outcome?.verdict === "fails" && gate.type !== "approval" ? [{ gate, reason: outcome.reason }] : [];
  });
  return failed.find(({ gate }) => gate.on_fail === "abort") ?? failed[0] ?? null;
}
