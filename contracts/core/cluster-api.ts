import { z } from "zod";
import type { Position } from "./core-api.ts";

/** Who asks for an operation on the core, for its audit. */
export const operationHead = z
  .object({
    actor: z
      .object({
        type: z.enum(["user", "token", "system"]),
        id: z.string().max(256),
        name: z.string().max(256),
      })
      .strict(),
    ip: z.string().max(64),
    trace_id: z.string().regex(/^[0-9a-f]{32}$/),
  })
  .strict();
export type OperationHead = z.infer<typeof operationHead>;
const head = operationHead;

export const NODE_ID_MAX = 999_999_999;
const nodeId = z.int().min(1).max(NODE_ID_MAX);
/** `host:port`, an IPv6 address in brackets. The first thing wrong is the one that is said. */
export const raftAddress = z
  .string()
  .max(256, { abort: true })
  .regex(/^(\[[\da-fA-F:.]+\]|[\w.-]+):([1-9]\d*)$/, {
    error: "expected host:port, an IPv6 address in brackets",
    abort: true,
  })
  .refine((text) => Number(text.slice(text.lastIndexOf(":") + 1)) <= 65_535, "a port is at most 65535");

/** Bodies of the admin API; the core's own carry a `head` besides, and the key if there is one. */
export const addNodeBody = z.object({ node_id: nodeId, raft_address: raftAddress }).strict();
export const removeNodeBody = z.object({ node_id: nodeId }).strict();
export const transferLeaderBody = z.object({ target_node_id: nodeId.optional() }).strict();
export const snapshotBody = z.object({}).strict();

/** The caller's idempotency key, as commands carry it (`CommandOf`); absent without one. */
export const idempotencyInput = z
  .object({ scope: z.string().min(1).max(128), digest: z.string().min(1).max(128) })
  .strict();
const asked = { head, idempotency: idempotencyInput.optional() };
export const addNodeInput = addNodeBody.extend(asked);
export const removeNodeInput = removeNodeBody.extend(asked);
export const transferLeaderInput = transferLeaderBody.extend(asked);
export const snapshotInput = snapshotBody.extend(asked);
export type AddNodeInput = z.infer<typeof addNodeInput>;
export type RemoveNodeInput = z.infer<typeof removeNodeInput>;
export type TransferLeaderInput = z.infer<typeof transferLeaderInput>;
export type SnapshotInput = z.infer<typeof snapshotInput>;

interface OperationAnswer extends Position {
  /** The key had been used by the same request, which had nothing left to do: `index` is the first one's. */
  replayed: boolean;
}
export interface AddNodeAnswer extends OperationAnswer {
  node_id: number;
  /** `learner`: it has not caught up yet and does not vote; the same request goes on with it. */
  role: "voter" | "learner";
  /** How much of the log it has, and how much there is. */
  match_index: number;
  last_index: number;
}
export interface RemoveNodeAnswer extends OperationAnswer {
  node_id: number;
}
export interface TransferLeaderAnswer extends OperationAnswer {
  leader_id: number;
  term: number;
}
export interface SnapshotAnswer extends OperationAnswer {
  node_id: number;
  /** The state is durable up to here, and the log need not reach back behind it. */
  snapshot_index: number;
}
