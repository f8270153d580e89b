/**
 * One authenticated stream to one peer, both ways. Invariant: frames leave in the order queued, and what waits here has a
 * limit: past QUEUE_BYTES_MAX the oldest droppable frames go (Raft sends again what is not acknowledged), and a queue that
 * is full of anything else ends the connection. Ends by itself when the peer is silent or sends what is no frame.
 */
import type { Socket } from "node:net";
import { encodeFrame, type Frame, FRAME_KINDS, FrameReader } from "./frame.ts";

/** Bytes that wait for a slow peer. */
export const QUEUE_BYTES_MAX = 64 * 1024 * 1024;
/** A frame goes out at least this often. */
export const PING_EVERY_MS = 1_000;
/** A peer that sent nothing for this long is gone: longer than a stalled disk or a long garbage collection. */
export const PEER_SILENT_MS = 6_000;

export interface PeerConnectionEvents {
  onFrame(frame: Frame): void;
  /** Frames were dropped: the peer is slower than we are. */
  onDropped(frames: number): void;
  /** Called once. */
  onClose(reason: string): void;
}

interface Queued {
  bytes: Buffer;
  droppable: boolean;
}

export class PeerConnection {
  readonly #socket: Socket;
  readonly #events: PeerConnectionEvents;
  readonly #reader = new FrameReader();
  readonly #queueBytesMax: number;
  #queue: Queued[] = [];
  #queuedBytes = 0;
  #idle: (() => void)[] = [];
  #heardAtMs = performance.now();
  #pings: NodeJS.Timeout;
  #closed: string | null = null;

  constructor(socket: Socket, events: PeerConnectionEvents, queueBytesMax = QUEUE_BYTES_MAX) {
    this.#socket = socket;
    this.#events = events;
    this.#queueBytesMax = queueBytesMax;
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("drain", () => this.#pump());
    socket.on("error", (error: Error) => this.close(error.message));
    socket.on("close", () => this.close("the peer closed the connection"));
    this.#pings = setInterval(() => this.#keepAlive(), PING_EVERY_MS);
    this.#pings.unref();
  }

  get closed(): boolean {
    return this.#closed !== null;
  }

  /** Sends a frame at once, or queues it behind those that wait. On a closed connection it is lost. */
  send(kind: number, payload: Uint8Array, options: { droppable: boolean }): void {
    if (this.#closed !== null) return;
    const bytes = encodeFrame(kind, payload);
    this.#queue.push({ bytes, droppable: options.droppable });
    this.#queuedBytes += bytes.byteLength;
    this.#pump();
    if (this.#queuedBytes > this.#queueBytesMax) this.#shed();
  }

  /** Resolves when nothing waits here any more. Rejects when the connection ends before. */
  async drained(): Promise<void> {
    if (this.#closed === null && this.#queue.length > 0) {
      await new Promise<void>((resolve) => {
        this.#idle.push(resolve);
      });
    }
    if (this.#closed !== null) throw new Error(`the connection ended: ${this.#closed}`);
  }

  /** Idempotent. */
  close(reason: string): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    clearInterval(this.#pings);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#socket.destroy();
    this.#wakeIdle();
    this.#events.onClose(reason);
  }

  #read(chunk: Buffer): void {
    this.#heardAtMs = performance.now();
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (this.#closed !== null) return;
        if (frame.kind !== FRAME_KINDS.ping) this.#events.onFrame(frame);
      }
    } catch (error) {
      this.close(error instanceof Error ? error.message : String(error));
    }
  }

  #pump(): void {
    let sent = 0;
    while (sent < this.#queue.length && !this.#socket.writableNeedDrain) {
      const { bytes } = this.#queue[sent]!;
      this.#socket.write(bytes);
      this.#queuedBytes -= bytes.byteLength;
      sent += 1;
    }
    if (sent > 0) this.#queue = this.#queue.slice(sent);
    if (this.#queue.length === 0) this.#wakeIdle();
  }

  #shed(): void {
    let dropped = 0;
    this.#queue = this.#queue.filter(({ bytes, droppable }) => {
      if (!droppable || this.#queuedBytes <= this.#queueBytesMax) return true;
      this.#queuedBytes -= bytes.byteLength;
      dropped += 1;
      return false;
    });
    if (this.#queuedBytes > this.#queueBytesMax) this.close("too much waits for the peer");
    else if (dropped > 0) this.#events.onDropped(dropped);
  }

  #keepAlive(): void {
    if (performance.now() - this.#heardAtMs > PEER_SILENT_MS) this.close("the peer is silent");
    else this.send(FRAME_KINDS.ping, new Uint8Array(0), { droppable: true });
  }

  #wakeIdle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
