import type { Context } from "hono";
import type { z } from "zod";
import type { skipGatesQuery, skipGatesRequest } from "../../contracts/publish/publish-gate-schemas.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { fullName } from "../../domain/config/config-name.ts";
import { approvalOutcome, openGates } from "../../domain/publish/publish-gate.ts";
import { isRunning, type PublishPlan } from "../../domain/publish/publish-plan.ts";
import type { PublishForMove } from "./find-publish.ts";
import type { AdminEnv } from "./principal.ts";
import { requirePermission } from "./require-permission.ts";

/**
 * Why `stage` is to go on without its gates; null when nobody asks for that. Refuses (`forbidden`) a caller who may not
 * approve changes of the config: else who publishes would pass the word of others; the plan's creator while the stage waits
 * for approvals: else they would approve a publish of their own; and (`validation_failed`) a reason without the wish, or a
 * wish without a reason.
 */
export async function skipGates(
  c: Context<AdminEnv>,
  { namespace, name, live, stage }: Pick<PublishForMove, "namespace" | "name" | "live" | "stage">,
  { skip_gates, reason }: z.output<typeof skipGatesQuery> & z.output<typeof skipGatesRequest>,
): Promise<string | null> {
  const isAsked = skip_gates === "true";
  if (isAsked !== (reason !== undefined)) {
    const message = isAsked ? "skip_gates=true needs a reason" : "only with skip_gates=true";
    throw new ConfluxError("validation_failed", message, { errors: [{ path: "/reason", message }] });
  }
  if (reason === undefined) return null;
  await requirePermission(c, "approve", fullName(namespace, name));
  if (live !== null && live.creator_id === c.var.principal.actor.id && waitsForApprovals(live, stage)) {
    throw new ConfluxError(
      "forbidden",
      "The stage waits for people other than the publish's creator: one of them may let it go on without its gates",
    );
  }
  return reason;
}

/** Also of a stage that the plan has yet to reach: it may be there when the log is asked. */
function waitsForApprovals(plan: PublishPlan, number: number): boolean {
  const stage = isRunning(plan) ? plan.stages[number - 1] : undefined;
  return openGates(stage).some(
    (gate) =>
      gate.type === "approval" && stage !== undefined && approvalOutcome(gate, stage).verdict !== "holds",
  );
}
