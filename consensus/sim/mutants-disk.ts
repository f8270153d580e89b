/** Deliberate bugs of the log on disk, for whole nodes. */
import { type Mutant, mutantOf } from "./mutant.ts";

const mutant = mutantOf("whole");

export const DISK_MUTANTS: readonly Mutant[] = [
  mutant(
    "rename-without-directory-sync",
    "a new segment is renamed, and its directory not synced",
    "storage/wal.ts",
    "    await this.#files.syncDirectory(directory);\n    this.#segments.push(",
    "    this.#segments.push(",
  ),
  mutant(
    "names-not-synced-at-recovery",
    "a segment renamed by a killed process is used without syncing its directory",
    "storage/recover-wal.ts",
    "await files.syncDirectory(directory);",
    "",
  ),
  mutant(
    "failed-sync-trusted",
    "after a failed sync, recovery syncs again instead of writing again",
    "storage/recover-wal.ts",
    "await writeAll(file, [content.subarray(scan.lastGroupAt, end)], scan.lastGroupAt);",
    "",
  ),
  mutant(
    "failed-sync-ignored",
    "a failed sync is taken for a success",
    "storage/group-writer.ts",
    "await synced;",
    "await synced.catch(() => undefined);",
  ),
  mutant(
    "checksum-ignored",
    "the checksum of a record is not looked at",
    "storage/wal-frame.ts",
    "if (crc32(segment.subarray(offset + CRC_BYTES, payloadAt + length), startOf(seed, offset)) !== crc)",
    "if (crc === 0)",
  ),
  mutant(
    "rot-taken-for-torn-write",
    "a damaged record in the middle is cut off with all that follows",
    "storage/wal-segment.ts",
    "if (later !== null) {",
    "if (later === -1) {",
  ),
  mutant(
    "second-process-allowed",
    "the data directory is not locked",
    "raft-log.ts",
    "const lock = options.host.lockDirectory(options.directory);",
    "const lock = { release: () => undefined };",
  ),
];
