import { replicaName } from "../../contracts/delivery/replica-rpc.ts";
import { logEvent } from "./log-event.ts";
import { regionsOf, type WatchEnv } from "./watch-env.ts";

export { RegionReplica } from "./region-replica.ts";
export { WatchHub } from "./watch-hub.ts";

/** The watch Worker: home of the Durable Objects. It serves nobody directly; cron revives replicas that stopped. */
export default {
  fetch(): Response {
    return new Response(null, { status: 404 });
  },

  async scheduled(_controller, env) {
    const regions = regionsOf(env);
    const results = await Promise.allSettled(
      regions.map((region) => env.REPLICA.getByName(replicaName(region)).ensureFollowing()),
    );
    for (const [i, result] of results.entries()) {
      if (result.status === "fulfilled") continue;
      logEvent({ level: "error", event: "replica_not_started", region: regions[i] ?? "" }, result.reason);
    }
  },
} satisfies ExportedHandler<WatchEnv>;
