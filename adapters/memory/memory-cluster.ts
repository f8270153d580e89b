import type {
  AddNodeAnswer,
  AddNodeInput,
  RemoveNodeAnswer,
  RemoveNodeInput,
  SnapshotInput,
  TransferLeaderAnswer,
  TransferLeaderInput,
} from "../../contracts/core/cluster-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import { COMMAND_FORMAT_VERSION, type Command } from "../../domain/command/command.ts";
import { findResult } from "../../domain/command/idempotency.ts";
import type { StateView } from "../../domain/command/state-view.ts";

type Asked = Pick<SnapshotInput, "head" | "idempotency">;
const NODE_ID = 1;
const TERM = 1;

/** The command that keeps an operation's key and its line in the audit. */
export function noteCommand({ head, idempotency }: Asked, summary: string): Command {
  return {
    format: COMMAND_FORMAT_VERSION,
    kind: "note_operation",
    tenant: SYSTEM_TENANT,
    ...head,
    idempotency: idempotency ?? null,
    expected_revision: null,
    payload: { summary },
  };
}

/** Refuses a key that another request has used, before anything else is said of this one. */
export function checkKey(state: StateView, { idempotency }: Asked, nowMs: number): void {
  if (idempotency === undefined) return;
  const found = findResult(state, { tenant: SYSTEM_TENANT, idempotency }, nowMs);
  if (found !== null && found.digest !== idempotency.digest)
    throw new ConfluxError("idempotency_conflict", "the idempotency key was used with another request");
}

/** Operations on a core of one node that has no peers: what the real one answers there. */
export const memoryCluster = {
  addNode(_input: AddNodeInput): AddNodeAnswer {
    throw new ConfluxError("conflict", "this core is of one node that was started alone: it has no peers");
  },
  removeNode({ node_id }: RemoveNodeInput): RemoveNodeAnswer {
    if (node_id !== NODE_ID) throw new ConfluxError("not_found", `no node ${node_id}`);
    throw new ConfluxError("conflict", `node ${node_id} is the last voter: add another first`);
  },
  /** Refuses, or says who leads: the only node already. */
  transferLeader({
    target_node_id: target,
  }: TransferLeaderInput): Pick<TransferLeaderAnswer, "leader_id" | "term"> {
    if (target === NODE_ID) return { leader_id: NODE_ID, term: TERM };
    if (target !== undefined) throw new ConfluxError("not_found", `node ${target} is no voter`);
    throw new ConfluxError("conflict", `node ${NODE_ID} is the only voter`);
  },
};
