/** What the model expects of an answer, and how it shows what it holds. */
import type { ErrorCode } from "../../contracts/problem/error-codes.ts";
import {
  envOf,
  type KeptAnswer,
  type ModelConfig,
  type ModelPlan,
  type ModelState,
  namesOf,
  planStatus,
  shownRule,
  stagesOf,
} from "./model-state.ts";
import type { Slot } from "./model-steps.ts";
import { STRATEGIES } from "./model-values.ts";

export type Json = Record<string, unknown>;
export type Expected =
  /** By one of them: where several things are wrong, nothing says which is told. */
  | { kind: "refused"; codes: readonly ErrorCode[] }
  | { kind: "replayed"; kept: KeptAnswer }
  /** `learn`, if any, takes what only the answer knows. */
  | { kind: "read"; status: number; learn?: (answer: Json) => void; fields: () => Json }
  /** `learn` takes ids and ETags from the answer; `fields` are what it must have then. */
  | { kind: "written"; status: number; learn: (answer: Json) => void; fields: () => Json };

export const refused = (...codes: ErrorCode[]): Expected => ({ kind: "refused", codes });

/** A config as answers and lists show it, but for what only the log knows. */
export function shownConfig(state: ModelState, slot: Slot, config: ModelConfig): Json {
  const { tenant, app, regions } = state;
  return {
    id: config.id,
    etag: config.etag,
    namespace: { tenant, app, env: envOf(slot) },
    name: slot,
    format: config.format,
    encrypted: config.isEncrypted,
    retention: config.retention === null ? null : { count: config.retention },
    latest_version_id: config.versions.length,
    releases: config.rules.map((rule) => shownRule(rule, config, regions)),
  };
}

/** A plan as answers and lists show it, but for times. */
export function shownPlan(state: ModelState, config: ModelConfig, plan: ModelPlan): Json {
  const isRunning = plan.state === "baking" || plan.state === "paused";
  return {
    publish_id: plan.id,
    config_id: config.id,
    version_id: plan.version,
    previous_version_id: plan.previous,
    strategy: STRATEGIES[plan.strategy]?.type,
    status: planStatus(plan),
    stage: isRunning ? (stagesOf(plan)[plan.stage - 1]?.name ?? null) : null,
    stages: stagesOf(plan).map(({ name, regions }) => ({
      name,
      regions: regions === undefined ? null : namesOf(regions, state.regions),
    })),
  };
}
