import type { CorePort } from "../../contracts/core/core-port.ts";
import { openCore } from "../../adapters/core-client/open-core.ts";
import type { EdgeEnv } from "./env.ts";

/** What the edge asks of the core when its region does not answer. */
export type EdgeCore = Pick<CorePort, "edgeConfig" | "getBlob">;

/** The core as this Worker's bindings name it. */
export function openEdgeCore(env: EdgeEnv): EdgeCore {
  return openCore({ urls: env.CORE_URLS, serviceKey: env.CORE_SERVICE_KEY, tls: env.CORE_TLS });
}
