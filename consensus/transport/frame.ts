/**
 * Frames on a peer stream: length of the payload (4 bytes), CRC-32 of kind and payload (4), kind (1), payload. TLS keeps
 * strangers out; the checksum finds what goes wrong on either end of it.
 */
import { crc32 } from "node:zlib";

/** One command of 16 MiB and what surrounds it; nobody sends more in one frame. */
export const FRAME_BYTES_MAX = 20 * 1024 * 1024;
const HEADER_BYTES = 9;

/** A number is never used again: 4 to 6 were snapshots without a way to go on. */
export const FRAME_KINDS = {
  hello: 1,
  ping: 2,
  message: 3,
  founding: 7,
  snapshotOffer: 8,
  snapshotPiece: 9,
  snapshotProgress: 10,
  snapshotRefusal: 11,
  info: 12,
  /** A message that promises something, in the form that says for how long. */
  promise: 13,
} as const;

export interface Frame {
  kind: number;
  payload: Buffer;
}

/** The stream is not made of frames; nothing after this point can be trusted. */
export class FrameError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "FrameError";
  }
}

export function encodeFrame(kind: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.byteLength);
  frame.writeUInt32BE(payload.byteLength, 0);
  frame.writeUInt8(kind, 8);
  frame.set(payload, HEADER_BYTES);
  frame.writeUInt32BE(crc32(frame.subarray(8)), 4);
  return frame;
}

/** Cuts a stream of bytes into frames. Holds at most one unfinished frame. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes of the frame being read, its header included; 0: the header is not there yet. */
  #wanted = 0;

  /** The frames that `chunk` completes. Throws `FrameError` for a length over FRAME_BYTES_MAX or a wrong checksum. */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#size += chunk.byteLength;
    const frames: Frame[] = [];
    for (;;) {
      if (this.#wanted === 0 && this.#size >= HEADER_BYTES) this.#wanted = this.#frameBytes();
      if (this.#wanted === 0 || this.#size < this.#wanted) return frames;
      frames.push(readFrame(this.#take(this.#wanted)));
      this.#wanted = 0;
    }
  }

  /** Takes back the bytes of the unfinished frame. */
  rest(): Buffer {
    const rest = Buffer.concat(this.#chunks);
    this.#chunks = [];
    this.#size = 0;
    this.#wanted = 0;
    return rest;
  }

  #frameBytes(): number {
    const length = this.#joined(HEADER_BYTES).readUInt32BE();
    if (length > FRAME_BYTES_MAX)
      throw new FrameError(`a frame of ${length} bytes, at most ${FRAME_BYTES_MAX}`);
    return HEADER_BYTES + length;
  }

  /** Makes the first chunk hold at least `bytes`. */
  #joined(bytes: number): Buffer {
    const first = this.#chunks[0] ?? Buffer.alloc(0);
    if (first.byteLength >= bytes) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  #take(bytes: number): Buffer {
    const joined = this.#joined(bytes);
    this.#size -= bytes;
    if (joined.byteLength === bytes) this.#chunks.shift();
    else this.#chunks[0] = joined.subarray(bytes);
    return joined.subarray(0, bytes);
  }
}

function readFrame(bytes: Buffer): Frame {
  if (crc32(bytes.subarray(8)) !== bytes.readUInt32BE(4)) throw new FrameError("a frame's checksum is wrong");
  return { kind: bytes.readUInt8(8), payload: bytes.subarray(HEADER_BYTES) };
}
