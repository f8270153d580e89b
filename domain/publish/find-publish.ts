import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { Command } from "../command/command.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config } from "../config/config.ts";
import { type PublishPlan, type PublishState, publishStatus } from "./publish-plan.ts";
import { mayMovePublish } from "./publish-transitions.ts";

/**
 * The plan that a command moves to `to`, with its config. Refuses `not_found` when there is none or it is another
 * tenant's, `precondition_failed` when the command names another revision, `invalid_transition` when it cannot go there.
 * Throws when a plan that runs has no config: that invariant is broken, and going on would spread it.
 */
export function findPublish(
  state: StateView,
  command: Pick<Command, "tenant" | "expected_revision">,
  publishId: string,
  to: PublishState,
): { ok: true; publish: PublishPlan; config: Config } | Refusal {
  const publish = state.json(stateKey.publish(publishId)) as PublishPlan | undefined;
  if (publish === undefined || publish.namespace.tenant !== command.tenant) {
    return refuse("not_found", `no publish ${publishId}`);
  }
  if (command.expected_revision !== null && command.expected_revision !== publish.revision) {
    return refuse("precondition_failed", `the publish has moved: its revision is ${publish.revision}`);
  }
  if (!mayMovePublish(publish.state, to)) {
    const paused = "the publish is paused: resume or abort it";
    const ended = `the publish is ${publishStatus(publish)} and stays so`;
    return refuse("invalid_transition", publish.state === "paused" ? paused : ended);
  }
  const config = state.json(stateKey.config(publish.config_id)) as Config | undefined;
  if (config === undefined) throw new Error(`${publishId} runs for ${publish.config_id}, which is missing`);
  return { ok: true, publish, config };
}

/** The plan that runs for a config; null when none does. */
export function findRunningPublish(state: StateView, configId: string): PublishPlan | null {
  const id = state.json(stateKey.runningPublish(configId)) as string | undefined;
  return id === undefined ? null : ((state.json(stateKey.publish(id)) as PublishPlan | undefined) ?? null);
}

/** The refusal of what would change the rules of a config while `running` does. */
export function refuseWhileRunning(running: PublishPlan): Refusal {
  return refuse(
    "publish_running",
    `publish ${running.id} runs (${publishStatus(running)}): advance or abort it first, or say abort_plan=true`,
  );
}
