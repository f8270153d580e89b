import type {
  AddNodeAnswer,
  AddNodeInput,
  RemoveNodeAnswer,
  RemoveNodeInput,
  TransferLeaderAnswer,
  TransferLeaderInput,
} from "../../contracts/core/cluster-api.ts";
import type { Position } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";

const NODE_ID = 1;
const TERM = 1;

/** Operations on a core of one node that has no peers: what the real one answers there. */
export const memoryCluster = {
  addNode(_input: AddNodeInput): AddNodeAnswer {
    throw new ConfluxError("conflict", "this core is of one node that was started alone: it has no peers");
  },
  removeNode({ node_id }: RemoveNodeInput): RemoveNodeAnswer {
    if (node_id !== NODE_ID) throw new ConfluxError("not_found", `no node ${node_id}`);
    throw new ConfluxError("conflict", `node ${node_id} is the last voter: add another first`);
  },
  transferLeader({ target_node_id: target }: TransferLeaderInput, at: Position): TransferLeaderAnswer {
    if (target === NODE_ID) return { ...at, leader_id: NODE_ID, term: TERM };
    if (target !== undefined) throw new ConfluxError("not_found", `node ${target} is no voter`);
    throw new ConfluxError("conflict", `node ${NODE_ID} is the only voter`);
  },
};
