import type { Command } from "commander";
import { nodeAdded } from "../contracts/admin/cluster-operations.ts";
import { raftAddress } from "../contracts/core/cluster-api.ts";
import { clusterStatusView } from "../contracts/admin/cluster-status.ts";
import type { AdminApi } from "./admin-api.ts";
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
    const body = { node_id: nodeIdOf(id), raft_address: raftAddressOf(address ?? "") };
    const answer = await api.post("/mgt/cluster/add-node", body);
    const node = nodeAdded.parse(answer);
    const isFenced = node.role === "voter" && (await isKnownAsFenced(api, node.node_id));
    show(node, () => {
      if (isFenced) return;
      if (node.role === "voter") io.out(`node ${node.node_id} is a voter`);
      else io.out(`node ${node.node_id} is a learner, at ${node.match_index} of ${node.last_index}`);
    });
    if (isFenced) throw new CliError(EXIT.refused, fencedWords(node.node_id));
    if (node.role === "voter") return;
    throw new CliError(EXIT.refused, "it has not caught up yet and does not vote: run the same again");
  });
}

/** Throws a `CliError` (usage) for what is no address. */
function raftAddressOf(text: string): string {
  const parsed = raftAddress.safeParse(text);
  if (parsed.success) return parsed.data;
  throw new CliError(EXIT.usage, `"${text}" is no raft address: ${parsed.error.issues[0]?.message ?? ""}`);
}

/** Whether the cluster says so; what it does not say changes nothing of what was answered. */
async function isKnownAsFenced(api: AdminApi, nodeId: number): Promise<boolean> {
  const answer = await api.get("/mgt/cluster/status").catch(() => null);
  const { data } = clusterStatusView.safeParse(answer);
  return data?.nodes.some((node) => node.node_id === nodeId && node.fenced) === true;
}

const fencedWords = (id: number): string =>
  `node ${id} is a voter, but it is fenced: it has lost its disk and will never vote. Add a node under a new id, then remove node ${id}`;
