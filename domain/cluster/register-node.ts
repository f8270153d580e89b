import { type ApplyVerb, refuse } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { findNodeRecord, type NodeRecord } from "./node-record.ts";

/** Writes down where a node is and which disk is its own. The same again changes nothing; anything else is refused. */
export const registerNode: ApplyVerb<"register_node"> = ({ state, command }) => {
  const { node_id, raft_address, url, disk_id } = command.payload;
  const known = findNodeRecord(state, node_id);
  if (known?.removed === true) {
    return refuse("already_exists", `node ${node_id} was a member once: its id is never used again`);
  }
  if (known !== undefined && known.disk_id !== disk_id) {
    return refuse("already_exists", `node ${node_id} had another disk: use an id that was never used`);
  }
  if (known !== undefined && known.raft_address !== raft_address) {
    return refuse("already_exists", `node ${node_id} is at ${known.raft_address}`);
  }
  const record: NodeRecord = { node_id, raft_address, url, disk_id, removed: false };
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.node(node_id), value: record }],
    events: [],
    result: { node_id },
    audit: {
      action: "write",
      resource: `${command.tenant}/cluster`,
      summary: `registered node ${node_id} at ${raft_address}`,
    },
  };
};
