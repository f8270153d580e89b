import { spawn } from "node:child_process";
import { join } from "node:path";
import { DeployRefusal } from "./refusal.ts";

export const PROJECT_DIRECTORY = join(import.meta.dirname, "..");
/** How much of a failed command's output its refusal repeats. */
const OUTPUT_TAIL_CHARACTERS = 2_000;

/**
 * Runs a program of node_modules in the project and answers what it printed. Throws a `DeployRefusal` with the end of
 * its output when it fails. `show` repeats the output as it comes, and lets the program ask.
 */
export async function runCommand(
  program: "wrangler" | "cdk",
  args: readonly string[],
  options: { show?: boolean } = {},
): Promise<string> {
  const child = spawn(join(PROJECT_DIRECTORY, "node_modules/.bin", program), args, {
    cwd: PROJECT_DIRECTORY,
    env: { WRANGLER_SEND_METRICS: "false", CDK_DISABLE_VERSION_CHECK: "1", ...process.env },
    stdio: [options.show === true ? "inherit" : "ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (options.show === true) process.stdout.write(text);
    });
  }
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code === 0) return output;
  throw new DeployRefusal(
    `${program} ${args.join(" ")} ended with ${code}: ${output.trim().slice(-OUTPUT_TAIL_CHARACTERS)}`,
  );
}
