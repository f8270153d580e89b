import { connect, type Socket } from "node:net";

/** Requests that wait for their answer are one a connection: HTTP/1.1 as an ordinary client speaks it. */
export interface HttpTarget {
  host: string;
  port: number;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const LAST_CHUNK = Buffer.from("\r\n0\r\n\r\n");
const RECEIVE_BYTES = 64 * 1024;
const NOT_MODIFIED = "304";

/**
 * A keep-alive HTTP/1.1 connection that costs as little as possible, so that a benchmark measures the server: requests
 * are bytes made in advance, and of an answer only its status and its end are looked at.
 */
export class HttpConnection {
  readonly #socket: Socket;
  #pending: Buffer | null = null;
  #done: ((status: number) => void) | null = null;
  #failed: ((error: Error) => void) | null = null;

  constructor(target: HttpTarget) {
    this.#socket = connect({
      ...target,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafe(RECEIVE_BYTES),
        callback: (bytes, buffer) => {
          this.#receive(Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
          return true;
        },
      },
    });
    this.#socket.on("error", (error) => this.#failed?.(error));
    this.#socket.on("close", () => this.#failed?.(new Error("the server closed the connection")));
  }

  /** Sends one request; `done` gets the answer's status. The one before must have been answered. */
  send(request: Buffer, done: (status: number) => void, failed: (error: Error) => void): void {
    this.#done = done;
    this.#failed = failed;
    this.#socket.write(request);
  }

  close(): void {
    this.#failed = null;
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    // What is kept over a chunk's end must be copied: its buffer is used again.
    const bytes = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk]);
    const end = answerEnd(bytes);
    if (end === null) {
      this.#pending = this.#pending === null ? Buffer.from(bytes) : bytes;
      return;
    }
    this.#pending = null;
    this.#done?.(Number(bytes.toString("latin1", 9, 12)));
  }
}

/** Where the answer in `bytes` ends, or null when it goes on. */
function answerEnd(bytes: Buffer): number | null {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd === -1) return null;
  const bodyAt = headEnd + HEAD_END.byteLength;
  // Has no body, whatever its headers say.
  if (bytes.toString("latin1", 9, 12) === NOT_MODIFIED) return bodyAt;
  const length = /\r\ncontent-length: (\d+)/i.exec(bytes.toString("latin1", 0, headEnd))?.[1];
  if (length === undefined) {
    const last = bytes.subarray(headEnd).indexOf(LAST_CHUNK);
    return last === -1 ? null : headEnd + last + LAST_CHUNK.byteLength;
  }
  const end = bodyAt + Number(length);
  return bytes.byteLength >= end ? end : null;
}

/** The bytes of a request. */
export function encodeRequest(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array = new Uint8Array(0),
): Buffer {
  const all = {
    host: "127.0.0.1",
    ...headers,
    ...(method === "GET" ? {} : { "content-length": String(body.byteLength) }),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`), body]);
}
