import type { PublishState } from "./publish-plan.ts";

/** Every move there is; `none` is the place before the plan. What has ended never moves again. */
const MOVES: Readonly<Record<PublishState | "none", readonly PublishState[]>> = {
  none: ["baking", "full"],
  baking: ["full", "aborted"],
  full: [],
  aborted: [],
};

/** Whether a plan may go from one state to another. */
export function mayMovePublish(from: PublishState | "none", to: PublishState): boolean {
  return MOVES[from].includes(to);
}
