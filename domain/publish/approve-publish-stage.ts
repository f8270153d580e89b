import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { fullName } from "../config/config-name.ts";
import { GATE_COMMENT_CHARACTERS_MAX } from "../limits.ts";
import { findPublish } from "./find-publish.ts";
import { openGates } from "./publish-gate.ts";
import { currentStage, goesOnAtMs, type PublishPlan, publishStatus } from "./publish-plan.ts";
import { rewritePublish } from "./write-publish.ts";

/**
 * Adds a person's word that a stage may be left (P4). Refuses `invalid_transition` for a plan that does not run, is in
 * another stage or has no approval gate there, `forbidden` for the plan's creator and for what is no person,
 * `already_exists` for who has approved the stage already.
 */
export const approvePublishStage: ApplyVerb<"approve_publish_stage"> = ({
  state,
  command,
  index,
  timestampMs,
}) => {
  const { actor, payload } = command;
  // Both a plan that bakes and a paused one can be aborted: those run.
  const found = findPublish(state, command, payload.publish_id, "aborted");
  if (!found.ok) return found;
  const { publish, config } = found;
  const stage = currentStage(publish);
  const gate = openGates(stage).find(({ type }) => type === "approval");
  if (publish.stage !== payload.expected_stage || stage === undefined || gate?.type !== "approval") {
    const where = `stage${payload.expected_stage}`;
    return refuse(
      "invalid_transition",
      `the publish is in ${publishStatus(publish)}: ${where} waits for no approval`,
    );
  }
  if (actor.type !== "user") return refuse("forbidden", "only people approve");
  if (publish.creator_id === actor.id) return refuse("forbidden", "nobody approves a publish of their own");
  if (payload.comment.length > GATE_COMMENT_CHARACTERS_MAX) {
    const message = `at most ${GATE_COMMENT_CHARACTERS_MAX} characters`;
    return refuse("validation_failed", "the comment is too long", [{ path: "/comment", message }]);
  }
  const before = stage.approvals ?? [];
  if (before.some(({ by }) => by.id === actor.id)) {
    return refuse("already_exists", "you have approved it already, and count once");
  }
  if (before.length >= gate.approvers) {
    return refuse("invalid_transition", `the stage has its ${gate.approvers} approvals`);
  }
  const approvals = [...before, { by: actor, at_ms: timestampMs, comment: payload.comment }];
  const after: PublishPlan = {
    ...publish,
    stages: publish.stages.map((one, i) => (i === publish.stage - 1 ? { ...one, approvals } : one)),
    updated_at_ms: timestampMs,
    revision: index,
  };
  const goesOnMs = goesOnAtMs(after);
  const note = payload.comment === "" ? "" : ` (${payload.comment})`;
  return {
    ok: true,
    changes: rewritePublish(publish, after),
    events: [
      {
        type: "publish_approved",
        publish_id: after.id,
        config_id: after.config_id,
        stage: after.stage,
        ...(goesOnMs === null ? {} : { goes_on_at_ms: goesOnMs }),
      },
    ],
    result: { publish: after },
    audit: {
      action: "approve",
      resource: fullName(config.namespace, config.name),
      summary: `publish ${publish.id}: approved stage${publish.stage}, ${approvals.length} of ${gate.approvers}${note}`,
    },
  };
};
