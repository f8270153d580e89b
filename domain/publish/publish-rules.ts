import { PRIORITY_ABS_MAX } from "../limits.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";
import type { PublishPlan, PublishStageInput } from "./publish-plan.ts";

/**
 * Above every rule that a user can write: the clients of the stage get the new version, whatever else they match, and no
 * rule of a user can be the same as a plan's.
 */
const PLAN_PRIORITY = PRIORITY_ABS_MAX + 1;

/** The rules of the stages that a plan has reached, one a stage, in their order: who got the version keeps it. */
export function planRules(plan: Pick<PublishPlan, "id" | "version_id" | "stage" | "stages">): ReleaseRule[] {
  return plan.stages.slice(0, plan.stage).map((stage) => toRule(stage, plan));
}

function toRule(stage: PublishStageInput, plan: Pick<PublishPlan, "id" | "version_id">): ReleaseRule {
  return {
    labels: stage.labels ?? {},
    version_id: plan.version_id,
    priority: PLAN_PRIORITY,
    ...(stage.percentage === undefined ? {} : { percentage: stage.percentage }),
    ...(stage.regions === null ? {} : { edge: { regions: stage.regions } }),
    publish_id: plan.id,
  };
}

/** `rules` with those of the stages that a plan has reached before them. They bear the plan's id, by which it owns them. */
export function withPlanRules(
  rules: readonly ReleaseRule[],
  plan: Pick<PublishPlan, "id" | "version_id" | "stage" | "stages">,
): ReleaseRule[] {
  return [...planRules(plan), ...withoutPlanRules(rules, plan.id)];
}

/** `rules` without those that a plan owns. */
export function withoutPlanRules(rules: readonly ReleaseRule[], publishId: string): ReleaseRule[] {
  return rules.filter((rule) => rule.publish_id !== publishId);
}
