import type { BackupManifest } from "../../contracts/backup/backup-manifest.ts";
import { encodeCommand } from "../../contracts/core/command-codec.ts";
import type { ObjectStorage } from "../../contracts/object-storage/object-storage.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { RestoredState } from "../../domain/backup/backup-origin.ts";
import type { ApplyOutcome } from "../../domain/command/apply-command.ts";
import { type Actor, COMMAND_FORMAT_VERSION, type CommandPayloads } from "../../domain/command/command.ts";
import { readChunk } from "./backup-read.ts";

type RestoreKind = "begin_restore" | "restore_chunk" | "commit_restore" | "abort_restore";

/** Who asked for a restore, for the command's audit. */
export interface RestoreAuthor {
  actor: Actor;
  ip: string;
  traceId: string;
}

/** Takes an encoded command into a log and answers what the state made of it. */
export type ProposeEncoded = (command: Uint8Array) => Promise<ApplyOutcome>;

export function restoreCommand<K extends RestoreKind>(
  kind: K,
  payload: CommandPayloads[K],
  author: RestoreAuthor,
  attachments: readonly Uint8Array[] = [],
): Uint8Array {
  const command = {
    format: COMMAND_FORMAT_VERSION,
    kind,
    tenant: SYSTEM_TENANT,
    actor: author.actor,
    ip: author.ip,
    trace_id: author.traceId,
    idempotency: null,
    expected_revision: null,
    payload,
  };
  return encodeCommand({ command: command as Parameters<typeof encodeCommand>[0]["command"], attachments });
}

/**
 * Feeds a backup through a log: its beginning, its chunks one by one, its commit. Until the commit is applied nothing of it
 * is seen. Each chunk is checked against the manifest before it is proposed. Rejects with what the log or the storage
 * rejects with; the caller then has it dropped (`abort_restore`).
 */
export async function feedRestore(input: {
  propose: ProposeEncoded;
  storage: ObjectStorage;
  manifest: BackupManifest;
  restoreId: string;
  force: boolean;
  epochMin: number;
  author: RestoreAuthor;
}): Promise<RestoredState> {
  const { manifest, restoreId: restore_id, author } = input;
  const { backup_id, cluster_id, epoch, index, timestamp_ms, state_hash, chunks } = manifest;
  const propose = async (command: Uint8Array): Promise<Extract<ApplyOutcome, { ok: true }>> => {
    const outcome = await input.propose(command);
    if (outcome.ok) return outcome;
    throw new ConfluxError(outcome.code, outcome.detail, { errors: outcome.errors ?? [] });
  };
  const begin = {
    restore_id,
    origin: { backup_id, cluster_id, epoch, index, timestamp_ms, state_hash },
    chunks: chunks.map((chunk) => chunk.sha256),
    epoch_min: input.epochMin,
    force: input.force,
  };
  await propose(restoreCommand("begin_restore", begin, author));
  for (const [position, chunk] of chunks.entries()) {
    const bytes = await readChunk(input.storage, manifest, position);
    const content = { attachment: 0, sha256: chunk.sha256 };
    await propose(restoreCommand("restore_chunk", { restore_id, position, content }, author, [bytes]));
  }
  // Whoever proposes a restore knows that all voters apply it (`requireRestoreSupported`).
  const commit = { restore_id, keep_ids: true } as const;
  const { result } = await propose(restoreCommand("commit_restore", commit, author));
  return (result as { restored: RestoredState }).restored;
}
