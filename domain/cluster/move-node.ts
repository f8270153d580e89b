import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { findNodeRecord } from "./node-record.ts";

/**
 * Writes another address down for a node that is known. Whether it is there is for the proposer to find out: the state can
 * reach nobody. A kind of its own, since `register_node` refuses this in builds that are out there.
 */
export const moveNode: ApplyVerb<"move_node"> = ({ state, command }) => {
  const { node_id, raft_address } = command.payload;
  const known = findNodeRecord(state, node_id);
  if (known === undefined) return refuse("not_found", `no node ${node_id}`);
  if (known.removed) {
    return refuse("already_exists", `node ${node_id} was a member once: its id is never used again`);
  }
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.node(node_id), value: { ...known, raft_address } }],
    events: [],
    result: { node_id },
    audit: {
      action: "write",
      resource: `${command.tenant}/cluster`,
      summary: `node ${node_id} is at ${raft_address}, not at ${known.raft_address}`,
    },
  };
};
