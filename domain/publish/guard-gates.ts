import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { CommandPayloads } from "../command/command.ts";
import { GATE_COMMENT_CHARACTERS_MAX } from "../limits.ts";
import { knownOutcomes, openGates, sayOutcomes } from "./publish-gate.ts";
import { currentStage, type PublishPlan, publishStatus } from "./publish-plan.ts";

/**
 * Whether a plan may leave its stage, by the stage's gates. `reason`: why a person lets it go on without them; null for
 * all else. By itself it goes on when the caller has found them to hold and the log counts the approvals; by hand, too, when
 * the last report says that they hold, and otherwise (`conflict`) only with a reason.
 */
export function guardGates(
  publish: PublishPlan,
  { cause, gates: said }: Pick<CommandPayloads["advance_publish"], "cause" | "gates">,
): { ok: true; reason: string | null } | Refusal {
  const stage = currentStage(publish);
  const gates = openGates(stage);
  if (stage === undefined || gates.length === 0) return { ok: true, reason: null };
  if (said !== undefined && said !== "held") {
    const wrong = checkReason(said.skipped);
    return wrong ?? { ok: true, reason: said.skipped };
  }
  const held = said === "held" ? gates.map(() => ({ verdict: "holds" as const })) : undefined;
  if (cause === "bake_over" && held === undefined) {
    return refuse("invalid_transition", `${publishStatus(publish)} has gates, and nobody has asked them`);
  }
  const closed = sayOutcomes(gates, knownOutcomes(stage, held));
  if (closed === "") return { ok: true, reason: null };
  const detail = `the gates of ${publishStatus(publish)} do not hold: ${closed}`;
  return cause === "bake_over"
    ? refuse("invalid_transition", detail)
    : refuse("conflict", `${detail}; with skip_gates=true and a reason it goes on without them`);
}

/** The refusal of a reason that is none, or too long; null for a good one. */
export function checkReason(reason: string): Refusal | null {
  if (reason.trim() !== "" && reason.length <= GATE_COMMENT_CHARACTERS_MAX) return null;
  const message = `1 to ${GATE_COMMENT_CHARACTERS_MAX} characters`;
  return refuse("validation_failed", "going on without gates needs a reason", [{ path: "/reason", message }]);
}
