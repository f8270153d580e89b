/**
 * Child of the supervisor: the three Workers in one workerd: `node workers-host.ts <folder of the bundles>`. It bundles them, starts Miniflare, reports workerd's pid,
 * and stands in for the platform's cron. Miniflare starts a crashed workerd again on the same sockets; should that not
 * succeed, this process ends and the supervisor starts it anew.
 */
import { join } from "node:path";
import { stop as stopEsbuild } from "esbuild";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";
import { bundleWorker } from "./bundle-worker.ts";
import { keepBundle } from "./keep-bundle.ts";
import { childrenOf, identify } from "./process-identity.ts";
import { WORKER_ENTRIES, type WorkersConfig, workersOptions } from "./workers-options.ts";

/** How often the watch Worker's cron runs (it revives replicas that stopped following). */
const CRON_EVERY_MS = 30_000;
const WORKERD_CHECK_EVERY_MS = 500;
/** Checks in a row without a workerd after which this process gives up. */
const WORKERD_MISSING_CHECKS_MAX = 10;
/** How long the Workers may take to stop. */
const DISPOSE_MS = 3_000;

export interface HostMessage {
  type: "ready" | "workerd";
  workerdPid: number;
}

const [buildDir] = process.argv.slice(2);
if (buildDir === undefined) throw new Error("usage: workers-host.ts <folder of the bundles>");
// Bundled while the supervisor is still opening the signing key that the configuration carries.
const bundles = Promise.all(
  (["edge", "watch", "admin"] as const).map((name) =>
    keepBundle(join(buildDir, `worker-${name}.mjs`), () => bundleWorker(WORKER_ENTRIES[name])),
  ),
);
// Whoever runs them hears of it.
bundles.catch(() => undefined);

// The guard of exit-with-parent.ts lets go of the channel; here it is what there is to wait for.
process.channel?.ref();
process.once("message", (config: WorkersConfig) => {
  run(config).catch((error: unknown) => {
    // A failed build says in its message what is wrong and where; its stack is esbuild's own.
    console.error(error instanceof Error && "errors" in error ? error.message : error);
    process.exit(1);
  });
});

async function run(config: WorkersConfig): Promise<void> {
  const [edge, watch, admin] = await bundles;
  // esbuild's own process is not needed any more.
  await stopEsbuild();
  const sources = { edge: edge ?? "", watch: watch ?? "", admin: admin ?? "" };
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...workersOptions(config, sources),
      handleStructuredLogs: ({ message }) => console.log(message),
      unsafeHandleRuntimeRestart: async () => {
        console.log(`workerd started again, pid ${workerdPid()}`);
        report("workerd");
        await cron(miniflare);
      },
    }),
  );
  stopOnSignal(miniflare);
  await miniflare.ready;
  report("ready");
  watchWorkerd();
  process.on("message", () => void cron(miniflare));
  setInterval(() => void cron(miniflare), CRON_EVERY_MS);
}

/** Runs the watch Worker's scheduled handler; a failure is logged, and the next tick is the retry. */
async function cron(miniflare: Miniflare): Promise<void> {
  try {
    const watch = await miniflare.getWorker("watch");
    await watch.scheduled({ cron: "* * * * *", scheduledTime: new Date() });
  } catch (error) {
    console.error("cron of the watch Worker failed:", error);
  }
}

function report(type: HostMessage["type"]): void {
  const message: HostMessage = { type, workerdPid: workerdPid() ?? 0 };
  process.send?.(message);
}

function workerdPid(): number | null {
  return childrenOf(process.pid).find((child) => /\bworkerd\S* serve /.test(child.command))?.pid ?? null;
}

/** Ends this process when workerd stays away: Miniflare could not start it again. */
function watchWorkerd(): void {
  let known = workerdPid();
  let missing = 0;
  setInterval(() => {
    if (known === null || identify(known) === null) known = workerdPid();
    missing = known === null ? missing + 1 : 0;
    if (missing > WORKERD_MISSING_CHECKS_MAX) {
      console.error("workerd is gone and did not come back");
      process.exit(1);
    }
  }, WORKERD_CHECK_EVERY_MS);
}

function stopOnSignal(miniflare: Miniflare): void {
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    process.once(name, () => {
      setTimeout(() => process.exit(1), DISPOSE_MS).unref();
      miniflare.dispose().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error);
          process.exit(1);
        },
      );
    });
  }
}
