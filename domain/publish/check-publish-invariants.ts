import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config } from "../config/config.ts";
import { type PublishPlan, publishDueAtMs } from "./publish-plan.ts";

/**
 * What must hold of publish plans after every command (R11, P6): a rule with a publish id belongs to the plan that runs
 * for its config, that plan has its rule and its versions, and each row by which plans are found names one that is there.
 */
export function checkPublishInvariants(state: StateView): string[] {
  const wrong: string[] = [];
  for (const { value } of scanAll(state, "c/")) {
    const config = value as Config;
    const running = state.json(stateKey.runningPublish(config.id));
    const owners = new Set(config.releases.flatMap(({ publish_id }) => publish_id ?? []));
    for (const owner of owners) {
      if (owner !== running) wrong.push(`${config.id}: a rule is of ${owner}, which does not run`);
    }
    if (typeof running === "string" && !owners.has(running)) {
      wrong.push(`${config.id}: ${running} runs and has no rule`);
    }
  }
  const counts = { plans: 0, running: 0, due: 0 };
  for (const { key, value } of scanAll(state, stateKey.publishPrefix)) {
    checkPlan(state, key, value as PublishPlan, counts, wrong);
  }
  const rows = (prefix: string): number => [...scanAll(state, prefix)].length;
  for (const [prefix, have] of [
    ["q/", counts.plans],
    [stateKey.runningPublishPrefix, counts.running],
    [stateKey.publishDuePrefix, counts.due],
  ] as const) {
    if (rows(prefix) !== have) wrong.push(`${prefix} has ${rows(prefix)} rows, plans make it ${have}`);
  }
  return wrong;
}

function checkPlan(
  state: StateView,
  key: string,
  plan: PublishPlan,
  counts: { plans: number; running: number; due: number },
  wrong: string[],
): void {
  counts.plans += 1;
  if (key !== stateKey.publish(plan.id)) wrong.push(`${key} holds ${plan.id}`);
  if (!state.hasKey(stateKey.config(plan.config_id))) wrong.push(`${plan.id} is of no config`);
  const runs = state.json(stateKey.runningPublish(plan.config_id)) === plan.id;
  if (runs !== (plan.state === "baking"))
    wrong.push(`${plan.id} is ${plan.state} and ${runs ? "runs" : "does not run"}`);
  if ((plan.ended_at_ms === null) !== (plan.state === "baking")) wrong.push(`${plan.id} has no right end`);
  if (plan.state !== "baking") return;
  counts.running += 1;
  for (const version of [plan.version_id, plan.previous_version_id]) {
    if (version !== null && !state.hasKey(stateKey.version(plan.config_id, version))) {
      wrong.push(`${plan.id} names version ${version}, which is missing`);
    }
  }
  const dueAtMs = publishDueAtMs(plan);
  if (dueAtMs === null) return;
  counts.due += 1;
  if (state.json(stateKey.publishDue(dueAtMs, plan.id)) !== plan.id) {
    wrong.push(`${plan.id} is not among what is due at ${dueAtMs}`);
  }
}
