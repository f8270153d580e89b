import type { ApplyVerb } from "../command/apply-verb.ts";
import { stateKey } from "../command/state-view.ts";
import { findNodeRecord, type NodeRecord } from "./node-record.ts";

/** Marks an id as used up, before the node leaves the membership: so the node learns of it while it still follows. */
export const retireNode: ApplyVerb<"retire_node"> = ({ state, command }) => {
  const { node_id } = command.payload;
  const empty: NodeRecord = { node_id, raft_address: "", url: "", disk_id: "", removed: false };
  const record: NodeRecord = { ...empty, ...findNodeRecord(state, node_id), removed: true };
  return {
    ok: true,
    changes: [{ op: "put_json", key: stateKey.node(node_id), value: record }],
    events: [],
    result: { node_id },
    audit: { action: "delete", resource: `${command.tenant}/cluster`, summary: `removed node ${node_id}` },
  };
};
