import { openCore as openCoreAt } from "../../adapters/core-client/open-core.ts";
import type { FollowedCore } from "./store-document.ts";
import type { WatchEnv } from "./watch-env.ts";

/** The core as this Worker's bindings name it. Throws a `TypeError` when CORE_URLS is not a JSON list of URLs. */
export function openCore(env: WatchEnv): FollowedCore {
  return openCoreAt({ urls: env.CORE_URLS, serviceKey: env.CORE_SERVICE_KEY, tls: env.CORE_TLS });
}
