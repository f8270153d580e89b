import type { Command } from "commander";
import { snapshotTaken } from "../contracts/admin/cluster-operations.ts";
import type { CliIo } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";

/** `conflux cluster snapshot` */
export function registerClusterSnapshot(group: Command, io: CliIo): void {
  const command = group
    .command("snapshot")
    .description("make the leader's state durable and compact its log");
  declareVerb(command, io, async ({ api, show }) => {
    const answer = snapshotTaken.parse(await api.post("/mgt/cluster/snapshot", {}));
    show(answer, () => io.out(`node ${answer.node_id} has its state durable up to ${answer.snapshot_index}`));
  });
}
