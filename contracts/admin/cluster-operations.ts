import { z } from "zod";
import { createHeaders } from "../config/fields.ts";

/** Headers of an operation on the core's nodes. */
export const operationHeaders = z.object({
  "x-idempotency-key": createHeaders.shape["x-idempotency-key"].meta({
    description:
      "An operation is recorded once under a key, within 24 h; another body under it is 409 idempotency_conflict. The same body goes on with what is left; when nothing is, the answer has Idempotency-Replayed: true, the first index, and else says how it stands now",
  }),
});

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
