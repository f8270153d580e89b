import type { Command } from "commander";
import type { CliIo } from "./cli-io.ts";
import { followJob } from "./cluster-job.ts";
import { declareVerb } from "./declare-verb.ts";
import { paint } from "./print-table.ts";

/** `conflux cluster drill [backup_id]` */
export function registerClusterDrill(group: Command, io: CliIo): void {
  const command = group
    .command("drill [backup_id]")
    .description("prove a backup (the newest) by restoring it beside the running cluster");
  declareVerb(command, io, async ({ api, args, show }) => {
    const id = encodeURIComponent(args[0] ?? "latest");
    const job = await followJob(api, await api.post(`/mgt/cluster/backups/${id}/drill`, {}));
    show(job, ({ drill }) => {
      if (drill === null) return;
      io.out(`${paint(io, "green", "proven")} ${drill.backup_id}: index ${drill.index}, ${drill.rows} rows`);
      io.out(`state hash ${drill.state_hash}, as in its manifest; every invariant holds`);
    });
  });
}
