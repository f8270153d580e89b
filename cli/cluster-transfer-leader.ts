import type { Command } from "commander";
import { leaderTransferred } from "../contracts/admin/cluster-operations.ts";
import type { CliIo } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";
import { nodeIdOf } from "./node-id.ts";

/** `conflux cluster transfer-leader [NODE_ID]` */
export function registerClusterTransferLeader(group: Command, io: CliIo): void {
  const command = group
    .command("transfer-leader")
    .description("hand leadership to another voter")
    .argument("[node_id]", "by default the one that has most of the log, of those that answer");
  declareVerb(command, io, async ({ api, args: [id], show }) => {
    const body = id === undefined ? {} : { target_node_id: nodeIdOf(id) };
    const answer = leaderTransferred.parse(await api.post("/mgt/cluster/transfer-leader", body));
    show(answer, () => io.out(`node ${answer.leader_id} leads, term ${answer.term}`));
  });
}
