/** `npm start`: the whole system on this machine, until Ctrl-C. */
import { StartRefusal } from "./refusal.ts";
import { readSettings } from "./settings.ts";
import { type Stack, startStack } from "./supervisor.ts";

/** After this long a stop is no longer orderly. */
const STOP_MS_MAX = 10_000;

const asked = Promise.withResolvers<void>();
let isAsked = false;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(name, () => {
    if (isAsked) return;
    isAsked = true;
    console.log("\nStopping ...");
    asked.resolve();
  });
}

let running: Stack | null = null;
// What nobody caught is still no reason to leave processes behind.
process.once("uncaughtException", (error) => {
  console.error(error);
  void endAfterFault();
});
process.exit(await run());

/** Answers the exit code: 0 after an orderly stop, 1 when the stack could not be started. */
async function run(): Promise<number> {
  try {
    const stack = await startStack({
      settings: readSettings(process.env, process.cwd()),
      say: (line) => console.log(line),
    });
    running = stack;
    await Promise.race([stack.ready(), asked.promise]);
    await asked.promise;
    await stopInTime(stack);
    console.log("Stopped.");
    return 0;
  } catch (error) {
    console.error(error instanceof StartRefusal ? error.message : error);
    if (running) await stopInTime(running);
    return 1;
  }
}

async function endAfterFault(): Promise<void> {
  try {
    if (running) await stopInTime(running);
  } finally {
    process.exit(1);
  }
}

async function stopInTime(stack: Stack): Promise<void> {
  const timer = setTimeout(() => {
    console.error(`Not everything stopped within ${STOP_MS_MAX} ms.`);
    process.exit(1);
  }, STOP_MS_MAX);
  await stack.stop();
  clearTimeout(timer);
}
