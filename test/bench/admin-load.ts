import type { Answer } from "../testing/stack-client.ts";
import { type Figure, figure, quantile } from "./figures.ts";

/** How much is measured. */
export interface AdminPlan {
  runs: number;
  /** Of a run of a case. */
  requests: number;
  /** Bundles applied in a run. */
  bundles: number;
  logins: number;
  checks: number;
  /** Configs that are there, ascending. */
  sizes: number[];
}
/** Request number `i`, sent by client `client`, which has no other under way. */
export type Ask = (i: number, client: number) => Promise<Answer>;
export interface Asked {
  perS: number;
  p99Ms: number;
}

/**
 * Sends so many requests by so many clients, each one after the other. What follows a request until `settle` resolves is no
 * part of the figures. Throws at the first that is refused.
 */
export async function askAtOnce(input: {
  clients: number;
  requests: number;
  ask: Ask;
  settle?: (answer: Answer) => Promise<void>;
}): Promise<Asked> {
  const tookMs: number[] = [];
  let next = 0;
  const client = async (number: number): Promise<void> => {
    while (next < input.requests) {
      const i = next;
      next += 1;
      const sentMs = performance.now();
      const answer = await input.ask(i, number);
      tookMs.push(performance.now() - sentMs);
      if (answer.status >= 300) throw new Error(`request ${i}: ${answer.status} ${answer.text}`);
      await input.settle?.(answer);
    }
  };
  await Promise.all(Array.from({ length: input.clients }, (_, number) => client(number)));
  const meanMs = tookMs.reduce((sum, ms) => sum + ms, 0) / tookMs.length;
  return { perS: (input.clients / meanMs) * 1_000, p99Ms: quantile(tookMs, 0.99) };
}

/** Requests a second and the slowest hundredth. */
export function requestFigures(name: string, runs: readonly Asked[]): Figure[] {
  const of = (metric: string, unit: string, values: number[]): Figure =>
    figure({ bench: "admin", case: name, system: "conflux", metric, unit }, values);
  const figures = [
    of(
      "requests_per_s",
      "requests/s",
      runs.map((run) => run.perS),
    ),
    of(
      "p99_ms",
      "ms",
      runs.map((run) => run.p99Ms),
    ),
  ];
  for (const { metric, min, median, max } of figures) console.error(name, metric, min, median, max);
  return figures;
}
