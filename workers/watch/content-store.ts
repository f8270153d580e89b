import { CHUNK_BYTES_MAX, UNKEPT_BYTES_MAX } from "./limits.ts";

/**
 * Bytes of documents and large variants, by KV key. A row here means that KV was written at `written_at`; the copy
 * answers for KV while KV does not show it yet, and is what live entries are written again from.
 */
export class ContentStore {
  readonly #storage: DurableObjectStorage;
  /** What KV has and no row says yet. */
  readonly #unkept = new Map<string, { bytes: Uint8Array; writtenAtMs: number }>();
  #unkeptBytes = 0;

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage;
  }

  /** When KV was last given `key`; null when the replica does not have it. */
  writtenAt(key: string): number | null {
    const unkept = this.#unkept.get(key);
    if (unkept !== undefined) return unkept.writtenAtMs;
    const rows = this.#storage.sql
      .exec<{ written_at: number }>("SELECT written_at FROM content WHERE key = ?", key)
      .toArray();
    return rows[0]?.written_at ?? null;
  }

  /**
   * Takes bytes that KV was given; `keepAll` writes them. An object sends nothing while a write of its own is on its way to
   * disk, so a row after each of many KV entries would have every entry wait for the row of the one before.
   */
  take(key: string, bytes: Uint8Array, nowMs: number): void {
    this.#unkeptBytes += bytes.byteLength - (this.#unkept.get(key)?.bytes.byteLength ?? 0);
    this.#unkept.set(key, { bytes, writtenAtMs: nowMs });
    if (this.#unkeptBytes > UNKEPT_BYTES_MAX) this.keepAll();
  }

  /** Keeps what was taken, released until a head row names it. Keys are hashes, so a second copy is the same copy. */
  keepAll(): void {
    if (this.#unkept.size === 0) return;
    this.#storage.transactionSync(() => {
      for (const [key, { bytes, writtenAtMs }] of this.#unkept) this.#keep(key, bytes, writtenAtMs);
    });
    this.#unkept.clear();
    this.#unkeptBytes = 0;
  }

  #keep(key: string, bytes: Uint8Array, nowMs: number): void {
    const { sql } = this.#storage;
    sql.exec(
      `INSERT INTO content (key, size, written_at, released_at) VALUES (?1, ?2, ?3, ?3)
       ON CONFLICT (key) DO UPDATE SET written_at = excluded.written_at`,
      key,
      bytes.byteLength,
      nowMs,
    );
    for (let seq = 0; seq * CHUNK_BYTES_MAX < bytes.byteLength; seq += 1) {
      const chunk = bytes.slice(seq * CHUNK_BYTES_MAX, (seq + 1) * CHUNK_BYTES_MAX);
      sql.exec("INSERT OR REPLACE INTO chunk (key, seq, bytes) VALUES (?, ?, ?)", key, seq, chunk.buffer);
    }
  }

  /** The bytes of `key`; null when the replica does not have them. */
  read(key: string): Uint8Array<ArrayBuffer> | null {
    const unkept = this.#unkept.get(key);
    if (unkept !== undefined) return new Uint8Array(unkept.bytes);
    const { sql } = this.#storage;
    const size = sql.exec<{ size: number }>("SELECT size FROM content WHERE key = ?", key).toArray()[0]?.size;
    if (size === undefined) return null;
    const bytes = new Uint8Array(size);
    let offset = 0;
    for (const row of sql.exec<{ bytes: ArrayBuffer }>(
      "SELECT bytes FROM chunk WHERE key = ? ORDER BY seq",
      key,
    )) {
      bytes.set(new Uint8Array(row.bytes), offset);
      offset += row.bytes.byteLength;
    }
    if (offset !== size) throw new Error(`content ${key} has ${offset} of its ${size} bytes`);
    return bytes;
  }

  /** Notes that KV was given `key` again. */
  rewritten(key: string, nowMs: number): void {
    this.#storage.sql.exec("UPDATE content SET written_at = ? WHERE key = ?", nowMs, key);
  }

  /** Live keys that KV was last given before `beforeMs`, the oldest first. */
  dueForRewrite(beforeMs: number, limit: number): string[] {
    return this.#storage.sql
      .exec<{ key: string }>(
        "SELECT key FROM content WHERE released_at IS NULL AND written_at < ? ORDER BY written_at LIMIT ?",
        beforeMs,
        limit,
      )
      .toArray()
      .map((row) => row.key);
  }

  /** Forgets bytes that no head row has named since `beforeMs`. Returns how many keys went. */
  removeReleased(beforeMs: number, limit: number): number {
    return this.#storage.transactionSync(() => {
      const { sql } = this.#storage;
      const keys = sql
        .exec<{ key: string }>(
          `SELECT key FROM content WHERE released_at < ? AND key NOT IN (SELECT key FROM stage_content) LIMIT ?`,
          beforeMs,
          limit,
        )
        .toArray();
      for (const { key } of keys) {
        sql.exec("DELETE FROM chunk WHERE key = ?", key);
        sql.exec("DELETE FROM content WHERE key = ?", key);
      }
      return keys.length;
    });
  }
}
