import { z } from "zod";

export const clusterStatusView = z
  .object({
    cluster_id: z.string(),
    epoch: z.int(),
    leader_id: z.int().nullable(),
    term: z.int(),
    nodes: z.array(
      z.object({
        node_id: z.int(),
        role: z.enum(["leader", "follower", "learner"]),
        /** Null for who is no operator. */
        raft_address: z.string().nullable(),
        match_index: z.int().meta({ description: "0 of a node that is not healthy: not known" }),
        last_applied: z.int().meta({ description: "0 of a node that is not healthy: not known" }),
        healthy: z.boolean().meta({ description: "It answers its leader" }),
        fenced: z.boolean().default(false).meta({
          description:
            "It has lost its disk: it follows, whatever its role, and never votes. Replace it under a new id",
        }),
      }),
    ),
  })
  .meta({ id: "ClusterStatus" });

/** What a probe asks for: which parts this host can reach. */
export const readinessView = z
  .object({ ready: z.boolean(), checks: z.record(z.string(), z.boolean()) })
  .meta({ id: "Readiness" });
