import type { Context } from "hono";
import type { z } from "zod";
import type { skipGatesQuery, skipGatesRequest } from "../../contracts/publish/publish-gate-schemas.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { fullName } from "../../domain/config/config-name.ts";
import { approvalOutcome, openGates } from "../../domain/publish/publish-gate.ts";
import { currentStage, type PublishPlan } from "../../domain/publish/publish-plan.ts";
import type { PublishForMove } from "./find-publish.ts";
import type { AdminEnv } from "./principal.ts";
import { requirePermission } from "./require-permission.ts";

/**
 * Why a stage is to go on without its gates; null when nobody asks for that. Refuses (`forbidden`) a caller who may not
 * approve changes of the config: else who publishes would pass the word of others; the plan's creator while the stage waits
 * for approvals: else they would approve a publish of their own; and (`validation_failed`) a reason without the wish, or a
 * wish without a reason.
 */
export async function skipGates(
  c: Context<AdminEnv>,
  { namespace, name, live }: Pick<PublishForMove, "namespace" | "name" | "live">,
  { skip_gates, reason }: z.output<typeof skipGatesQuery> & z.output<typeof skipGatesRequest>,
): Promise<string | null> {
  const isAsked = skip_gates === "true";
  if (isAsked !== (reason !== undefined)) {
    const message = isAsked ? "skip_gates=true needs a reason" : "only with skip_gates=true";
    throw new ConfluxError("validation_failed", message, { errors: [{ path: "/reason", message }] });
  }
  if (reason === undefined) return null;
  await requirePermission(c, "approve", fullName(namespace, name));
  if (live !== null && live.creator_id === c.var.principal.actor.id && waitsForApprovals(live)) {
    throw new ConfluxError(
      "forbidden",
      "The stage waits for people other than the publish's creator: one of them may let it go on without its gates",
    );
  }
  return reason;
}

function waitsForApprovals(plan: PublishPlan): boolean {
  const stage = currentStage(plan);
  return openGates(stage).some(
    (gate) =>
      gate.type === "approval" && stage !== undefined && approvalOutcome(gate, stage).verdict !== "holds",
  );
}
