import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { CommandPayloads } from "../command/command.ts";
import type { FieldError } from "../command/command-error.ts";
import { BAKE_MINUTES_MAX, BAKE_MINUTES_MIN, STAGE_NAME_BYTES_MAX } from "../limits.ts";
import { checkRules } from "../release-rule/check-rules.ts";
import { utf8Length } from "../utf8-length.ts";
import type { PublishStageInput } from "./publish-plan.ts";

type Asked = Pick<CommandPayloads["start_publish"], "strategy" | "stages">;

/**
 * The stages of a plan as they are to be stored. Refused: any number of stages but none (`all`) or one, a stage that
 * every client is in, a label, region, name or bake time over its limit. Paths lead into the request's body.
 */
export function checkPublishStages({
  strategy,
  stages,
}: Asked): { ok: true; stages: PublishStageInput[] } | Refusal {
  const wanted = strategy === "all" ? 0 : 1;
  if (stages.length !== wanted) {
    const message =
      strategy === "all" ? "all has no stages" : "exactly one stage for now; several are not supported yet";
    return refuse("validation_failed", "the stages are not valid", [{ path: "/strategy/stages", message }]);
  }
  const errors: FieldError[] = [];
  const checked = stages.map((stage, i) => checkStage(stage, i, strategy, errors));
  if (errors.length > 0) return refuse("validation_failed", "the stages are not valid", errors);
  return { ok: true, stages: checked };
}

function checkStage(
  stage: PublishStageInput,
  position: number,
  strategy: Asked["strategy"],
  errors: FieldError[],
): PublishStageInput {
  const path = `/strategy/stages/${position}`;
  const labelsPath = strategy === "canary" ? "/strategy/canary_labels" : `${path}/labels`;
  if (stage.name === "" || utf8Length(stage.name) > STAGE_NAME_BYTES_MAX) {
    errors.push({ path: `${path}/name`, message: `1-${STAGE_NAME_BYTES_MAX} bytes` });
  }
  const bake = stage.bake_minutes;
  if (bake !== null && !(bake >= BAKE_MINUTES_MIN && bake <= BAKE_MINUTES_MAX)) {
    const message = `${BAKE_MINUTES_MIN} to ${BAKE_MINUTES_MAX} minutes`;
    const bakePath = strategy === "canary" ? "/make_default_after_mins" : `${path}/bake_minutes`;
    errors.push({ path: bakePath, message });
  }
  const labels = stage.labels !== null && Object.keys(stage.labels).length > 0 ? stage.labels : null;
  if (labels === null && stage.regions === null) {
    const message = "every client would be in the stage: give regions or labels, or the strategy all";
    errors.push({ path: strategy === "canary" ? labelsPath : path, message });
    return stage;
  }
  // As a rule, so that a stage takes what a rule takes; the version is checked with the plan.
  const rules = checkRules({
    rules: [
      {
        labels: labels ?? {},
        version_id: 1,
        priority: 0,
        ...(stage.regions === null ? {} : { edge: { regions: stage.regions } }),
      },
    ],
    pathPrefix: "",
    versionExists: () => true,
  });
  if (!rules.ok) {
    const within = (at: string): string =>
      at.startsWith("/0/labels") ? labelsPath + at.slice("/0/labels".length) : `${path}/regions`;
    errors.push(...rules.errors.map((error) => ({ ...error, path: within(error.path) })));
    return stage;
  }
  const rule = rules.rules[0];
  return {
    ...stage,
    labels: labels === null ? null : (rule?.labels ?? null),
    regions: rule?.edge?.regions ?? null,
  };
}
