import { readReplicaGroups, replicaName } from "../../contracts/delivery/replica-rpc.ts";
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
    const groups = Array.from({ length: readReplicaGroups(env.REPLICA_GROUPS) }, (_, group) => group);
    const replicas = regionsOf(env).flatMap((region) => groups.map((group) => replicaName(region, group)));
    const results = await Promise.allSettled(
      replicas.map((name) => env.REPLICA.getByName(name).ensureFollowing()),
    );
    for (const [i, result] of results.entries()) {
      if (result.status === "fulfilled") continue;
      logEvent({ level: "error", event: "replica_not_started", region: replicas[i] ?? "" }, result.reason);
    }
  },
} satisfies ExportedHandler<WatchEnv>;
