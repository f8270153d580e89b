import { createHash } from "node:crypto";
import { SYSTEM_TENANT } from "../../domain/access/system-tenant.ts";
import type { BackupOrigin, RestoredState } from "../../domain/backup/backup-origin.ts";
import { encodeStateRow } from "../../domain/backup/restore-rows.ts";
import type { CommandPayloads } from "../../domain/command/command.ts";
import { isKeptRow, stateKey } from "../../domain/command/state-view.ts";
import { testCommand } from "../../domain/command/testing-commands.ts";
import type { AnyStateStore } from "./memory-state-store.testing.ts";
import { entryOf } from "./testing-entries.ts";

const ROWS_MAX = 100_000;

/** Everything a reader can see, as one text. */
export function dumpOf(store: AnyStateStore): string {
  const rows = [...store.scan("", { limit: ROWS_MAX })];
  const blobs = blobsOf(store).map(({ bytes }) => Buffer.from(bytes).toString("hex"));
  const feed = [...store.feed().entriesAfter(0)];
  const { appliedIndex, compactedIndex } = store.feed();
  const at = [appliedIndex, compactedIndex, store.lastTimestampMs(), store.lastFeedIndex()];
  return JSON.stringify({ at, rows, blobs, feed });
}

function blobsOf(store: AnyStateStore): { key: string; bytes: Uint8Array }[] {
  const refs = [...store.scan("r/", { limit: ROWS_MAX })];
  return refs.map(({ key }) => {
    const of = `b/${key.slice(2)}`;
    return { key: of, bytes: store.bytes(of) ?? new Uint8Array() };
  });
}

/** The rows that a backup of the store holds, encoded, in their order. */
export function rowsOf(store: AnyStateStore): Uint8Array[] {
  const utf8 = new TextEncoder();
  const json = [...store.scan("", { limit: ROWS_MAX })]
    .filter(({ key }) => !isKeptRow(key))
    .map(({ key, value }) =>
      encodeStateRow({ kind: "json", key: utf8.encode(key), value: utf8.encode(JSON.stringify(value)) }),
    );
  const blobs = blobsOf(store).map(({ key, bytes }) =>
    encodeStateRow({ kind: "bytes", key: utf8.encode(key), value: bytes }),
  );
  return [...json, ...blobs];
}

export interface TestingBackup {
  origin: BackupOrigin;
  chunks: { bytes: Uint8Array; sha256: string }[];
}

/** A backup of the store as it is, in chunks of so many rows. */
export function backupOf(store: AnyStateStore, rowsPerChunk: number): TestingBackup {
  const rows = rowsOf(store);
  const chunks: TestingBackup["chunks"] = [];
  for (let at = 0; at < rows.length; at += rowsPerChunk) {
    const bytes = Buffer.concat(rows.slice(at, at + rowsPerChunk));
    chunks.push({ bytes, sha256: createHash("sha256").update(bytes).digest("hex") });
  }
  const { appliedIndex: index } = store.feed();
  const origin = {
    backup_id: `bak-${index}`,
    cluster_id: "c1",
    epoch: epochOf(store),
    index,
    timestamp_ms: store.lastTimestampMs(),
    state_hash: createHash("sha256").update(Buffer.concat(rows)).digest("hex"),
  };
  return { origin, chunks };
}

/** As the state itself says. */
export function epochOf(store: AnyStateStore): number {
  return (store.json(stateKey.restored) as RestoredState | undefined)?.epoch ?? 1;
}

type RestoreKind = "begin_restore" | "restore_chunk" | "commit_restore" | "abort_restore";
type Entry = ReturnType<typeof entryOf>;

export function restoreEntry<K extends RestoreKind>(
  index: number,
  kind: K,
  payload: CommandPayloads[K],
  attachments: Uint8Array[] = [],
): Entry {
  return entryOf(index, testCommand(kind, payload, { tenant: SYSTEM_TENANT }), attachments);
}

export function beginEntry(index: number, restore_id: string, { origin, chunks }: TestingBackup): Entry {
  const announced = chunks.map(({ sha256 }) => sha256);
  const payload = { restore_id, origin, chunks: announced, epoch_min: 0, force: false };
  return restoreEntry(index, "begin_restore", payload);
}

export function chunkEntry(
  index: number,
  restore_id: string,
  { chunks }: TestingBackup,
  position: number,
): Entry {
  const { bytes, sha256 } = chunks[position] ?? { bytes: new Uint8Array([0]), sha256: "0".repeat(64) };
  const payload = { restore_id, position, content: { attachment: 0, sha256 } };
  return restoreEntry(index, "restore_chunk", payload, [bytes]);
}

/** A whole restore from `index` on. */
export function restoreEntries(index: number, restore_id: string, backup: TestingBackup): Entry[] {
  const { chunks } = backup;
  return [
    beginEntry(index, restore_id, backup),
    ...chunks.map((_, i) => chunkEntry(index + 1 + i, restore_id, backup, i)),
    restoreEntry(index + 1 + chunks.length, "commit_restore", { restore_id }),
  ];
}
