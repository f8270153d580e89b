/**
 * Where snapshots arrive on a node: at most one unfinished file, whoever sends it. It outlives the stream it came on and
 * a restart, so that the same snapshot (index, term, format, size and SHA-256) goes on where it was; another one voids it.
 *
 * Invariant: a file is handed over only when it is whole, is what was announced and is on disk. What a restart goes on
 * from is on disk too: the note of how far that is (NOTE_FILE) is written only after the bytes before it are.
 */
import { closeSync, fsync, openSync, renameSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { hashFile } from "../storage/hash-file.ts";
import { MessageFormatError } from "./message-codec.ts";
import type { TransportLog } from "./peer-address.ts";
import type { SnapshotOffer, SnapshotPiece } from "./snapshot-frames.ts";
import { type ArrivalNote, openNoted, removeArrival, UNFINISHED_PREFIX, writeNote } from "./snapshot-note.ts";
import type { SnapshotMessage } from "./transport.ts";

const SYNC_EVERY_BYTES = 8 * 1024 * 1024;
/** What a snapshot must leave free: a log whose disk is full ends its node. */
export const DISK_RESERVE_BYTES = 128 * 1024 * 1024;
/** How long an unfinished file is kept with nobody sending it. */
const ABANDONED_KEPT_MS = 10 * 60_000;
/** The sender is told this often that a file which is there is still being checked. */
const CHECKING_SAY_EVERY_MS = 5_000;

/** What is asked of the file system, an argument so that tests can fill the disk. */
export interface StagingFiles {
  /** May take fewer bytes than given. */
  write(descriptor: number, bytes: Uint8Array, position: number): number;
  sync(descriptor: number): Promise<void>;
  freeBytes(directory: string): number;
}
export const nodeStagingFiles: StagingFiles = {
  write: (descriptor, bytes, position) => writeSync(descriptor, bytes, 0, bytes.byteLength, position),
  sync: promisify(fsync),
  freeBytes: (directory) => {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  },
};

/** The stream a snapshot comes on. */
export interface SnapshotOrigin {
  /** All before `offset` is here. */
  progress(sha256: Buffer, offset: number): void;
  /** Nothing more of it is taken. */
  refused(sha256: Buffer, reason: string): void;
  deliver(message: SnapshotMessage, path: string): void;
}

interface Arrival {
  note: ArrivalNote;
  descriptor: number;
  receivedBytes: number;
  /** Null while nobody sends it. */
  from: { origin: SnapshotOrigin; message: SnapshotMessage } | null;
  syncing: Promise<void> | null;
}

export interface SnapshotStagingOptions {
  directory: string;
  /** Formats of the state that this build reads. */
  formats: readonly number[];
  log: TransportLog;
  files?: StagingFiles;
  /** Bytes that may have to be sent again after a power cut. */
  syncEveryBytes?: number;
}

export class SnapshotStaging {
  readonly #options: SnapshotStagingOptions;
  readonly #files: StagingFiles;
  readonly #syncEveryBytes: number;
  #arrival: Arrival | null = null;
  /** A whole file is being checked. */
  #checking: Promise<void> | null = null;
  #expiry: NodeJS.Timeout | null = null;
  #named = 0;

  constructor(options: SnapshotStagingOptions) {
    this.#options = options;
    this.#files = options.files ?? nodeStagingFiles;
    this.#syncEveryBytes = options.syncEveryBytes ?? SYNC_EVERY_BYTES;
  }

  /** Takes up what an earlier process left unfinished. */
  recover(): void {
    const found = openNoted(this.#options.directory);
    if (found === null) return;
    const { note, descriptor } = found;
    this.#arrival = { note, descriptor, receivedBytes: note.durable_bytes, from: null, syncing: null };
    this.#expireLater();
  }

  /** Answers `origin` where to go on, or why not. */
  offer(origin: SnapshotOrigin, offer: SnapshotOffer): void {
    const refusal = this.#refusalOf(offer);
    if (refusal !== null) {
      origin.refused(offer.sha256, refusal);
      return;
    }
    const note = noteOf(offer, this.#nextName());
    if (this.#arrival !== null && isSame(this.#arrival.note, note)) {
      const { from } = this.#arrival;
      if (from !== null && from.origin !== origin)
        from.origin.refused(offer.sha256, "another stream sends it");
    } else {
      this.#discard("another snapshot took its place");
      try {
        this.#arrival = this.#open(note);
      } catch (error) {
        this.#giveUp(origin, offer.sha256, error);
        return;
      }
    }
    this.#arrival.from = { origin, message: offer.message };
    this.#cancelExpiry();
    origin.progress(offer.sha256, this.#arrival.receivedBytes);
  }

  /** Throws `MessageFormatError` for a piece that does not go on where the file ends. */
  piece(origin: SnapshotOrigin, { offset, bytes }: SnapshotPiece): void {
    const arrival = this.#arrival;
    if (arrival?.from?.origin !== origin)
      throw new MessageFormatError("a piece of a snapshot that nobody offered");
    const { size_bytes, sha256 } = arrival.note;
    if (offset !== arrival.receivedBytes || offset + bytes.byteLength > size_bytes)
      throw new MessageFormatError(
        `a piece at ${offset} of a snapshot that is here up to ${arrival.receivedBytes}`,
      );
    try {
      for (let at = 0; at < bytes.byteLength;)
        at += this.#files.write(arrival.descriptor, bytes.subarray(at), offset + at);
    } catch (error) {
      this.#giveUp(origin, Buffer.from(sha256, "hex"), error);
      return;
    }
    arrival.receivedBytes += bytes.byteLength;
    if (arrival.receivedBytes === size_bytes) {
      this.#check(arrival);
      return;
    }
    origin.progress(Buffer.from(sha256, "hex"), arrival.receivedBytes);
    if (arrival.receivedBytes - arrival.note.durable_bytes >= this.#syncEveryBytes) void this.#sync(arrival);
  }

  /** The stream has ended; what it brought waits for the next one. */
  leave(origin: SnapshotOrigin): void {
    if (this.#arrival?.from?.origin !== origin) return;
    this.#arrival.from = null;
    this.#expireLater();
  }

  /** Notes how far the unfinished file is, for the next process. */
  async close(): Promise<void> {
    this.#cancelExpiry();
    await this.#checking;
    const arrival = this.#arrival;
    if (arrival === null) return;
    arrival.from = null;
    await arrival.syncing;
    await this.#sync(arrival);
    if (this.#arrival !== arrival) return;
    this.#arrival = null;
    closeSync(arrival.descriptor);
  }

  #refusalOf({ format, message, sizeBytes }: SnapshotOffer): string | null {
    if (!this.#options.formats.includes(format))
      return `it has format ${format}, which this build does not read`;
    if (this.#checking !== null) return "another snapshot is being put in place";
    const current = this.#arrival?.from?.message;
    if (current !== undefined && message.term < current.term) return "a later leader sends one";
    const missing = sizeBytes - (this.#arrival?.receivedBytes ?? 0);
    try {
      const free = this.#files.freeBytes(this.#options.directory);
      return free >= missing + DISK_RESERVE_BYTES ? null : `${free} bytes are free, it needs ${missing} more`;
    } catch (error) {
      return describe(error);
    }
  }

  /** Of its own for each file: the one that it replaces may still be closing. */
  #nextName(): string {
    this.#named += 1;
    return `${UNFINISHED_PREFIX}-${process.pid}-${this.#named}`;
  }

  #open(note: ArrivalNote): Arrival {
    removeArrival(this.#options.directory);
    const descriptor = openSync(join(this.#options.directory, note.file), "wx+", 0o600);
    return { note, descriptor, receivedBytes: 0, from: null, syncing: null };
  }

  #sync(arrival: Arrival): Promise<void> {
    arrival.syncing ??= this.#syncAndNote(arrival).finally(() => {
      arrival.syncing = null;
    });
    return arrival.syncing;
  }

  async #syncAndNote(arrival: Arrival): Promise<void> {
    const durable_bytes = arrival.receivedBytes;
    try {
      await this.#files.sync(arrival.descriptor);
      if (this.#arrival !== arrival) return;
      arrival.note = { ...arrival.note, durable_bytes };
      writeNote(this.#options.directory, arrival.note);
    } catch (error) {
      const from = arrival.from?.origin ?? null;
      if (this.#arrival === arrival) this.#giveUp(from, Buffer.from(arrival.note.sha256, "hex"), error);
    }
  }

  #check(arrival: Arrival): void {
    this.#checking ??= this.#checkAndDeliver(arrival).finally(() => {
      this.#checking = null;
    });
  }

  async #checkAndDeliver(arrival: Arrival): Promise<void> {
    const { from, note } = arrival;
    const { directory } = this.#options;
    const sha256 = Buffer.from(note.sha256, "hex");
    if (from === null) return;
    const stillHere = setInterval(
      () => from.origin.progress(sha256, note.size_bytes - 1),
      CHECKING_SAY_EVERY_MS,
    );
    try {
      await arrival.syncing;
      if (this.#arrival !== arrival) return;
      await this.#files.sync(arrival.descriptor);
      const found = await hashFile(join(directory, note.file));
      if (!found.sha256.equals(sha256)) throw new Error("the snapshot arrived damaged");
      const path = join(directory, ARRIVED_PREFIX + note.file);
      renameSync(join(directory, note.file), path);
      this.#arrival = null;
      closeSync(arrival.descriptor);
      removeArrival(directory);
      from.origin.progress(sha256, note.size_bytes);
      from.origin.deliver(from.message, path);
    } catch (error) {
      this.#giveUp(from.origin, sha256, error);
    } finally {
      clearInterval(stillHere);
    }
  }

  /** The disk or the file is no good: makes room again, says so, and leaves the node as it is. */
  #giveUp(origin: SnapshotOrigin | null, sha256: Buffer, error: unknown): void {
    const reason = describe(error);
    this.#options.log({ level: "warn", msg: "a snapshot could not be taken", reason });
    if (this.#arrival !== null) this.#arrival.from = null;
    this.#discard(reason);
    origin?.refused(sha256, reason);
  }

  #discard(reason: string): void {
    this.#cancelExpiry();
    const arrival = this.#arrival;
    this.#arrival = null;
    if (arrival === null) return;
    arrival.from?.origin.refused(Buffer.from(arrival.note.sha256, "hex"), reason);
    const close = (): void => closeSync(arrival.descriptor);
    if (arrival.syncing === null) close();
    else void arrival.syncing.then(close);
    removeArrival(this.#options.directory);
  }

  #expireLater(): void {
    this.#cancelExpiry();
    this.#expiry = setTimeout(() => this.#discard("nobody sent the rest"), ABANDONED_KEPT_MS);
    this.#expiry.unref();
  }

  #cancelExpiry(): void {
    if (this.#expiry !== null) clearTimeout(this.#expiry);
    this.#expiry = null;
  }
}

/** Whole files on their way to the log, which removes them; those that a crash left behind are removed at the next start. */
export const ARRIVED_PREFIX = "arriving-";

function noteOf({ format, message, sha256, sizeBytes }: SnapshotOffer, file: string): ArrivalNote {
  const { index, term } = message.meta;
  return {
    version: 1,
    file,
    index,
    term,
    format,
    size_bytes: sizeBytes,
    sha256: sha256.toString("hex"),
    durable_bytes: 0,
  };
}

function isSame(a: ArrivalNote, b: ArrivalNote): boolean {
  const isSameState = a.index === b.index && a.term === b.term && a.format === b.format;
  return isSameState && a.size_bytes === b.size_bytes && a.sha256 === b.sha256;
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
