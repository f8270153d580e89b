import type { CorePort } from "../../contracts/core/core-port.ts";
import { ConfluxError, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import { PUBLISH_OVERDUE_MS } from "../../domain/limits.ts";
import { bakedAtMs, type PublishPlan, publishDueAtMs } from "../../domain/publish/publish-plan.ts";
import {
  advancePublishStage,
  hasOpenGates,
  movePublish,
  PUBLISH_LEASE_MS,
  type StageDeps,
  type StageOutcome,
} from "./advance-publish-stage.ts";

/** Plans read at once. */
const DUE_PAGE_MAX = 100;
/** Plans moved side by side. A config has one running plan at most, so each config's moves stay in order. */
export const IN_FLIGHT_MAX = 16;
/**
 * Of the run that moves what is due and has no gates: one lease for all of it, renewed with each page. Two writes a plan
 * would cost more than the move.
 */
const DUE_LEASE = "publish-stage/due";
/** Plans with gates side by side: what they wait for are others' webhooks. */
const GATED_IN_FLIGHT_MAX = 32;
/** Hints followed side by side: more than a batch of them has (cdk/publish-hints.ts). */
const HINTS_IN_FLIGHT_MAX = 10;
/** Plans with gates that one run looks at; of more of them it draws so many. */
const GATED_PLANS_MAX = 5_000;
/** Left at the end of an invocation for the moves on the way: a webhook's longest time, a proposal's and some. */
export const STAGE_RESERVE_MS = 20_000;
/** The same for plans without gates: a proposal's longest time and some. */
export const MOVE_RESERVE_MS = 13_000;
/** Failures that a report tells of by name. */
const FAILURES_TOLD_MAX = 10;
/** Nothing else can succeed either. */
const AWAY: readonly ErrorCode[] = ["unavailable", "not_proposed", "outcome_unknown"];

export interface DuePublishesDeps extends StageDeps {
  core: Pick<CorePort, "propose" | "listDuePublishes" | "getPublish">;
  /** Only says what to ask for: whether a stage has baked is for the log's time to decide. */
  nowMs: () => number;
  /** Milliseconds until the invocation must have ended. */
  remainingMs: () => number;
  /** Between 0 and 1: which plans with gates come first. */
  random: () => number;
  log: (line: Record<string, string | number>) => void;
}

export interface PublishStageReport extends Record<StageOutcome, number> {
  /** Of those that waited or were held back: their stage has baked PUBLISH_OVERDUE_MS ago. */
  overdue: number;
  /** Plans were left for the next invocation for want of time. */
  left: boolean;
}

/**
 * Moves every plan on whose stage has baked or whose pause counts as forgotten, the longest due first, until there is none
 * left or the time is short; then those with gates, in an order of chance, so that the slow webhooks of some
 * never keep the same others back. One plan that fails does not keep the others back: they are tried first, then the
 * invocation rejects and says which failed. Rejects at once with what a dependency says that is away. Logs each plan that
 * is overdue, which an alarm counts.
 */
export async function advanceDuePublishes(deps: DuePublishesDeps): Promise<PublishStageReport> {
  const counts = { advanced: 0, stopped: 0, waiting: 0, settled: 0, leased: 0, held: 0 };
  const report: PublishStageReport = { ...counts, overdue: 0, left: false };
  const failures: Failure[] = [];
  const nowMs = Math.floor(deps.nowMs());
  const count = async (plan: PublishPlan, advance: typeof advancePublishStage): Promise<void> => {
    try {
      const outcome = await advance(deps, plan);
      report[outcome] += 1;
      if ((outcome === "waiting" || outcome === "held") && isOverdue(plan, nowMs)) {
        report.overdue += 1;
        deps.log({ level: "warn", msg: "publish overdue", publish_id: plan.id, outcome });
      }
    } catch (error) {
      if (isAway(error)) throw error;
      failures.push({ plan, error });
    }
  };
  const isShort = (reserveMs: number): boolean => {
    report.left ||= deps.remainingMs() < reserveMs;
    return report.left;
  };
  const gated: PublishPlan[] = [];
  let isHolder = false;
  try {
    await eachDuePage(deps, nowMs, async (page) => {
      gated.push(...page.filter(hasOpenGates));
      const others = page.filter((plan) => !hasOpenGates(plan));
      if (others.length > 0) {
        isHolder = await deps.leases.acquire(DUE_LEASE, deps.holder, PUBLISH_LEASE_MS);
        if (!isHolder) report.leased += others.length;
      }
      await eachInFlight(isHolder ? others : [], IN_FLIGHT_MAX, async (plan) => {
        if (!isShort(MOVE_RESERVE_MS)) await count(plan, movePublish);
      });
      return !report.left;
    });
  } finally {
    if (isHolder) await deps.leases.release(DUE_LEASE, deps.holder);
  }
  await eachInFlight(draw(gated, deps.random), GATED_IN_FLIGHT_MAX, async (plan) => {
    if (!isShort(STAGE_RESERVE_MS)) await count(plan, advancePublishStage);
  });
  if (failures.length > 0) throw toFailure(failures);
  return report;
}

/** Reads what is due by `nowMs`, the longest due first, and hands it on page by page while `work` answers true. */
async function eachDuePage(
  { core }: Pick<DuePublishesDeps, "core">,
  nowMs: number,
  work: (page: readonly PublishPlan[]) => Promise<boolean>,
): Promise<void> {
  let cursor: string | null = "";
  while (cursor !== null) {
    const page = await core.listDuePublishes({
      due_before_ms: nowMs,
      limit: DUE_PAGE_MAX,
      ...(cursor === "" ? {} : { cursor }),
    });
    cursor = (await work(page.items)) ? page.next_cursor : null;
  }
}

interface Failure {
  plan: PublishPlan;
  error: unknown;
}

function isOverdue(plan: PublishPlan, nowMs: number): boolean {
  const bakedMs = bakedAtMs(plan);
  return bakedMs !== null && bakedMs + PUBLISH_OVERDUE_MS <= nowMs;
}

/** Up to GATED_PLANS_MAX of the plans, in an order of chance (Fisher and Yates). */
function draw(plans: readonly PublishPlan[], random: () => number): PublishPlan[] {
  const drawn = [...plans];
  for (let i = drawn.length - 1; i > 0; i -= 1) {
    const k = Math.floor(random() * (i + 1));
    const [one, other] = [drawn[i], drawn[k]];
    if (one !== undefined && other !== undefined) [drawn[i], drawn[k]] = [other, one];
  }
  return drawn.slice(0, GATED_PLANS_MAX);
}

/**
 * Moves the plan of each hint on if its stage has baked, and answers the ids of the messages that must come again: those
 * that are no hints (they end in the dead-letter queue), that failed, or that there was no time for.
 */
export async function advanceHintedPublishes(
  deps: DuePublishesDeps,
  hints: readonly { messageId: string; publishId: string | null }[],
): Promise<string[]> {
  const again: string[] = [];
  await eachInFlight(hints, HINTS_IN_FLIGHT_MAX, async ({ messageId, publishId }) => {
    if (publishId === null || deps.remainingMs() < STAGE_RESERVE_MS) {
      again.push(messageId);
      return;
    }
    try {
      await followHint(deps, publishId);
    } catch (error) {
      // Told to the queue, message by message; nothing is dropped.
      if (!(error instanceof ConfluxError)) throw error;
      again.push(messageId);
    }
  });
  return again;
}

async function followHint(deps: DuePublishesDeps, publishId: string): Promise<void> {
  const plan = await findPlan(deps, publishId);
  const dueAtMs = plan === null ? null : publishDueAtMs(plan);
  // A hint may be forged, late or early: what is not due is left to the schedule.
  if (plan !== null && dueAtMs !== null && dueAtMs <= deps.nowMs()) await advancePublishStage(deps, plan);
}

async function findPlan(deps: DuePublishesDeps, publishId: string): Promise<PublishPlan | null> {
  try {
    return (await deps.core.getPublish(publishId)).publish;
  } catch (error) {
    if (error instanceof ConfluxError && error.code === "not_found") return null;
    throw error;
  }
}

/** Runs `work` for each item, `inFlightMax` at a time, in order of their beginning. The first rejection ends it. */
async function eachInFlight<T>(
  items: readonly T[],
  inFlightMax: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values();
  let hasFailed = false;
  const run = async (): Promise<void> => {
    for (const item of queue) {
      if (hasFailed) return;
      try {
        await work(item);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    }
  };
  const runs = await Promise.allSettled(Array.from({ length: inFlightMax }, run));
  for (const settled of runs) if (settled.status === "rejected") throw settled.reason;
}

const isAway = (error: unknown): boolean => error instanceof ConfluxError && AWAY.includes(error.code);

function toFailure(failures: readonly Failure[]): ConfluxError {
  const told = failures.slice(0, FAILURES_TOLD_MAX).map(({ plan, error }) => {
    return `${plan.id}: ${error instanceof Error ? error.message : String(error)}`;
  });
  const cause = new AggregateError(failures.map(({ error }) => error));
  return new ConfluxError("internal", `${failures.length} plans failed: ${told.join("; ")}`, { cause });
}
