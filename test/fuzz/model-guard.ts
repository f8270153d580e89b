/** What the policies of the guarded namespace are asked about (docs/approvals.md). */
import { planApply } from "./model-bundles.ts";
import { envOf, type GuardedChange, type ModelState } from "./model-state.ts";
import type { Operation, Slot, Step } from "./model-steps.ts";

/** The approvals that changes need by the policy of now. */
export function neededOf({ policy }: ModelState, changes: readonly GuardedChange[]): number {
  const isAbout = changes.some(({ slot, kind }) => envOf(slot) === "safe" && policy.appliesTo.includes(kind));
  return isAbout ? policy.required : 0;
}

/** What an operation changes. */
export function changesOf(state: ModelState, step: Operation): GuardedChange[] {
  const { slot } = step;
  switch (step.do) {
    case "version":
      return [{ slot, kind: "versions" }];
    case "publish":
      return [{ slot, kind: "publish" }, ...contentOf(slot, typeof step.what === "string")];
    case "delete":
      return [{ slot, kind: "delete" }];
    case "batch":
      // An item whose config is not there is for the batch to refuse.
      return step.items
        .filter((item) => state.configs.has(item.slot))
        .flatMap((item): GuardedChange[] => [
          { slot: item.slot, kind: "releases" },
          ...contentOf(item.slot, item.content !== null),
        ]);
    case "apply":
      return changesOfBundle(state, step);
    default:
      return [{ slot, kind: "releases" }];
  }
}

const contentOf = (slot: Slot, isThere: boolean): GuardedChange[] =>
  isThere ? [{ slot, kind: "versions" }] : [];

function changesOfBundle(state: ModelState, step: Extract<Operation, { do: "apply" }>): GuardedChange[] {
  return (planApply(state, step) ?? []).flatMap(({ slot, action, changes }): GuardedChange[] => {
    if (action === "delete") return [{ slot, kind: "delete" }];
    const isReleased = changes.includes("releases");
    return [
      ...(isReleased ? [{ slot, kind: "releases" } as const] : []),
      // The first content of a new config is nothing to any client.
      ...contentOf(slot, action === "update" && changes.includes("content")),
    ];
  });
}

/** Whether a step may not be done directly. */
export function needsApproval(state: ModelState, step: Step): boolean {
  const { slot } = step;
  switch (step.do) {
    case "create": {
      const isReleased = step.release === "default" || (step.release !== "no" && step.release.length > 0);
      return isReleased && neededOf(state, [{ slot, kind: "releases" }]) > 0;
    }
    case "move": {
      const plan = state.configs.get(slot)?.plans.at(step.which === "oldest" ? 0 : -1);
      const isFree = step.move !== "advance" || plan?.isAsked === true;
      return !isFree && neededOf(state, [{ slot, kind: "publish" }]) > 0;
    }
    case "version":
    case "rules":
    case "rollback":
    case "delete":
    case "publish":
    case "batch":
    case "apply":
      return neededOf(state, changesOf(state, step)) > 0;
    default:
      return false;
  }
}
