/** `npm start`: the whole system on this machine, until Ctrl-C. */
import { StartRefusal } from "./refusal.ts";
import { readSettings } from "./settings.ts";
import { type Stack, startStack } from "./supervisor.ts";

/** After this long a stop is no longer orderly. */
const STOP_MS_MAX = 10_000;

let stack: Stack | null = null;
let stopping = false;
let startAborted: (() => void) | null = null;

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    if (stopping) return;
    stopping = true;
    console.log("\nStopping ...");
    setTimeout(() => {
      console.error(`Not everything stopped within ${STOP_MS_MAX} ms.`);
      process.exit(1);
    }, STOP_MS_MAX).unref();
    startAborted?.();
  });
}

try {
  await run();
  process.exit(0);
} catch (error) {
  console.error(error instanceof StartRefusal ? error.message : error);
  await stack?.stop();
  process.exit(1);
}

async function run(): Promise<void> {
  const aborted = new Promise<void>((done) => {
    startAborted = done;
  });
  stack = await startStack({ settings: readSettings(process.env, process.cwd()), say: (line) => console.log(line) });
  await Promise.race([stack.ready(), aborted]);
  await aborted;
  await stack.stop();
  console.log("Stopped.");
}
