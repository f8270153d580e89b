/** `npm run deploy`: the whole deployment in order. `-- --dry-run` checks all of it without an account. */
import { parseArgs } from "node:util";
import { deploymentSteps, refuseIncomplete } from "./deployment-steps.ts";
import { DeployRefusal } from "./refusal.ts";
import { runSteps } from "./run-steps.ts";

try {
  const { values } = parseArgs({
    options: {
      "dry-run": { type: "boolean", default: false },
      env: { type: "string", default: "production" },
    },
  });
  const input = { environment: values.env, variables: process.env };
  if (!values["dry-run"]) await refuseIncomplete(input);
  const isDone = await runSteps(deploymentSteps(input), { dryRun: values["dry-run"], print: console.log });
  if (isDone) console.log(values["dry-run"] ? "Everything that needs no account holds." : "Deployed.");
  process.exitCode = isDone ? 0 : 1;
} catch (error) {
  const isOurs = error instanceof DeployRefusal || error instanceof TypeError || error instanceof RangeError;
  console.error(isOurs ? error.message : error);
  process.exitCode = 1;
}
