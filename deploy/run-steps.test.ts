import { expect, it } from "vitest";
import { DeployRefusal } from "./refusal.ts";
import { type DeployStep, runSteps } from "./run-steps.ts";

/** Three steps that write down what was asked of them; `failing` names the verb and step that throws. */
function recorded(failing = "", error: Error = new DeployRefusal("It cannot be.")) {
  const done: string[] = [];
  const step = (name: string): DeployStep => {
    const verb = (kind: string) => async (): Promise<string[]> => {
      done.push(`${kind} ${name}`);
      if (failing === `${kind} ${name}`) throw error;
      return [`${kind} of ${name} went well`];
    };
    return { name, check: verb("check"), run: verb("run") };
  };
  const printed: string[] = [];
  return { done, printed, print: (line: string) => printed.push(line), steps: ["a", "b", "c"].map(step) };
}

it("L8 a dry run checks every step in order and runs none", async () => {
  const { steps, done, print, printed } = recorded();
  expect(await runSteps(steps, { dryRun: true, print })).toBe(true);
  expect(done).toEqual(["check a", "check b", "check c"]);
  expect(printed).toContain("[2/3] check b");
});

it("L8 a deployment checks everything before it changes anything", async () => {
  const { steps, done, print } = recorded();
  expect(await runSteps(steps, { dryRun: false, print })).toBe(true);
  expect(done).toEqual(["check a", "check b", "check c", "run a", "run b", "run c"]);
});

it("L8 a step that fails stops the rest, and what was not done is named", async () => {
  const { steps, done, print, printed } = recorded("run b");
  expect(await runSteps(steps, { dryRun: false, print })).toBe(false);
  expect(done.slice(3)).toEqual(["run a", "run b"]);
  expect(printed.slice(-2)).toEqual(["      failed: It cannot be.", "stopped; not done: c"]);
});

it("L8 a check that fails lets nothing run", async () => {
  const { steps, done, print, printed } = recorded("check c", new Error("a bug"));
  expect(await runSteps(steps, { dryRun: false, print })).toBe(false);
  expect(done).toEqual(["check a", "check b", "check c"]);
  expect(printed.at(-1)).toContain("failed: Error: a bug");
});
