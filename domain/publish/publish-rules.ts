import { PRIORITY_ABS_MAX } from "../limits.ts";
import type { ReleaseRule } from "../release-rule/release-rule.ts";
import type { PublishPlan, PublishStageInput } from "./publish-plan.ts";

/**
 * Above every rule that a user can write: the clients of the stage get the new version, whatever else they match, and no
 * rule of a user can be the same as a plan's.
 */
const PLAN_PRIORITY = PRIORITY_ABS_MAX + 1;

/** `rules` with the rule of a plan's stage before them. It bears the plan's id, by which the plan owns it. */
export function withStageRule(
  rules: readonly ReleaseRule[],
  plan: Pick<PublishPlan, "id" | "version_id">,
  stage: PublishStageInput,
): ReleaseRule[] {
  const rule: ReleaseRule = {
    labels: stage.labels ?? {},
    version_id: plan.version_id,
    priority: PLAN_PRIORITY,
    ...(stage.regions === null ? {} : { edge: { regions: stage.regions } }),
    publish_id: plan.id,
  };
  return [rule, ...rules];
}

/** `rules` without those that a plan owns. */
export function withoutPlanRules(rules: readonly ReleaseRule[], publishId: string): ReleaseRule[] {
  return rules.filter((rule) => rule.publish_id !== publishId);
}
