import { regionOfColo } from "../../domain/delivery/colo-regions.ts";
import { createEdge } from "./app.ts";
import type { EdgeEnv } from "./env.ts";
import type { LogEntry } from "./exchange.ts";
import { openEdgeCore } from "./open-core.ts";

function log({ error, ...entry }: LogEntry): void {
  const cause = error instanceof Error ? (error.stack ?? error.message) : error;
  // oxlint-disable-next-line no-console -- the console is where a Worker's log lines are collected
  console.error(JSON.stringify({ worker: "conflux-edge", ...entry, cause }));
}

function coloOf(request: Request): string | undefined {
  const colo = request.cf?.["colo"];
  return typeof colo === "string" ? colo : undefined;
}

/** The region is where the request arrived, as Cloudflare tells; no header has a say. */
const edge = createEdge({
  regionOf: (request, regions) => regionOfColo(coloOf(request), regions),
  locationOf: coloOf,
  openCore: openEdgeCore,
  log,
});

export default { fetch: edge.fetch } satisfies ExportedHandler<EdgeEnv>;
