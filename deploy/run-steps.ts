import { DeployRefusal } from "./refusal.ts";

/** One step of a deployment. Both verbs answer lines for the operator and throw when the deployment must not go on. */
export interface DeployStep {
  name: string;
  /** What can be known without an account. Changes nothing. */
  check(): Promise<string[]>;
  /** Does it. Repeatable. */
  run(): Promise<string[]>;
}

/**
 * Checks every step in order and then, unless `dryRun`, runs every step in order; so nothing is changed while anything
 * is known to be wrong. The first that fails stops the rest. Answers whether all went well.
 */
export async function runSteps(
  steps: readonly DeployStep[],
  options: { dryRun: boolean; print: (line: string) => void },
): Promise<boolean> {
  const verbs = options.dryRun ? (["check"] as const) : (["check", "run"] as const);
  for (const verb of verbs) {
    for (const [i, step] of steps.entries()) {
      const title = `[${i + 1}/${steps.length}] ${verb} ${step.name}`;
      options.print(title);
      try {
        for (const line of await step[verb]()) options.print(`      ${line}`);
      } catch (error) {
        const reason =
          error instanceof DeployRefusal
            ? error.message
            : error instanceof Error
              ? error.stack
              : String(error);
        options.print(`      failed: ${reason}`);
        const left = steps.slice(i + 1).map(({ name }) => name);
        if (left.length > 0) options.print(`stopped; not done: ${left.join(", ")}`);
        return false;
      }
    }
  }
  return true;
}
