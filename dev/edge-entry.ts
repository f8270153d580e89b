/**
 * The edge Worker of the local stack: what is deployed, except that a request's region is the first label of its
 * `Host` (`cn-chengdu.localhost:8787`), since nothing local arrives at a colo. Any other name is the default region.
 */
import { createEdge } from "../workers/edge/app.ts";
import type { EdgeEnv } from "../workers/edge/env.ts";
import { openEdgeCore } from "../workers/edge/open-core.ts";

const edge = createEdge({
  regionOf: (request, regions) => {
    const [label] = (request.headers.get("host") ?? "").split(/[.:]/);
    const region = regions.find((name) => name === label) ?? regions[0];
    if (region === undefined) throw new RangeError("REGIONS names no region");
    return region;
  },
  locationOf: () => undefined,
  openCore: openEdgeCore,
  log: (entry) => console.error(JSON.stringify({ worker: "edge", ...entry, error: String(entry.error) })),
});

export default { fetch: edge.fetch } satisfies ExportedHandler<EdgeEnv>;
