import type { Namespace } from "../config/config-name.ts";
import type { RulePercentage } from "../release-rule/release-rule.ts";
import { approvalOutcome, type GatedStage, type GateType, openGates } from "./publish-gate.ts";

/**
 * Where a plan stands. One that bakes or is paused is its config's running plan; the others have ended and stay as a record.
 * A plan that was full is deprecated when another one took its version's place.
 */
export const PUBLISH_STATES = ["baking", "paused", "full", "aborted", "deprecated"] as const;
export type PublishState = (typeof PUBLISH_STATES)[number];

export const PUBLISH_STRATEGIES = ["all", "canary", "staged", "percentage"] as const;
export type PublishStrategy = (typeof PUBLISH_STRATEGIES)[number];

/** A stage as it is asked for: the clients that get the new version, and for how long before the next step. */
export interface PublishStageInput {
  name: string;
  /** Regions whose clients get it; null: every region. */
  regions: string[] | null;
  /** Labels that a client must have; null: none. */
  labels: Record<string, string> | null;
  /** The share of these clients that gets it; left out: all of them. */
  percentage?: RulePercentage | undefined;
  /** May be fractional. Null: the stage is advanced by hand alone. */
  bake_minutes: number | null;
  gates?: GatedStage["gates"];
}
export interface PublishStage extends PublishStageInput, GatedStage {
  /** The log's time; null for a stage that the plan has not reached. */
  started_at_ms: number | null;
  /** How long the stage stood still, in pauses that are over: its bake time ends as much later. Left out: not at all. */
  paused_ms?: number | undefined;
}

/** The gate that paused or aborted a plan, and what it said. */
export interface GateStop {
  gate: GateType;
  reason: string;
  at_ms: number;
}

/** What ends a pause that nobody ends by hand. */
export const PAUSE_ENDS = ["abort", "resume"] as const;
export type PauseEnd = (typeof PAUSE_ENDS)[number];
export interface PublishPause {
  started_at_ms: number;
  /** When it counts as forgotten. */
  ends_at_ms: number;
  on_timeout: PauseEnd;
}

/** Why a plan moved: asked for by a caller, or the consequence of something else. */
export type PublishCause =
  | "by_hand"
  | "bake_over"
  | "pause_over"
  | "gate_failed"
  | "superseded"
  | "replaced"
  | "rules_replaced"
  | "rolled_back"
  | "config_deleted";

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
  /** As the command said (`start_publish`); left out on plans of one stage that deprecate nothing. */
  form?: 2 | undefined;
  state: PublishState;
  /** None for a plan that reached everyone at once. */
  stages: PublishStage[];
  /** The stage that bakes, or was the last to bake, from 1; 0 for a plan without stages. */
  stage: number;
  /** Of a paused plan, and of no other. */
  pause?: PublishPause | undefined;
  /** Of a plan that a gate paused, until it is resumed, or aborted. */
  stopped_by?: GateStop | undefined;
  creator: string;
  /** Who may not approve its stages; left out on plans without gates. */
  creator_id?: string | undefined;
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

/** Whether a plan has its config to itself. */
export function isRunning({ state }: Pick<PublishPlan, "state">): boolean {
  return state === "baking" || state === "paused";
}

/** The word for people and for the API: `stage1`, `paused`, `full`, `aborted`, `deprecated`. */
export function publishStatus(plan: Pick<PublishPlan, "state" | "stage">): string {
  return plan.state === "baking" ? `stage${plan.stage}` : plan.state;
}

/** The stage that a running plan is in; undefined for one that has ended. */
export function currentStage(
  plan: Pick<PublishPlan, "state" | "stage" | "stages">,
): PublishStage | undefined {
  return isRunning(plan) ? plan.stages[plan.stage - 1] : undefined;
}

type Timed = Pick<PublishPlan, "state" | "stage" | "stages" | "pause">;

/** When the stage that bakes has baked, in the log's time; null when nothing bakes or it waits for a hand. */
export function bakedAtMs(plan: Timed): number | null {
  const stage = plan.state === "baking" ? currentStage(plan) : undefined;
  if (stage === undefined || stage.bake_minutes === null || stage.started_at_ms === null) return null;
  return stage.started_at_ms + (stage.paused_ms ?? 0) + Math.round(stage.bake_minutes * 60_000);
}

/**
 * From when on a plan is to be looked at: its stage has baked, its pause counts as forgotten, or at once while its stage has
 * gates, since one that fails stops the plan in the middle of its bake time. Null: never.
 */
export function publishDueAtMs(plan: Timed): number | null {
  if (plan.pause !== undefined) return plan.pause.ends_at_ms;
  const stage = plan.state === "baking" ? currentStage(plan) : undefined;
  if (stage !== undefined && openGates(stage).length > 0) return stage.started_at_ms;
  return bakedAtMs(plan);
}

/**
 * When a plan may go on by itself, as far as the log knows: its stage has baked and has the approvals that it asks for, or its
 * pause counts as forgotten. What gates of other kinds say then is not known here. Null: not before something else happens.
 */
export function goesOnAtMs(plan: Timed): number | null {
  if (plan.pause !== undefined) return plan.pause.ends_at_ms;
  const stage = currentStage(plan);
  if (stage === undefined) return null;
  const waits = openGates(stage).some(
    (gate) => gate.type === "approval" && approvalOutcome(gate, stage).verdict !== "holds",
  );
  return waits ? null : bakedAtMs(plan);
}
