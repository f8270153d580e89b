import { PUBLISH_OVERDUE_LINE } from "../../contracts/publish/publish-overdue.ts";
import type { StateView } from "../../domain/command/state-view.ts";
import { PUBLISH_OVERDUE_MS } from "../../domain/limits.ts";
import { type PublishPlan, publishDueAtMs } from "../../domain/publish/publish-plan.ts";
import { listDuePublishes } from "../../domain/publish/read-publishes.ts";
import type { ReplicatedLogStatus } from "../replicated-log.ts";
import type { Logger } from "./core-context.ts";

/** How often a leader looks. */
const LOOK_EVERY_MS = 60_000;

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

  #oldest(): { publish: PublishPlan; dueForMs: number } | null {
    const nowMs = this.#options.nowMs();
    const [publish] = listDuePublishes(this.#options.state, { due_before_ms: nowMs, limit: 1 }).items;
    const dueAtMs = publish === undefined ? null : publishDueAtMs(publish);
    return publish === undefined || dueAtMs === null ? null : { publish, dueForMs: nowMs - dueAtMs };
  }
}
