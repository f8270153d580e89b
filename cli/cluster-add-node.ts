import type { Command } from "commander";
import { nodeAdded } from "../contracts/admin/cluster-operations.ts";
import { type CliIo, CliError, EXIT } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";
import { nodeIdOf } from "./node-id.ts";

/** `conflux cluster add-node NODE_ID RAFT_ADDRESS` */
export function registerClusterAddNode(group: Command, io: CliIo): void {
  const command = group
    .command("add-node")
    .description("make a node that was started with CONFLUX_JOIN=1 a member")
    .argument("<node_id>", "one that was never used")
    .argument("<raft_address>", "host:port where its peers reach it");
  declareVerb(command, io, async ({ api, args: [id, address], show }) => {
    const answer = await api.post("/mgt/cluster/add-node", { node_id: nodeIdOf(id), raft_address: address });
    const node = nodeAdded.parse(answer);
    show(node, () => {
      if (node.role === "voter") io.out(`node ${node.node_id} is a voter`);
      else io.out(`node ${node.node_id} is a learner, at ${node.match_index} of ${node.last_index}`);
    });
    if (node.role === "voter") return;
    throw new CliError(EXIT.refused, "it has not caught up yet and does not vote: run the same again");
  });
}
