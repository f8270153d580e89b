import type { PublishPlan, PublishState } from "./publish-plan.ts";

/** Every move there is; `none` is the place before the plan. What was aborted or deprecated never moves again. */
const MOVES: Readonly<Record<PublishState | "none", readonly PublishState[]>> = {
  none: ["baking", "full"],
  baking: ["baking", "paused", "full", "aborted"],
  paused: ["baking", "aborted"],
  full: ["deprecated"],
  aborted: [],
  deprecated: [],
};

/** Whether a plan may go from one state to another. */
export function mayMovePublish(from: PublishState | "none", to: PublishState): boolean {
  return MOVES[from].includes(to);
}

type Place = Pick<PublishPlan, "state" | "stage"> & { stages: readonly unknown[] };

/**
 * Whether a plan may go from one place to another: the states allow it, it begins at its first stage, goes to everyone
 * from its last, to no stage but the next, and stays in its stage otherwise.
 */
export function mayMoveStage(from: Place | null, to: Place): boolean {
  if (!mayMovePublish(from?.state ?? "none", to.state)) return false;
  const last = to.stages.length;
  if (from === null) return to.stage === Math.min(1, last) && (to.state === "full") === (last === 0);
  if (from.state === "baking" && to.state === "baking")
    return to.stage === from.stage + 1 && to.stage <= last;
  return to.stage === from.stage && (from.state !== "baking" || to.state !== "full" || from.stage === last);
}
