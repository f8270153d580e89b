import { z } from "zod";

/** What operations on the core's nodes answer; their bodies are in contracts/core/cluster-api.ts. `index` is signed. */
export const nodeAdded = z
  .object({
    node_id: z.int(),
    role: z.enum(["voter", "learner"]),
    match_index: z.int(),
    last_index: z.int(),
    index: z.string(),
  })
  .meta({ id: "NodeAdded" });
export const nodeRemoved = z.object({ node_id: z.int(), index: z.string() }).meta({ id: "NodeRemoved" });
export const leaderTransferred = z
  .object({ leader_id: z.int(), term: z.int(), index: z.string() })
  .meta({ id: "LeaderTransferred" });
export const snapshotTaken = z
  .object({ node_id: z.int(), snapshot_index: z.int(), index: z.string() })
  .meta({ id: "SnapshotTaken" });
