import type { CorePort } from "../../contracts/core/core-port.ts";
import { ConfluxError, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import { type PublishPlan, publishDueAtMs } from "../../domain/publish/publish-plan.ts";
import { advancePublishStage, type StageDeps, type StageOutcome } from "./advance-publish-stage.ts";

/** Plans read at once. */
const DUE_PAGE_MAX = 100;
/** Plans moved side by side. A config has one running plan at most, so each config's moves stay in order. */
const IN_FLIGHT_MAX = 8;
/** Left at the end of an invocation for the moves on the way: a proposal's longest time and some. */
export const STAGE_RESERVE_MS = 15_000;
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
}

export interface PublishStageReport extends Record<StageOutcome, number> {
  /** Plans were left for the next invocation for want of time. */
  left: boolean;
}

/**
 * Moves every plan on whose stage has baked or whose pause counts as forgotten, the longest due first, until there is none left or the time is short. One
 * plan that fails does not keep the others back: they are tried first, then the invocation rejects and says which failed.
 * Rejects at once with what a dependency says that is away.
 */
export async function advanceDuePublishes(deps: DuePublishesDeps): Promise<PublishStageReport> {
  const report: PublishStageReport = { advanced: 0, settled: 0, leased: 0, held: 0, left: false };
  const failures: { plan: PublishPlan; error: unknown }[] = [];
  const dueBeforeMs = Math.floor(deps.nowMs());
  let cursor: string | null = "";
  while (cursor !== null && !report.left) {
    const page = await deps.core.listDuePublishes({
      due_before_ms: dueBeforeMs,
      limit: DUE_PAGE_MAX,
      ...(cursor === "" ? {} : { cursor }),
    });
    await eachInFlight(page.items, async (plan) => {
      if (deps.remainingMs() < STAGE_RESERVE_MS) {
        report.left = true;
        return;
      }
      try {
        report[await advancePublishStage(deps, plan)] += 1;
      } catch (error) {
        if (isAway(error)) throw error;
        failures.push({ plan, error });
      }
    });
    cursor = page.next_cursor;
  }
  if (failures.length > 0) throw toFailure(failures);
  return report;
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
  for (const { messageId, publishId } of hints) {
    if (publishId === null || deps.remainingMs() < STAGE_RESERVE_MS) {
      again.push(messageId);
      continue;
    }
    try {
      await followHint(deps, publishId);
    } catch (error) {
      // Told to the queue, message by message; nothing is dropped.
      if (!(error instanceof ConfluxError)) throw error;
      again.push(messageId);
    }
  }
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

/** Runs `work` for each item, IN_FLIGHT_MAX at a time, in order of their beginning. The first rejection ends it. */
async function eachInFlight<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
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
  const runs = await Promise.allSettled(Array.from({ length: IN_FLIGHT_MAX }, run));
  for (const settled of runs) if (settled.status === "rejected") throw settled.reason;
}

const isAway = (error: unknown): boolean => error instanceof ConfluxError && AWAY.includes(error.code);

function toFailure(failures: readonly { plan: PublishPlan; error: unknown }[]): ConfluxError {
  const told = failures.slice(0, FAILURES_TOLD_MAX).map(({ plan, error }) => {
    return `${plan.id}: ${error instanceof Error ? error.message : String(error)}`;
  });
  const cause = new AggregateError(failures.map(({ error }) => error));
  return new ConfluxError("internal", `${failures.length} plans failed: ${told.join("; ")}`, { cause });
}
