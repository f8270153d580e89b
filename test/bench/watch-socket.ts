import { connect, type Socket } from "node:net";

const HEAD_END = Buffer.from("\r\n\r\n");
const CHANGE = Buffer.from('"type":"change"');
const HELLO = Buffer.from('"type":"hello"');
const RECEIVE_BYTES = 64 * 1024;
const PONG = Buffer.from("pong");
const TEXT_FRAME = 0x81;
const CLOSE_FRAME = 0x88;
/** A client's frames are masked; by zeros, which change nothing. */
const MASKED = 0x80;
const MASK = [0, 0, 0, 0];
const SHORT_BYTES_MAX = 125;
/** Every read is looked at before the next one is made, so all sockets share a buffer. */
const received = Buffer.allocUnsafe(RECEIVE_BYTES);

export interface WatchSocketEvents {
  greeted: () => void;
  changed: () => void;
  failed: (error: Error) => void;
  /** Gets every message whole, before it is looked at. */
  told?: (message: Buffer) => void;
  /** Gets the answer to a `ping`, which is no message. */
  ponged?: () => void;
}

/** The server has ended the connection by a close frame. */
export class WatchClosedError extends Error {
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string) {
    super(`the server closed the connection: ${code} ${reason}`);
    this.name = "WatchClosedError";
    this.code = code;
    this.reason = reason;
  }
}

/** The request to open a socket was answered otherwise. */
export class UpgradeRefusedError extends Error {
  readonly status: number;
  constructor(status: number, head: string) {
    super(`the upgrade was answered ${head}`);
    this.name = "UpgradeRefusedError";
    this.status = status;
  }
}

/**
 * A WebSocket that costs as little as possible, so that a benchmark measures the server: of what it is sent, only whether
 * it is a greeting or a change is looked at (RFC 6455; servers send unmasked, and ours no fragments).
 */
export class WatchSocket {
  readonly #socket: Socket;
  readonly #events: WatchSocketEvents;
  #pending: Buffer = Buffer.alloc(0);
  #isOpen = false;

  constructor(
    target: { port: number; path: string; headers: Readonly<Record<string, string>> },
    events: WatchSocketEvents,
  ) {
    this.#events = events;
    this.#socket = connect({
      host: "127.0.0.1",
      port: target.port,
      noDelay: true,
      onread: {
        buffer: received,
        callback: (bytes) => {
          this.#receive(received.subarray(0, bytes));
          return true;
        },
      },
    });
    const headers = {
      host: "127.0.0.1",
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...target.headers,
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.write(`GET ${target.path} HTTP/1.1\r\n${lines.join("")}\r\n`);
    this.#socket.on("error", (error) => events.failed(error));
    this.#socket.on("close", () => events.failed(new Error("the server closed the connection")));
  }

  /** Says a short text, as `ping`. */
  send(text: string): void {
    const payload = Buffer.from(text);
    if (payload.byteLength > SHORT_BYTES_MAX) throw new RangeError("no message of ours is so long");
    this.#socket.write(Buffer.from([TEXT_FRAME, MASKED | payload.byteLength, ...MASK, ...payload]));
  }

  /** Cuts the connection as a crash would. */
  destroy(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    let bytes = this.#pending.byteLength === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    if (!this.#isOpen) {
      const end = bytes.indexOf(HEAD_END);
      if (end !== -1) {
        const status = bytes.toString("latin1", 9, 12);
        if (status !== "101") {
          this.#events.failed(new UpgradeRefusedError(Number(status), bytes.toString("latin1", 9, end)));
          return;
        }
        this.#isOpen = true;
        bytes = bytes.subarray(end + HEAD_END.byteLength);
      }
    }
    if (this.#isOpen) bytes = this.#takeFrames(bytes);
    this.#pending = bytes.byteLength === 0 ? bytes : Buffer.from(bytes);
  }

  /** Answers what is left: the beginning of a frame. */
  #takeFrames(bytes: Buffer): Buffer {
    let rest = bytes;
    for (;;) {
      const frame = readFrame(rest);
      if (frame === null) return rest;
      rest = rest.subarray(frame.end);
      this.#take(frame);
    }
  }

  #take({ kind, payload }: { kind: number; payload: Buffer }): void {
    const events = this.#events;
    if (kind === CLOSE_FRAME) events.failed(closedBy(payload));
    else if (kind !== TEXT_FRAME) events.failed(new Error("the server sent what is no text"));
    else if (payload.equals(PONG)) events.ponged?.();
    else {
      events.told?.(payload);
      if (payload.includes(CHANGE)) events.changed();
      else if (payload.includes(HELLO)) events.greeted();
    }
  }
}

function closedBy(payload: Buffer): WatchClosedError {
  const code = payload.byteLength < 2 ? 1005 : payload.readUInt16BE(0);
  return new WatchClosedError(code, payload.subarray(2).toString());
}

function readFrame(bytes: Buffer): { kind: number; payload: Buffer; end: number } | null {
  if (bytes.byteLength < 2) return null;
  const short = bytes.readUInt8(1);
  const headBytes = short < 126 ? 2 : 4;
  if (short === 127) throw new Error("no message of ours is so long");
  if (bytes.byteLength < headBytes) return null;
  const end = headBytes + (short < 126 ? short : bytes.readUInt16BE(2));
  if (bytes.byteLength < end) return null;
  return { kind: bytes.readUInt8(0), payload: bytes.subarray(headBytes, end), end };
}
