import { CoreClient } from "../../adapters/core-client/core-client.ts";
import { fetchThrough } from "../../adapters/core-client/fetch-through.ts";
import type { FollowedCore } from "./store-document.ts";
import type { WatchEnv } from "./watch-env.ts";

/** The core at the URLs of the deployment. Throws a `TypeError` when CORE_URLS is not a JSON list of URLs. */
export function openCore(env: WatchEnv): FollowedCore {
  const urls: unknown = JSON.parse(env.CORE_URLS);
  if (!Array.isArray(urls) || !urls.every((url) => typeof url === "string")) {
    throw new TypeError("CORE_URLS must be a JSON list of URLs");
  }
  return new CoreClient({
    urls,
    serviceKey: env.CORE_SERVICE_KEY,
    role: "replica",
    ...fetchThrough(env.CORE_TLS),
  });
}
