/** A load as a process of its own, for clients that stand in another network: remote-core-load.ts talks to it. */
import { fetchMetrics } from "./core-cluster.ts";
import { CoreLoad } from "./core-load.ts";
import type { LoadAnswer, LoadRequest } from "./remote-core-load.ts";

let load: CoreLoad | null = null;

function running(): CoreLoad {
  if (load === null) throw new Error("no load was started");
  return load;
}

async function answer({ ask }: LoadRequest): Promise<unknown> {
  switch (ask.kind) {
    case "start":
      load = await CoreLoad.start(ask.options);
      return null;
    case "acknowledged":
      return running().acknowledged();
    case "stop":
      return running().stop();
    default:
      return fetchMetrics(ask.url);
  }
}

process.on("message", (request: LoadRequest) => {
  const { id } = request;
  const say = (message: LoadAnswer): void => {
    process.send?.(message);
  };
  answer(request).then(
    (value) => say({ id, ok: true, value }),
    (error: unknown) =>
      say({ id, ok: false, error: error instanceof Error ? (error.stack ?? "") : String(error) }),
  );
});
process.on("disconnect", () => process.exit(0));
