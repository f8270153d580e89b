import type { DrillReport, RestoreReport } from "../../contracts/backup/backup-api.ts";
import type { BackupManifest } from "../../contracts/backup/backup-manifest.ts";
import type { ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { RestoredState } from "../../domain/backup/backup-origin.ts";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { RESTORE_KINDS } from "../../domain/command/command.ts";
import { COMMAND_FEATURES } from "../../domain/command/command-kinds.ts";
import { NotProposedError, OutcomeUnknownError } from "../replicated-log.ts";
import { encodeLogEntry } from "../state/log-entry.ts";
import type { CoreContext } from "./core-context.ts";
import { requireSupported } from "./version-gate.ts";
import { feedRestore, type RestoreAuthor, restoreCommand } from "./restore-feed.ts";

/** How often a command is proposed anew while this node leads; each step of a restore may be repeated. */
const PROPOSE_TRIES_MAX = 50;
const PROPOSE_PAUSE_MS = 200;

/**
 * Restores a backup into the running cluster, whichever its number of nodes: first it is proven beside it, then it goes
 * through the log. Rejects with `upgrade_in_progress` while some voter is not known to apply its commands, with
 * `validation_failed` when the proof fails, and with what `feedRestore` rejects with; then
 * nothing has changed, and what was staged is dropped, here or by the next leader.
 */
export async function runRestore(
  core: CoreContext,
  input: {
    storage: ObjectStorage;
    manifest: BackupManifest;
    restoreId: string;
    force: boolean;
    epochMin: number;
    author: RestoreAuthor;
    drill: (backupId: string) => Promise<DrillReport>;
  },
): Promise<RestoreReport> {
  const { manifest, restoreId, author } = input;
  const proof = await input.drill(manifest.backup_id);
  if (!proof.proven) {
    const why = proof.hash_matches ? proof.invariants_broken[0] : "its state hash is another";
    throw new ConfluxError("validation_failed", `${manifest.backup_id} cannot be proven: ${why}`);
  }
  // Proving takes its time, and voters may have come since the restore was taken on.
  requireRestoreSupported(core);
  try {
    return toReport(await feedRestore({ ...input, propose: (command) => proposeSteadily(core, command) }));
  } catch (error) {
    await dropRestore(core, restoreId, author);
    throw error;
  }
}

/**
 * Throws `upgrade_in_progress` while some voter is not known to apply a restore's commands, or something that this build
 * can write: a backup may hold it.
 */
export function requireRestoreSupported(core: Pick<CoreContext, "log" | "peers">): void {
  for (const ability of [...RESTORE_KINDS, ...COMMAND_FEATURES]) {
    requireSupported(ability, () => core.log.status(), core.peers);
  }
}

export function toReport({
  restore_id,
  origin,
  index,
  epoch,
  tokens_not_before_ms,
}: RestoredState): RestoreReport {
  return {
    restore_id,
    backup_id: origin.backup_id,
    restored_index: origin.index,
    index,
    epoch,
    tokens_not_before: new Date(tokens_not_before_ms).toISOString(),
  };
}

/** Has a restore dropped. One that cannot be (no leader) stays staged and unseen until a leader finds it. */
export async function dropRestore(
  core: CoreContext,
  restoreId: string,
  author: RestoreAuthor,
): Promise<void> {
  try {
    await propose(core, restoreCommand("abort_restore", { restore_id: restoreId }, author));
  } catch (error) {
    const level = "warn";
    core.logger({ level, msg: "a restore stays staged for the next leader to drop", error: String(error) });
  }
}

async function propose(core: CoreContext, command: Uint8Array): Promise<ApplyOutcome> {
  const stampMs = core.clock.stampMs(core.store.lastTimestampMs());
  const { result } = await core.log.propose(encodeLogEntry(stampMs, command));
  return result;
}

async function proposeSteadily(core: CoreContext, command: Uint8Array): Promise<ApplyOutcome> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await propose(core, command);
    } catch (error) {
      const mayRepeat = error instanceof OutcomeUnknownError || error instanceof NotProposedError;
      if (!mayRepeat || core.log.status().role !== "leader" || tries === PROPOSE_TRIES_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, PROPOSE_PAUSE_MS));
    }
  }
}
