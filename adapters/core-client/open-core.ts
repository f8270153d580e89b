import { CoreClient } from "./core-client.ts";
import { fetchThrough } from "./fetch-through.ts";

/** The core at the URLs of a deployment. Throws a `TypeError` when `urls` is not a JSON list of URLs. */
export function openCore(input: {
  /** JSON list of base URLs. */
  urls: string;
  serviceKey: string;
  /** Presents the client certificate that the core's load balancer asks for; undefined where there is none before it. */
  tls: { fetch: typeof fetch } | undefined;
}): CoreClient {
  const urls: unknown = JSON.parse(input.urls);
  if (!Array.isArray(urls) || !urls.every((url) => typeof url === "string")) {
    throw new TypeError("CORE_URLS must be a JSON list of URLs");
  }
  return new CoreClient({ urls, serviceKey: input.serviceKey, role: "replica", ...fetchThrough(input.tls) });
}
