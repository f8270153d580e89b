import type { Command } from "commander";
import type { z } from "zod";
import { clusterStatusView } from "../contracts/admin/cluster-status.ts";
import type { CliIo } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";
import { type Colour, printTable } from "./print-table.ts";

type Status = z.infer<typeof clusterStatusView>;

/** `conflux cluster status` */
export function registerClusterStatus(group: Command, io: CliIo): void {
  const command = group.command("status").description("the core's nodes, as their leader sees them");
  declareVerb(command, io, async ({ api, show }) => {
    const status = clusterStatusView.parse(await api.get("/mgt/cluster/status"));
    show(status, () => printStatus(io, status));
  });
}

function printStatus(io: CliIo, status: Status): void {
  const leader = status.leader_id === null ? "none" : `node ${status.leader_id}`;
  io.out(`cluster ${status.cluster_id}, epoch ${status.epoch}, term ${status.term}, leader: ${leader}`);
  printTable(
    io,
    ["NODE", "ROLE", "ADDRESS", "MATCH", "APPLIED", "STATE"],
    status.nodes.map((node) => [
      { text: String(node.node_id) },
      { text: node.role },
      { text: node.raft_address || "-" },
      { text: indexOf(node, node.match_index) },
      { text: indexOf(node, node.last_applied) },
      stateOf(node, status.leader_id),
    ]),
  );
  if (status.leader_id === null) {
    io.out("no leader is known: writes are refused, and whether the other nodes run is not known");
  }
  for (const hint of fencedHints(status)) io.out(hint);
}

/** What to do about fenced nodes, and how near the cluster is to having no majority: they count among the voters and never vote. */
function fencedHints({ nodes }: Status): string[] {
  const fenced = nodes.filter((node) => node.fenced);
  const hints = fenced.map(
    ({ node_id: id }) =>
      `node ${id} has lost its disk and never votes: add a node under a new id, then remove node ${id}`,
  );
  const voters = nodes.filter((node) => node.role !== "learner");
  const fencedVoters = voters.filter((node) => node.fenced).length;
  const majority = Math.floor(voters.length / 2) + 1;
  if (fencedVoters > 0 && voters.length - fencedVoters - 1 < majority) {
    hints.push("until then one more lost disk may leave the cluster without a majority");
  }
  return hints;
}

/** A leader knows nothing of a node that has not answered it yet: of one that is down that is no empty disk. */
function indexOf({ healthy }: Status["nodes"][number], index: number): string {
  return index === 0 && !healthy ? "-" : String(index);
}

/** A fenced node votes for nobody, so it is as good as down for what the cluster survives, though it answers. */
function stateOf(
  { healthy, fenced }: Status["nodes"][number],
  leaderId: number | null,
): { text: string; colour: Colour } {
  // Only a leader has asked them.
  const notUp = leaderId === null ? "not known" : "down";
  if (fenced) return { text: healthy ? "fenced" : `fenced, ${notUp}`, colour: "red" };
  if (healthy) return { text: "up", colour: "green" };
  return { text: notUp, colour: leaderId === null ? "yellow" : "red" };
}
