import type { PublishGatePort } from "../../contracts/publish/publish-gate-port.ts";
import { type ApprovalGate, approvalOutcome } from "../../domain/publish/publish-gate.ts";

/** Counts the approvals that the plan has; the log counts them again when the stage is left. */
export function createApprovalGate(): PublishGatePort<ApprovalGate> {
  return { check: async ({ gate, stage }) => approvalOutcome(gate, stage) };
}
