import { PUBLISH_OVERDUE_LINE } from "../../contracts/publish/publish-overdue.ts";
import type { StateView } from "../../domain/command/state-view.ts";
import { PUBLISH_OVERDUE_MS } from "../../domain/limits.ts";
import { bakedAtMs, type PublishPlan, publishDueAtMs } from "../../domain/publish/publish-plan.ts";
import { listDuePublishes } from "../../domain/publish/read-publishes.ts";
import type { ReplicatedLogStatus } from "../replicated-log.ts";
import type { Logger } from "./core-context.ts";

/** How often a leader looks. */
const LOOK_EVERY_MS = 60_000;
/** Plans read at once. */
const DUE_PAGE_MAX = 100;
/** Plans that one look reads at most: more than that bake in stages with gates, or are due, at once on no cluster that is well. */
const DUE_PLANS_MAX = 10_000;

export interface OverduePublishWatchOptions {
  state: StateView;
  status: () => Pick<ReplicatedLogStatus, "role">;
  logger: Logger;
  nowMs: () => number;
}

/**
 * Sees plans that are due and that nobody moves on (P4), whatever the reason: that the function which should is not
 * invoked is among them, so the core looks by itself. A leader says so once a minute, which an alarm waits for
 * (cdk/observability-stack.ts); `oldestDueS` is a metric of every node.
 */
export class OverduePublishWatch {
  readonly #options: OverduePublishWatchOptions;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: OverduePublishWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Seconds for which the plan that is due longest has been due; 0 when none is. */
  oldestDueS(): number {
    return (this.#oldest()?.dueForMs ?? 0) / 1000;
  }

  look(): void {
    const { status, logger } = this.#options;
    if (status().role !== "leader") return;
    const oldest = this.#oldest();
    if (oldest === null || oldest.dueForMs < PUBLISH_OVERDUE_MS) return;
    const { publish, dueForMs } = oldest;
    logger({
      level: "warn",
      msg: PUBLISH_OVERDUE_LINE,
      publish_id: publish.id,
      due_for_s: Math.floor(dueForMs / 1000),
    });
  }

  /**
   * The plan whose stage has baked, or whose pause counts as forgotten, for longest. Plans whose stage has gates are to be
   * looked at from its beginning on, which says nothing of them: they bake, or wait for a hand.
   */
  #oldest(): { publish: PublishPlan; dueForMs: number } | null {
    const nowMs = this.#options.nowMs();
    let oldest: { publish: PublishPlan; dueForMs: number } | null = null;
    for (const publish of this.#toLookAt(nowMs)) {
      const lookedAtForMs = nowMs - (publishDueAtMs(publish) ?? nowMs);
      // No stage has baked before it is to be looked at, so none that follows has been due for longer.
      if (oldest !== null && lookedAtForMs <= oldest.dueForMs) break;
      const dueAtMs = publish.pause?.ends_at_ms ?? bakedAtMs(publish);
      if (dueAtMs === null || dueAtMs > nowMs) continue;
      const dueForMs = nowMs - dueAtMs;
      if (oldest === null || dueForMs > oldest.dueForMs) oldest = { publish, dueForMs };
    }
    return oldest;
  }

  /** What is to be looked at, that which is so for longest first. */
  *#toLookAt(nowMs: number): Generator<PublishPlan> {
    const { state } = this.#options;
    let cursor: string | null = "";
    for (let read = 0; cursor !== null && read < DUE_PLANS_MAX; read += DUE_PAGE_MAX) {
      const { items, next_cursor } = listDuePublishes(state, {
        due_before_ms: nowMs,
        limit: DUE_PAGE_MAX,
        ...(cursor === "" ? {} : { cursor }),
      });
      yield* items;
      cursor = next_cursor;
    }
  }
}
