import type { Command } from "commander";
import type { CliIo } from "./cli-io.ts";
import { followJob } from "./cluster-job.ts";
import { declareVerb } from "./declare-verb.ts";

/** `conflux cluster backup` */
export function registerClusterBackup(group: Command, io: CliIo): void {
  const command = group.command("backup").description("take a backup of the core's state now");
  declareVerb(command, io, async ({ api, show }) => {
    const job = await followJob(api, await api.post("/mgt/cluster/backups", {}));
    show(job, ({ backup }) => {
      if (backup === null) return;
      io.out(`${backup.backup_id}: index ${backup.index}, ${backup.stored_bytes} bytes stored`);
      io.out(backup.url);
    });
  });
}
