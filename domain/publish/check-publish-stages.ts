import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { CommandPayloads } from "../command/command.ts";
import type { FieldError } from "../command/command-error.ts";
import { BAKE_MINUTES_MAX, BAKE_MINUTES_MIN, PUBLISH_STAGES_MAX, STAGE_NAME_BYTES_MAX } from "../limits.ts";
import { checkRules } from "../release-rule/check-rules.ts";
import { utf8Length } from "../utf8-length.ts";
import { checkPublishGates } from "./check-publish-gates.ts";
import type { PublishStageInput } from "./publish-plan.ts";

type Asked = Pick<CommandPayloads["start_publish"], "strategy" | "stages" | "form">;

/**
 * The stages of a plan as they are to be stored. Refused: another number of stages than the strategy has (none for `all`, one
 * for `canary`, else up to PUBLISH_STAGES_MAX), a stage that every client is in or that adds none to those before, a
 * `percentage` without one, a label, region, percentage, name or bake time over its limit. A command without `form` has at
 * most one stage, and neither percentage nor gates. Paths lead into the request's body.
 */
export function checkPublishStages({
  strategy,
  stages,
  form,
}: Asked): { ok: true; stages: PublishStageInput[] } | Refusal {
  const [min, max] = STAGES_OF[strategy];
  const isNew = stages.length > 1 || stages.some((stage) => stage.percentage ?? stage.gates);
  const isOld = form === undefined && isNew;
  if (
    stages.length < min ||
    stages.length > max ||
    isOld ||
    (form === undefined && strategy === "percentage")
  ) {
    const range = max === min ? `exactly ${max}` : `${min} to ${max}`;
    const message = max === 0 ? "all has no stages" : isOld ? "such stages need form 2" : `${range} stages`;
    return refuse("validation_failed", "the stages are not valid", [{ path: "/strategy/stages", message }]);
  }
  const errors: FieldError[] = [];
  const checked = stages.map((stage, i) => checkStage(stage, i, strategy, errors));
  if (errors.length === 0) findIdle(checked, errors);
  if (errors.length > 0) return refuse("validation_failed", "the stages are not valid", errors);
  return { ok: true, stages: checked };
}

const STAGES_OF: Readonly<Record<Asked["strategy"], readonly [min: number, max: number]>> = {
  all: [0, 0],
  canary: [1, 1],
  staged: [1, PUBLISH_STAGES_MAX],
  percentage: [1, PUBLISH_STAGES_MAX],
};

/** A stage of the clients of one before it, or of a part of them, would bake for nothing: a slip of the pen. */
function findIdle(stages: readonly PublishStageInput[], errors: FieldError[]): void {
  for (const [i, stage] of stages.entries()) {
    const first = stages.slice(0, i).findIndex((before) => coversStage(before, stage));
    if (first < 0) continue;
    const message = `adds no client to those of the stage at ${first}`;
    errors.push({ path: `/strategy/stages/${i}`, message });
  }
}

/** Whether every client of `stage` is one of `before`. */
function coversStage(before: PublishStageInput, stage: PublishStageInput): boolean {
  const { regions, labels, percentage } = before;
  if (regions !== null && stage.regions?.every((region) => regions.includes(region)) !== true) return false;
  if (!Object.entries(labels ?? {}).every(([name, value]) => stage.labels?.[name] === value)) return false;
  if (percentage === undefined) return true;
  const other = stage.percentage;
  return (
    other !== undefined &&
    other.by === percentage.by &&
    other.salt === percentage.salt &&
    other.percent <= percentage.percent
  );
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
  errors.push(...checkPublishGates(stage.gates ?? [], `${path}/gates`));
  const labels = stage.labels !== null && Object.keys(stage.labels).length > 0 ? stage.labels : null;
  const { percentage } = stage;
  if (labels === null && stage.regions === null && percentage === undefined) {
    const message =
      "every client would be in the stage: give regions, labels or a percentage, or the strategy all";
    errors.push({ path: strategy === "canary" ? labelsPath : path, message });
    return stage;
  }
  if (strategy === "percentage" && percentage === undefined) {
    errors.push({ path: `${path}/percentage`, message: "a stage of this strategy has one" });
  }
  // As a rule, so that a stage takes what a rule takes; the version is checked with the plan.
  const rules = checkRules({
    rules: [
      {
        labels: labels ?? {},
        version_id: 1,
        priority: 0,
        ...(percentage === undefined ? {} : { percentage }),
        ...(stage.regions === null ? {} : { edge: { regions: stage.regions } }),
      },
    ],
    pathPrefix: "",
    versionExists: () => true,
  });
  if (!rules.ok) {
    const within = (at: string): string => {
      if (at.startsWith("/0/labels")) return labelsPath + at.slice("/0/labels".length);
      return path + (at.startsWith("/0/percentage") ? at.slice("/0".length) : "/regions");
    };
    errors.push(...rules.errors.map((error) => ({ ...error, path: within(error.path) })));
    return stage;
  }
  const rule = rules.rules[0];
  return {
    ...stage,
    labels: labels === null ? null : (rule?.labels ?? null),
    regions: rule?.edge?.regions ?? null,
    ...(rule?.percentage === undefined ? {} : { percentage: rule.percentage }),
  };
}
