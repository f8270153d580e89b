/**
 * A snapshot on a peer stream: `snapshotBegin` (file size, then the Raft message), `snapshotChunk`s in order, `snapshotEnd`
 * (SHA-256 of the file). One transfer at a time in each direction; a new beginning voids the one before. A file is handed
 * over only when it is whole, checked and on disk.
 */
import { createHash, type Hash } from "node:crypto";
import { closeSync, fsync, openSync, rmSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { FRAME_KINDS, type Frame } from "./frame.ts";
import { decodeMessage, encodeMessage, MessageFormatError } from "./message-codec.ts";
import type { PeerConnection } from "./peer-connection.ts";
import type { SnapshotMessage } from "./transport.ts";

const CHUNK_BYTES = 256 * 1024;
const SIZE_BYTES = 8;
/** No state is larger: a peer that announces more is not taken at its word. */
export const SNAPSHOT_BYTES_MAX = 64 * 1024 ** 3;

/** Sends the file at the pace of the peer, between its other messages. Rejects when file or connection fail. */
export async function sendSnapshotFile(
  connection: PeerConnection,
  message: SnapshotMessage,
  path: string,
): Promise<void> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const begin = Buffer.allocUnsafe(SIZE_BYTES);
    begin.writeBigUInt64BE(BigInt(size));
    const hash = createHash("sha256");
    const keep = { droppable: false };
    connection.send(FRAME_KINDS.snapshotBegin, Buffer.concat([begin, encodeMessage(message)]), keep);
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let at = 0; at < size;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, at);
      if (bytesRead === 0) throw new Error(`${path} became shorter while it was sent`);
      const chunk = buffer.subarray(0, bytesRead);
      hash.update(chunk);
      connection.send(FRAME_KINDS.snapshotChunk, chunk, keep);
      at += bytesRead;
      await connection.drained();
    }
    connection.send(FRAME_KINDS.snapshotEnd, hash.digest(), keep);
    await connection.drained();
  } finally {
    await file.close();
  }
}

interface Incoming {
  message: SnapshotMessage;
  path: string;
  descriptor: number;
  sizeBytes: number;
  receivedBytes: number;
  hash: Hash;
}

interface ReceiverEvents {
  /** Throws for a message that must not come on this connection. */
  expect: (message: SnapshotMessage) => void;
  deliver: (message: SnapshotMessage, path: string) => void;
}

/** The receiving end of one connection. */
export class SnapshotReceiver {
  readonly #pathOf: () => string;
  readonly #events: ReceiverEvents;
  #incoming: Incoming | null = null;

  /** `pathOf` names a new file for each transfer. */
  constructor(pathOf: () => string, events: ReceiverEvents) {
    this.#pathOf = pathOf;
    this.#events = events;
  }

  /** Takes a frame of a transfer. Throws for one that makes no sense, or when the disk fails: the transfer is void then. */
  take({ kind, payload }: Frame): void {
    if (kind === FRAME_KINDS.snapshotBegin) this.#begin(payload);
    else if (kind === FRAME_KINDS.snapshotChunk) this.#chunk(payload);
    else this.#end(payload);
  }

  /** Forgets a transfer under way. */
  abandon(): void {
    const incoming = this.#incoming;
    this.#incoming = null;
    if (incoming === null) return;
    closeSync(incoming.descriptor);
    rmSync(incoming.path, { force: true });
  }

  #begin(payload: Buffer): void {
    this.abandon();
    if (payload.byteLength < SIZE_BYTES)
      throw new MessageFormatError("the snapshot's beginning is cut short");
    const sizeBytes = Number(payload.readBigUInt64BE());
    if (sizeBytes > SNAPSHOT_BYTES_MAX) throw new MessageFormatError(`a snapshot of ${sizeBytes} bytes`);
    const message = decodeMessage(payload.subarray(SIZE_BYTES));
    if (message.type !== "snapshot") throw new MessageFormatError(`a snapshot began with ${message.type}`);
    this.#events.expect(message);
    const path = this.#pathOf();
    const descriptor = openSync(path, "wx", 0o600);
    this.#incoming = { message, path, descriptor, sizeBytes, receivedBytes: 0, hash: createHash("sha256") };
  }

  #chunk(payload: Buffer): void {
    const incoming = this.#incoming;
    if (incoming === null) throw new MessageFormatError("a piece of a snapshot that never began");
    incoming.receivedBytes += payload.byteLength;
    if (incoming.receivedBytes > incoming.sizeBytes)
      throw new MessageFormatError("a snapshot is longer than it said");
    incoming.hash.update(payload);
    for (let at = 0; at < payload.byteLength;) at += writeSync(incoming.descriptor, payload, at);
  }

  #end(payload: Buffer): void {
    const incoming = this.#incoming;
    if (incoming === null) throw new MessageFormatError("the end of a snapshot that never began");
    if (incoming.receivedBytes !== incoming.sizeBytes || !incoming.hash.digest().equals(payload)) {
      throw new MessageFormatError("a snapshot arrived damaged");
    }
    this.#incoming = null;
    void this.#settle(incoming);
  }

  async #settle({ descriptor, message, path }: Incoming): Promise<void> {
    try {
      await promisify(fsync)(descriptor);
      closeSync(descriptor);
    } catch {
      // The disk did not take it: the leader, who hears no answer, sends it again.
      rmSync(path, { force: true });
      return;
    }
    this.#events.deliver(message, path);
  }
}
