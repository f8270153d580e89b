/** `npx conflux ...`: see `cli/conflux`, which finds the right Node. */
import { EXIT } from "./cli-io.ts";
import { runCli } from "./run-cli.ts";
import { systemWords } from "./system-words.ts";

let isLost = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  // A reader that has read enough (`| head -1`) is no fault: the verb ends as it would have.
  if (error.code === "EPIPE" || isLost) return;
  isLost = true;
  process.stderr.write(`conflux: the output cannot be written: ${systemWords(error)}\n`);
  process.exitCode = EXIT.refused;
});
// There is nowhere left to say it.
process.stderr.on("error", () => undefined);

const exitCode = await runCli(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  isTerminal: process.stdout.isTTY,
  out: (text) => process.stdout.write(`${text}\n`),
  err: (text) => process.stderr.write(`${text}\n`),
  fetch,
});
process.exitCode = isLost ? EXIT.refused : exitCode;
