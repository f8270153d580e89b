import type { Namespace } from "../config/config-name.ts";

/** Where a plan stands. A baking plan is its config's running plan; the others have ended and stay as a record. */
export const PUBLISH_STATES = ["baking", "full", "aborted"] as const;
export type PublishState = (typeof PUBLISH_STATES)[number];

export const PUBLISH_STRATEGIES = ["all", "canary", "staged"] as const;
export type PublishStrategy = (typeof PUBLISH_STRATEGIES)[number];

/** A stage as it is asked for: the clients that get the new version, and for how long before everyone does. */
export interface PublishStageInput {
  name: string;
  /** Regions whose clients get it; null: every region. */
  regions: string[] | null;
  /** Labels that a client must have; null: none. */
  labels: Record<string, string> | null;
  /** May be fractional. Null: the stage is advanced by hand alone. */
  bake_minutes: number | null;
}
export interface PublishStage extends PublishStageInput {
  /** The log's time. */
  started_at_ms: number;
}

/** Why a plan moved: asked for by a caller, or the consequence of something else. */
export type PublishCause = "by_hand" | "bake_over" | "rules_replaced" | "rolled_back" | "config_deleted";

/** The way of one version from its first clients to everyone. All times are the log's. */
export interface PublishPlan {
  id: string;
  config_id: string;
  namespace: Namespace;
  name: string;
  version_id: number;
  /** What the default rule named when the plan began; null: nothing. An abort leaves everyone with it. */
  previous_version_id: number | null;
  description: string;
  strategy: PublishStrategy;
  state: PublishState;
  /** None for a plan that reached everyone at once. */
  stages: PublishStage[];
  /** The stage that bakes, or was the last to bake, from 1; 0 for a plan without stages. */
  stage: number;
  creator: string;
  created_at_ms: number;
  updated_at_ms: number;
  ended_at_ms: number | null;
  /** The change request that it was approved as, stages and all. */
  change_request_id?: string;
  /** Log index of the last command that moved the plan; the revision behind its `ETag`. */
  revision: number;
}

/** A plan's id leads to its config, also when both are gone. */
export function publishIdOf(configId: string, index: number): string {
  return `pub-${configId.replace(/^cfg-/, "")}-${index}`;
}

/** The config of a plan's id; null for a text that is none. */
export function configIdOfPublish(publishId: string): string | null {
  const [, config] = /^pub-(.+)-\d+$/.exec(publishId) ?? [];
  return config === undefined ? null : `cfg-${config}`;
}

/** The word for people and for the API: `stage1`, `full`, `aborted`. */
export function publishStatus(plan: Pick<PublishPlan, "state" | "stage">): string {
  return plan.state === "baking" ? `stage${plan.stage}` : plan.state;
}

/** When the stage that bakes has baked, in the log's time; null when nothing bakes or it waits for a hand. */
export function publishDueAtMs(plan: Pick<PublishPlan, "state" | "stage" | "stages">): number | null {
  const stage = plan.stages[plan.stage - 1];
  if (plan.state !== "baking" || stage === undefined || stage.bake_minutes === null) return null;
  return stage.started_at_ms + Math.round(stage.bake_minutes * 60_000);
}
