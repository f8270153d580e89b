import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import {
  type BackupChunk,
  BACKUP_CHUNK_BYTES,
  BACKUP_ROW_BYTES_MAX,
} from "../../contracts/backup/backup-manifest.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { encodeStateRow, type StateRow } from "../../domain/backup/restore-rows.ts";

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Rows as chunks of at most BACKUP_CHUNK_BYTES, or of one row that is larger. Throws `payload_too_large` for one that no log entry holds. */
export function* chunkRows(rows: Iterable<StateRow>): Generator<{ bytes: Uint8Array; rows: number }> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for (const row of rows) {
    const encoded = encodeStateRow(row);
    if (encoded.byteLength > BACKUP_ROW_BYTES_MAX) {
      const key = new TextDecoder().decode(row.key);
      throw new ConfluxError("payload_too_large", `the row ${key} has ${encoded.byteLength} bytes`);
    }
    if (parts.length > 0 && size + encoded.byteLength > BACKUP_CHUNK_BYTES) {
      yield { bytes: Buffer.concat(parts), rows: parts.length };
      parts = [];
      size = 0;
    }
    parts.push(encoded);
    size += encoded.byteLength;
  }
  if (parts.length > 0) yield { bytes: Buffer.concat(parts), rows: parts.length };
}

export async function packChunk(bytes: Uint8Array): Promise<{ stored: Uint8Array; chunk: BackupChunk }> {
  const stored = await compress(bytes);
  const chunk = {
    sha256: sha256(bytes),
    bytes: bytes.byteLength,
    stored_sha256: sha256(stored),
    stored_bytes: stored.byteLength,
  };
  return { stored, chunk };
}

/** The bytes that were packed. Throws `validation_failed` when they are not what the manifest says. */
export async function unpackChunk(stored: Uint8Array, chunk: BackupChunk, name: string): Promise<Uint8Array> {
  const damaged = (cause?: unknown): ConfluxError =>
    new ConfluxError("validation_failed", `${name} is damaged: it is not what the manifest says`, { cause });
  if (stored.byteLength !== chunk.stored_bytes || sha256(stored) !== chunk.stored_sha256) throw damaged();
  let bytes: Uint8Array;
  try {
    bytes = await decompress(stored, { maxOutputLength: Math.max(1, chunk.bytes) });
  } catch (cause) {
    throw damaged(cause);
  }
  if (bytes.byteLength !== chunk.bytes || sha256(bytes) !== chunk.sha256) throw damaged();
  return bytes;
}
