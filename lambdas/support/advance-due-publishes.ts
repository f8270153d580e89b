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
/**
 * Of the time that an invocation has, what plans without gates leave to those with gates: however many of the first are held
 * by a freeze and proposed anew each time, a gate that fails stops its plan.
 */
const GATED_SHARE = 0.25;
/** Plans without gates that are remembered for when those with gates are done: more than there is time for then. */
const LATER_PLANS_MAX = 5_000;
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
 * never keep the same others back, in a share of the time that is theirs; then what was left of the first. One plan that
 * fails does not keep the others back: they are tried first, then the invocation rejects and says which failed. Rejects at
 * once with what a dependency says that is away. Logs each plan that is overdue, which an alarm counts.
 */
export async function advanceDuePublishes(deps: DuePublishesDeps): Promise<PublishStageReport> {
  const counts = { advanced: 0, stopped: 0, waiting: 0, settled: 0, leased: 0, held: 0 };
  const report: PublishStageReport = { ...counts, overdue: 0, left: false };
  const failures: Failure[] = [];
  const nowMs = Math.floor(deps.nowMs());
  const count: Count = async (plan, advance) => {
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
  const keptMs = STAGE_RESERVE_MS + GATED_SHARE * Math.max(0, deps.remainingMs() - STAGE_RESERVE_MS);
  const gated: PublishPlan[] = [];
  const later: PublishPlan[] = [];
  await underDueLease(deps, async (acquire) => {
    let hasDropped = false;
    const isCut = await eachDuePage(deps, nowMs, async (page) => {
      gated.push(...page.filter(hasOpenGates));
      const others = page.filter((plan) => !hasOpenGates(plan));
      const notBegun = await moveOthers({ deps, report, count, acquire }, others, keptMs);
      later.push(...notBegun);
      hasDropped ||= later.length > LATER_PLANS_MAX;
      later.length = Math.min(later.length, LATER_PLANS_MAX);
      // Also when there is no more time for these: there may be some with gates behind them.
      return deps.remainingMs() >= STAGE_RESERVE_MS;
    });
    report.left = isCut || hasDropped;
  });
  await eachInFlight(draw(gated, deps.random), GATED_IN_FLIGHT_MAX, async (plan) => {
    if (deps.remainingMs() < STAGE_RESERVE_MS) report.left = true;
    else await count(plan, advancePublishStage);
  });
  await underDueLease(deps, async (acquire) => {
    for (let i = 0; i < later.length; i += DUE_PAGE_MAX) {
      const some = later.slice(i, i + DUE_PAGE_MAX);
      const left = await moveOthers({ deps, report, count, acquire }, some, MOVE_RESERVE_MS);
      report.left ||= left.length > 0;
    }
  });
  if (failures.length > 0) throw toFailure(failures);
  return report;
}

type Count = (plan: PublishPlan, advance: typeof advancePublishStage) => Promise<void>;
/** Takes or renews the lease; whether it is held. */
type Acquire = () => Promise<boolean>;

/** Moves plans without gates, and answers those that were not begun, so that `reserveMs` are left. */
async function moveOthers(
  run: { deps: DuePublishesDeps; report: PublishStageReport; count: Count; acquire: Acquire },
  plans: readonly PublishPlan[],
  reserveMs: number,
): Promise<readonly PublishPlan[]> {
  const { deps, report, count, acquire } = run;
  if (plans.length === 0 || deps.remainingMs() < reserveMs) return plans;
  if (!(await acquire())) {
    report.leased += plans.length;
    return [];
  }
  const left: PublishPlan[] = [];
  await eachInFlight(plans, IN_FLIGHT_MAX, async (plan) => {
    if (deps.remainingMs() < reserveMs) left.push(plan);
    else await count(plan, movePublish);
  });
  return left;
}

/** Gives the lease of all plans without gates back when `work` is done, if it had it. */
async function underDueLease(
  { leases, holder }: Pick<DuePublishesDeps, "leases" | "holder">,
  work: (acquire: Acquire) => Promise<void>,
): Promise<void> {
  let isHolder = false;
  try {
    await work(async () => {
      isHolder = await leases.acquire(DUE_LEASE, holder, PUBLISH_LEASE_MS);
      return isHolder;
    });
  } finally {
    if (isHolder) await leases.release(DUE_LEASE, holder);
  }
}

/**
 * Reads what is due by `nowMs`, the longest due first, and hands it on page by page while `work` answers true. Answers whether
 * there was more.
 */
async function eachDuePage(
  { core }: Pick<DuePublishesDeps, "core">,
  nowMs: number,
  work: (page: readonly PublishPlan[]) => Promise<boolean>,
): Promise<boolean> {
  let cursor: string | null = "";
  while (cursor !== null) {
    const page = await core.listDuePublishes({
      due_before_ms: nowMs,
      limit: DUE_PAGE_MAX,
      ...(cursor === "" ? {} : { cursor }),
    });
    cursor = page.next_cursor;
    if (!(await work(page.items))) return cursor !== null;
  }
  return false;
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
