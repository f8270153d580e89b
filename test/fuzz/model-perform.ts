/** What the log makes of an operation, when nothing refuses it before. */
import type { ErrorCode } from "../../contracts/problem/error-codes.ts";
import { performApply } from "./model-bundles.ts";
import { type Expected, type Json, refused, shownConfig, shownPlan } from "./model-shown.ts";
import {
  areWrong,
  beginPlan,
  endPlan,
  keepRule,
  type ModelConfig,
  type ModelPlan,
  type ModelState,
  runningPlan,
  setDefault,
} from "./model-state.ts";
import type { BatchStepItem, Operation, StepOf, StepRule } from "./model-steps.ts";
import { STRATEGIES } from "./model-values.ts";

export type ConfigStep = StepOf<"version" | "rules" | "rollback" | "delete" | "retention" | "publish">;

/** Does what is asked, or refuses it and changes nothing. */
export function perform(state: ModelState, step: Operation | ConfigStep): Expected {
  if (step.do === "batch") return performBatch(state, step);
  if (step.do === "apply") return performApply(state, step, { isApproved: true });
  const config = state.configs.get(step.slot);
  return config === undefined ? refused("not_found") : writeConfig(state, config, step);
}

/** False, and nothing has changed, for a list that is refused. */
export function putRules(
  config: ModelConfig,
  rules: readonly StepRule[],
  fresh: number | null = null,
): boolean {
  const kept = rules.map((rule) => keepRule(rule, fresh));
  if (areWrong(rules, kept, config.versions.length)) return false;
  endPlan(config);
  config.rules = kept;
  return true;
}

function writeConfig(state: ModelState, config: ModelConfig, step: ConfigStep): Expected {
  const isHeld = "abort" in step && !step.abort && runningPlan(config) !== null;
  if (isHeld) return refused("publish_running");
  const learn = (answer: Json): void => void (config.etag = String(answer["etag"]));
  const shown = (): Json => shownConfig(state, step.slot, config);
  switch (step.do) {
    case "version": {
      const format = step.format ?? config.format;
      config.versions.push({ content: step.content, format, schema: step.schema, isDeprecated: false });
      const version_id = config.versions.length;
      // Of an encrypted one it is that of the envelope, which the list tells.
      const content_hash = `sha256:${state.hashes[step.content] ?? ""}`;
      return {
        kind: "written",
        status: 201,
        learn,
        fields: () => ({
          version_id,
          config_id: config.id,
          format,
          ...(config.isEncrypted ? {} : { content_hash }),
          encrypted: config.isEncrypted,
        }),
      };
    }
    case "rules":
      if (!putRules(config, step.rules)) return refused("validation_failed");
      return { kind: "written", status: 200, learn, fields: () => ({ releases: shown()["releases"] }) };
    case "rollback":
      if (step.version > config.versions.length) return refused("validation_failed");
      endPlan(config);
      setDefault(config, step.version);
      return { kind: "written", status: 200, learn, fields: shown };
    case "retention":
      config.retention = step.count;
      return { kind: "written", status: 200, learn, fields: shown };
    case "publish":
      return expectPublish(state, config, step);
    default:
      state.configs.delete(step.slot);
      state.gone.set(step.slot, { id: config.id, plans: config.plans.map(({ id }) => id) });
      return { kind: "written", status: 200, learn: () => undefined, fields: () => ({ id: config.id }) };
  }
}

/** Makes the version and the plan; null when they are refused, and then the config must be thrown away. */
export function publish(config: ModelConfig, { what, strategy }: StepOf<"publish">): ModelPlan | null {
  if (STRATEGIES[strategy]?.isRefused === true) return null;
  if (typeof what === "number" && what > config.versions.length) return null;
  endPlan(config);
  const version =
    typeof what === "number"
      ? what
      : config.versions.push({ content: what, format: config.format, schema: null, isDeprecated: false });
  return beginPlan(config, version, strategy);
}

function expectPublish(state: ModelState, config: ModelConfig, step: StepOf<"publish">): Expected {
  const plan = publish(config, step);
  if (plan === null) return refused("validation_failed");
  const learn = (answer: Json): void => {
    plan.id = String(answer["publish_id"]);
    plan.etag = String(answer["etag"]);
    // Which ETag the config has is told by its list alone.
    config.etag = "";
  };
  return { kind: "written", status: 202, learn, fields: () => shownPlan(state, config, plan) };
}

function performBatch(state: ModelState, step: StepOf<"batch">): Expected {
  const slots = step.items.map(({ slot }) => slot);
  if (new Set(slots).size < slots.length) return refused("validation_failed");
  const changed = new Map(structuredClone([...state.configs]));
  for (const item of step.items) {
    const config = changed.get(item.slot);
    const code = config === undefined ? "not_found" : changeByItem(config, item, step.abort);
    // What is wrong whatever is there may be told before what is not there.
    if (code !== null) return step.items.some(isWrong) ? refused(code, "validation_failed") : refused(code);
  }
  state.configs = changed;
  const done = step.items.map((item) => ({ item, config: changed.get(item.slot) }));
  return {
    kind: "written",
    status: 200,
    learn: (answer) => {
      const items = answer["items"] as Json[];
      for (const [i, { config }] of done.entries()) {
        if (config !== undefined) config.etag = String(items[i]?.["etag"]);
      }
    },
    fields: () => ({
      items: done.map(({ item, config }) => ({
        ...(config && shownConfig(state, item.slot, config)),
        version: item.content === null ? null : { version_id: config?.versions.length },
      })),
    }),
  };
}

function changeByItem(config: ModelConfig, item: BatchStepItem, abort: boolean): ErrorCode | null {
  const { content, to } = item;
  if (content !== null) {
    if (item.match === "stale") return "precondition_failed";
    config.versions.push({ content, format: config.format, schema: null, isDeprecated: false });
  }
  const fresh = content === null ? null : config.versions.length;
  if (isWrong(item)) return "validation_failed";
  if (item.match === "stale") return "precondition_failed";
  if (!abort && runningPlan(config) !== null) return "publish_running";
  if (typeof to === "object") return putRules(config, to, fresh) ? null : "validation_failed";
  const version = to === "new" ? (fresh ?? 0) : to;
  if (version > config.versions.length) return "validation_failed";
  endPlan(config);
  setDefault(config, version);
  return null;
}

/** It names the version that it makes, and makes none. */
function isWrong({ content, to }: BatchStepItem): boolean {
  const asksNew = typeof to === "object" ? to.some(({ version }) => version === "new") : to === "new";
  return asksNew && content === null;
}
