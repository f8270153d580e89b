import { isRunning, type PublishPlan } from "./publish-plan.ts";

/** The gray group of every region there is; no region can be called so. */
export const ALL_REGIONS = "*";

/**
 * The regions in which a plan's version is given out, in the order in which its stages reached them; `ALL_REGIONS` alone when
 * the plan is full or a stage names no region. Labels and percentages are not asked: a region counts as soon as some of its
 * clients get the version. None for a plan that was aborted or whose version was replaced.
 */
export function grayGroups(plan: Pick<PublishPlan, "state" | "stage" | "stages">): string[] {
  if (plan.state === "full") return [ALL_REGIONS];
  if (!isRunning(plan)) return [];
  const groups = new Set<string>();
  for (const { regions } of plan.stages.slice(0, plan.stage)) {
    if (regions === null) return [ALL_REGIONS];
    for (const region of regions) groups.add(region);
  }
  return [...groups];
}
