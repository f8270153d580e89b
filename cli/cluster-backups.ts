import type { Command } from "commander";
import { z } from "zod";
import { backupView } from "../contracts/backup/backup-api.ts";
import type { CliIo } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";
import { printTable } from "./print-table.ts";

const page = z.object({ items: z.array(backupView), next_cursor: z.string().nullable() });

/** `conflux cluster backups` */
export function registerClusterBackups(group: Command, io: CliIo): void {
  const command = group
    .command("backups")
    .description("backups in the core's storage, newest first")
    .option("--limit <count>", "how many, 1 to 200", "20");
  declareVerb(command, io, async ({ api, flags, show }) => {
    const query = new URLSearchParams({ limit: String(flags["limit"]) });
    const backups = page.parse(await api.get(`/mgt/cluster/backups?${query.toString()}`));
    show(backups, ({ items }) => {
      if (items.length === 0) io.out("there is no backup yet");
      else {
        printTable(
          io,
          ["BACKUP", "EPOCH", "INDEX", "TAKEN", "STORED"],
          items.map((backup) => [
            { text: backup.backup_id },
            { text: String(backup.epoch) },
            { text: String(backup.index) },
            { text: backup.taken_at },
            { text: String(backup.stored_bytes) },
          ]),
        );
      }
    });
  });
}
