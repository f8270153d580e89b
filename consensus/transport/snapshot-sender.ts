/**
 * The sending end of snapshots on one stream. The receiver says where to begin, so that a transfer that broke off goes on
 * where it was, and acknowledges as it goes; snapshot-pace.ts says how far ahead of it to be.
 */
import { type FileHandle, open } from "node:fs/promises";
import { FRAME_KINDS, type Frame } from "./frame.ts";
import type { PeerConnection } from "./peer-connection.ts";
import {
  decodeProgress,
  decodeRefusal,
  encodeOffer,
  encodePiece,
  PIECE_BYTES,
  type SnapshotOffer,
} from "./snapshot-frames.ts";
import { nextWindowBytes, WINDOW_BYTES_FIRST } from "./snapshot-pace.ts";

/** A receiver that acknowledges nothing for this long has given up: longer than a stalled disk. */
const PROGRESS_SILENT_MS = 30_000;
const KEEP = { droppable: false };

interface Transfer {
  sha256: Buffer;
  sizeBytes: number;
  /** Up to here the receiver has it; null until it has said where to begin. */
  acknowledged: number | null;
  windowBytes: number;
  /** Pieces on their way, by their end. */
  underway: { end: number; sentAtMs: number }[];
  failure: Error | null;
  /** Called when any of the above has changed. */
  wake: () => void;
}

export class SnapshotSender {
  readonly #connection: Pick<PeerConnection, "send" | "drained">;
  readonly #silentMs: number;
  #transfer: Transfer | null = null;

  constructor(connection: Pick<PeerConnection, "send" | "drained">, silentMs = PROGRESS_SILENT_MS) {
    this.#connection = connection;
    this.#silentMs = silentMs;
  }

  /**
   * Sends the file at the pace of the peer, between its other messages; resolves when the peer has all of it. Rejects with
   * the receiver's refusal, when file or connection fail, on abort, or when another transfer is under way.
   */
  async send(offer: SnapshotOffer, path: string, signal: AbortSignal): Promise<void> {
    if (this.#transfer !== null) throw new Error("another snapshot is on its way on this stream");
    const transfer: Transfer = {
      sha256: offer.sha256,
      sizeBytes: offer.sizeBytes,
      acknowledged: null,
      windowBytes: WINDOW_BYTES_FIRST,
      underway: [],
      failure: null,
      wake: () => undefined,
    };
    this.#transfer = transfer;
    const onAbort = (): void => fail(transfer, new Error("the snapshot is not wanted any more"));
    signal.addEventListener("abort", onAbort);
    if (signal.aborted) onAbort();
    const file = await open(path, "r").catch((error: unknown) => this.#forget(transfer, error));
    try {
      this.#connection.send(FRAME_KINDS.snapshotOffer, encodeOffer(offer), KEEP);
      await this.#sendPieces(file, transfer);
    } finally {
      this.#transfer = null;
      signal.removeEventListener("abort", onAbort);
      await file.close();
    }
  }

  /** Takes the receiver's word. What is about another file than the one under way came too late. */
  take({ kind, payload }: Frame): void {
    const transfer = this.#transfer;
    if (kind === FRAME_KINDS.snapshotRefusal) {
      const { sha256, reason } = decodeRefusal(payload);
      if (transfer?.sha256.equals(sha256) === true)
        fail(transfer, new Error(`the member refused it: ${reason}`));
      return;
    }
    const { sha256, offset } = decodeProgress(payload);
    if (transfer?.sha256.equals(sha256) === true) acknowledge(transfer, offset);
  }

  /** The stream has ended. */
  abandon(reason: string): void {
    if (this.#transfer !== null) fail(this.#transfer, new Error(`the connection ended: ${reason}`));
  }

  #forget(transfer: Transfer, error: unknown): never {
    if (this.#transfer === transfer) this.#transfer = null;
    throw error;
  }

  async #sendPieces(file: FileHandle, transfer: Transfer): Promise<void> {
    while (transfer.acknowledged === null) await this.#news(transfer);
    const buffer = Buffer.allocUnsafe(PIECE_BYTES);
    for (let at = transfer.acknowledged; at < transfer.sizeBytes;) {
      while (at - transfer.acknowledged >= transfer.windowBytes) await this.#news(transfer);
      const { bytesRead } = await file.read(buffer, 0, PIECE_BYTES, at);
      if (bytesRead === 0) throw new Error("the snapshot's file became shorter while it was sent");
      if (transfer.failure !== null) throw transfer.failure;
      const piece = encodePiece({ offset: at, bytes: buffer.subarray(0, bytesRead) });
      at += bytesRead;
      transfer.underway.push({ end: at, sentAtMs: performance.now() });
      this.#connection.send(FRAME_KINDS.snapshotPiece, piece, KEEP);
      await this.#connection.drained();
    }
    while (transfer.acknowledged < transfer.sizeBytes) await this.#news(transfer);
  }

  /** Waits for the receiver. Rejects when it refused, is gone or says nothing. */
  async #news(transfer: Transfer): Promise<void> {
    if (transfer.failure !== null) throw transfer.failure;
    await new Promise<void>((resolve) => {
      const silent = new Error("the member stopped acknowledging it");
      const timer = setTimeout(() => fail(transfer, silent), this.#silentMs);
      transfer.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    if (transfer.failure !== null) throw transfer.failure;
  }
}

function acknowledge(transfer: Transfer, offset: number): void {
  const before = transfer.acknowledged;
  const sentTo = transfer.underway.at(-1)?.end ?? before;
  if (offset > transfer.sizeBytes || (before !== null && (offset < before || offset > (sentTo ?? before)))) {
    fail(transfer, new Error(`the member acknowledged ${offset} bytes, which it cannot have`));
    return;
  }
  transfer.acknowledged = offset;
  const nowMs = performance.now();
  while (transfer.underway[0] !== undefined && transfer.underway[0].end <= offset) {
    const { sentAtMs } = transfer.underway.shift()!;
    transfer.windowBytes = nextWindowBytes(transfer.windowBytes, nowMs - sentAtMs);
  }
  transfer.wake();
}

function fail(transfer: Transfer, error: Error): void {
  transfer.failure ??= error;
  transfer.wake();
}
