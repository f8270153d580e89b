import { sampleInvariants } from "../../domain/command/sample-invariants.ts";
import type { StateView } from "../../domain/command/state-view.ts";
import type { Logger } from "./core-context.ts";

/** How often a node in production looks at its state, and at how many configs then. */
export const INVARIANT_SAMPLE = { everyBatches: 64, configs: 8 } as const;

/** The state is not what the commands can have made of it: the node must stop rather than spread it. */
export class StateInvariantError extends Error {
  constructor(wrong: readonly string[]) {
    super(`the state contradicts itself: ${wrong.join("; ")}`);
    this.name = "StateInvariantError";
  }
}

/** Checks a few configs after some of the applied batches, going round all of them (R11). */
export class InvariantSampler {
  readonly #options: { logger: Logger; onViolations: (count: number) => void; everyBatches: number };
  #batches = 0;
  #cursor: string | null = null;

  constructor(options: {
    logger: Logger;
    /** For the metric; before it throws. */
    onViolations: (count: number) => void;
    everyBatches?: number;
  }) {
    this.#options = { everyBatches: INVARIANT_SAMPLE.everyBatches, ...options };
  }

  /** Call after each applied batch. Throws `StateInvariantError`, which fails the log that drives the state. */
  applied(state: StateView): void {
    this.#batches += 1;
    if (this.#batches % this.#options.everyBatches > 0) return;
    const { wrong, next } = sampleInvariants(state, {
      cursor: this.#cursor,
      limit: INVARIANT_SAMPLE.configs,
    });
    this.#cursor = next;
    if (wrong.length === 0) return;
    this.#options.onViolations(wrong.length);
    this.#options.logger({ level: "error", msg: "the state contradicts itself", violations: wrong });
    throw new StateInvariantError(wrong);
  }
}
