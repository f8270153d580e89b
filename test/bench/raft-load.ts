import { join } from "node:path";
import { type Measurement, runLoadProcess } from "./load-process.ts";
import type { LoadPlan } from "./raft-load-plan.ts";

const PROGRAM = join(import.meta.dirname, "raft-load-child.ts");

/** Runs one load generator to its end, and counts what the processes `pids` used meanwhile. */
export function runLoad(plan: LoadPlan, pids: readonly number[]): Promise<Measurement> {
  return runLoadProcess({ program: PROGRAM, name: `${plan.via} ${plan.operation}`, plan, pids });
}
