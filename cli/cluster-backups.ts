import type { Command } from "commander";
import { backupPage } from "../contracts/backup/backup-api.ts";
import { LIST_LIMIT_MAX } from "../contracts/limits.ts";
import { type CliIo, CliError, EXIT } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";
import { printTable } from "./print-table.ts";

/** Ids that cannot be used and are named; of more only their number is told. */
const NAMED_MAX = 5;

/** `conflux cluster backups` */
export function registerClusterBackups(group: Command, io: CliIo): void {
  const command = group
    .command("backups")
    .description("backups in the core's storage, newest first")
    .option("--limit <count>", `how many, 1 to ${LIST_LIMIT_MAX}`, "20");
  declareVerb(command, io, async ({ api, flags, show }) => {
    const query = new URLSearchParams({ limit: String(limitOf(String(flags["limit"]))) });
    const backups = backupPage.parse(await api.get(`/mgt/cluster/backups?${query.toString()}`));
    show(backups, ({ items, unusable = [] }) => {
      if (items.length > 0) {
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
      } else if (unusable.length === 0) io.out("there is no backup yet");
      if (unusable.length > 0) io.out(sayUnusable(unusable));
    });
  });
}

function limitOf(text: string): number {
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIST_LIMIT_MAX) return limit;
  throw new CliError(EXIT.usage, `--limit is a whole number from 1 to ${LIST_LIMIT_MAX}, not "${text}"`);
}

/** Why each of them cannot be used is in the log of the node that leads. */
function sayUnusable(ids: readonly string[]): string {
  const count = ids.length === 1 ? "1 backup" : `${ids.length} backups`;
  const names = ids.slice(0, NAMED_MAX).join(", ");
  const more = ids.length > NAMED_MAX ? ` and ${ids.length - NAMED_MAX} more` : "";
  return `${count} cannot be used: ${names}${more} (the leader's log says why)`;
}
