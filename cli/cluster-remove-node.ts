import type { Command } from "commander";
import { nodeRemoved } from "../contracts/admin/cluster-operations.ts";
import type { CliIo } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";
import { nodeIdOf } from "./node-id.ts";

/** `conflux cluster remove-node NODE_ID` */
export function registerClusterRemoveNode(group: Command, io: CliIo): void {
  const command = group
    .command("remove-node")
    .description("take a node out of the core and use its id up")
    .argument("<node_id>", "a voter or learner, the leader included");
  declareVerb(command, io, async ({ api, args: [id], show }) => {
    const answer = nodeRemoved.parse(await api.post("/mgt/cluster/remove-node", { node_id: nodeIdOf(id) }));
    show(answer, () => io.out(`node ${answer.node_id} is no member any more: stop it and remove its data`));
  });
}
