import type { Command } from "commander";
import { type CliIo, CliError, EXIT } from "./cli-io.ts";
import { followJob } from "./cluster-job.ts";
import { declareVerb } from "./declare-verb.ts";

/** `conflux cluster restore <backup_id|url> --yes` */
export function registerClusterRestore(group: Command, io: CliIo): void {
  const command = group
    .command("restore <backup>")
    .description("put a backup (its id, or its manifest's url) in the place of the state")
    .option("--force", "take over the state of another cluster")
    .option("--yes", "yes: undo every write after the backup, and end every token and session");
  declareVerb(command, io, async ({ api, args, flags, show }) => {
    const backup = args[0] ?? "";
    if (backup === "latest") {
      throw new CliError(
        EXIT.usage,
        "a restore takes the id of a backup, or its manifest's url, not latest: `conflux cluster drill` proves the newest and names it",
      );
    }
    if (flags["yes"] !== true) {
      throw new CliError(
        EXIT.usage,
        `restoring ${backup} undoes every write after it and ends every token and session: say --yes`,
      );
    }
    const which = backup.includes("://") ? { url: backup } : { backup_id: backup };
    const body = { ...which, force: flags["force"] === true };
    const job = await followJob(api, await api.post("/mgt/cluster/restore-from-backup", body));
    show(job, ({ restore }) => {
      if (restore === null) return;
      io.out(`restored ${restore.backup_id}: the state of index ${restore.restored_index}`);
      io.out(`epoch ${restore.epoch} begins at index ${restore.index}`);
      io.out(`tokens issued before ${restore.tokens_not_before} have ended: sign in again`);
    });
  });
}
