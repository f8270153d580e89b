import { scanAll } from "../command/scan-all.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config } from "../config/config.ts";
import { isRunning, type PublishPlan, publishDueAtMs } from "./publish-plan.ts";
import { planRules } from "./publish-rules.ts";

/**
 * What must hold of publish plans after every command (R11, P6): a rule with a publish id belongs to the plan that runs
 * for its config; that plan has the rules of the stages that it has reached, before all others, and its versions; its stages
 * have begun in their order; and each row by which plans are found names one that is there.
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
  if (runs !== isRunning(plan))
    wrong.push(`${plan.id} is ${plan.state} and ${runs ? "runs" : "does not run"}`);
  if ((plan.ended_at_ms === null) !== isRunning(plan)) wrong.push(`${plan.id} has no right end`);
  if ((plan.pause !== undefined) !== (plan.state === "paused")) wrong.push(`${plan.id} has no right pause`);
  const isNumbered = plan.stage >= Math.min(1, plan.stages.length) && plan.stage <= plan.stages.length;
  if (!isNumbered) wrong.push(`${plan.id} has no stage ${plan.stage}`);
  if (plan.stages.some(({ started_at_ms }, i) => (started_at_ms === null) !== i >= plan.stage))
    wrong.push(`${plan.id}: a stage has begun out of its order`);
  checkGates(plan, wrong);
  if (!isRunning(plan)) return;
  counts.running += 1;
  checkRunning(state, plan, wrong);
  const dueAtMs = publishDueAtMs(plan);
  if (dueAtMs === null) return;
  counts.due += 1;
  if (state.json(stateKey.publishDue(dueAtMs, plan.id)) !== plan.id) {
    wrong.push(`${plan.id} is not among what is due at ${dueAtMs}`);
  }
}

/** What is said of gates is said of those that a stage has. */
function checkGates(plan: PublishPlan, wrong: string[]): void {
  for (const [i, { gates = [], gate_outcomes, approvals, started_at_ms }] of plan.stages.entries()) {
    const place = `${plan.id} stage${i + 1}`;
    if (gate_outcomes !== undefined && gate_outcomes.length !== gates.length)
      wrong.push(`${place} has ${gate_outcomes.length} outcomes of ${gates.length} gates`);
    if (approvals === undefined) continue;
    const gate = gates.find(({ type }) => type === "approval");
    const people = new Set(approvals.map(({ by }) => by.id));
    if (gate?.type !== "approval" || approvals.length > gate.approvers || people.size < approvals.length)
      wrong.push(`${place} has approvals that it did not ask for`);
    if (plan.creator_id !== undefined && people.has(plan.creator_id))
      wrong.push(`${place} is approved by its creator`);
    if (started_at_ms === null) wrong.push(`${place} is approved before its time`);
  }
}

function checkRunning(state: StateView, plan: PublishPlan, wrong: string[]): void {
  const config = state.json(stateKey.config(plan.config_id)) as Config | undefined;
  const wanted = planRules(plan);
  if (JSON.stringify(config?.releases.slice(0, wanted.length)) !== JSON.stringify(wanted))
    wrong.push(`${plan.id} has not the rules of its stages`);
  if (config?.releases.slice(wanted.length).some(({ publish_id }) => publish_id === plan.id) === true)
    wrong.push(`${plan.id} has a rule too many`);
  for (const version of [plan.version_id, plan.previous_version_id]) {
    if (version !== null && !state.hasKey(stateKey.version(plan.config_id, version))) {
      wrong.push(`${plan.id} names version ${version}, which is missing`);
    }
  }
}
