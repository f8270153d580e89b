/**
 * The short way for the plainest requests. node:http makes two streams and a dozen events for each; here a request that came
 * whole (http-whole-request.ts) is answered by one write, for six tenths of the processor time (docs/performance.md).
 *
 * Invariant: a connection is either here or node:http's. The first bytes that are not exactly one plain request go to
 * node:http untouched, and the connection with them, for good: this code decides nothing about what it does not know.
 */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { readWholeRequest, type WholeRequest } from "./http-whole-request.ts";

/** What an answer is written to, a response of node:http or one of these. */
export interface ReplyTarget {
  readonly headersSent: boolean;
  readonly closed: boolean;
  readonly destroyed: boolean;
  readonly statusCode: number;
  /** `fields`: name and value by turns, `content-length` among them. */
  writeHead(status: number, fields: string[]): unknown;
  /** `encoding` is that of a string. */
  end(body: string | Uint8Array, encoding: BufferEncoding): unknown;
  destroy(): unknown;
  once(event: "close", act: () => void): unknown;
}

export interface HttpLaneOptions {
  /** Answers a request; never rejects. */
  answer(request: WholeRequest, reply: ReplyTarget): Promise<void>;
  /** Takes the connection over; the bytes to begin with are in the socket again. */
  handOver(socket: Socket): void;
  /** How long a connection may be idle. */
  keepAliveMs: number;
}

export class HttpLane {
  readonly #options: HttpLaneOptions;
  readonly #connections = new Set<LaneConnection>();

  constructor(options: HttpLaneOptions) {
    this.#options = options;
  }

  /** A new connection. */
  accept(socket: Socket): void {
    const connection = new LaneConnection(socket, this.#options, () => this.#connections.delete(connection));
    this.#connections.add(connection);
  }

  /** Ends all that are here, idle or not. */
  closeAll(): void {
    for (const connection of this.#connections) connection.destroy();
  }
}

class LaneConnection {
  readonly #socket: Socket;
  readonly #options: HttpLaneOptions;
  readonly #onLeft: () => void;
  #answering: LaneReply | null = null;
  /** Came before the answer to what came before it. */
  #early: Buffer | null = null;

  constructor(socket: Socket, options: HttpLaneOptions, onLeft: () => void) {
    this.#socket = socket;
    this.#options = options;
    this.#onLeft = onLeft;
    socket.setNoDelay(true);
    socket.setTimeout(options.keepAliveMs);
    socket.on("data", this.#read);
    socket.on("drain", this.#goOn);
    socket.on("timeout", this.#idle);
    socket.on("end", this.#ended);
    socket.on("error", this.#failed);
    socket.on("close", this.#closed);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  readonly #read = (chunk: Buffer): void => {
    if (this.#answering !== null || this.#socket.writableNeedDrain) {
      this.#early = this.#early === null ? chunk : Buffer.concat([this.#early, chunk]);
      this.#socket.pause();
      return;
    }
    const request = readWholeRequest(chunk);
    if (request === null) {
      this.#leave(chunk);
      return;
    }
    const reply = new LaneReply(this.#socket, this.#options.keepAliveMs, (isLast) => this.#answered(isLast));
    this.#answering = reply;
    void this.#options.answer(request, reply);
  };

  #answered(isLast: boolean): void {
    this.#answering = null;
    if (isLast) this.#socket.end();
    else this.#goOn();
  }

  readonly #goOn = (): void => {
    const early = this.#early;
    if (early === null || this.#answering !== null || this.#socket.writableNeedDrain) return;
    this.#early = null;
    this.#socket.resume();
    this.#read(early);
  };

  #leave(chunk: Buffer): void {
    const socket = this.#socket;
    socket.pause();
    socket.setTimeout(0);
    socket.off("data", this.#read);
    socket.off("drain", this.#goOn);
    socket.off("timeout", this.#idle);
    socket.off("end", this.#ended);
    socket.off("error", this.#failed);
    socket.off("close", this.#closed);
    this.#onLeft();
    this.#options.handOver(socket);
    socket.unshift(chunk);
    socket.resume();
  }

  readonly #idle = (): void => {
    if (this.#answering === null) this.#socket.destroy();
  };

  /** The client sends no more. One that waits for an answer has gone, as for node:http; else the last one still goes out. */
  readonly #ended = (): void => {
    if (this.#answering === null) this.#socket.end();
    else this.#socket.destroy();
  };

  readonly #failed = (): void => {
    this.#socket.destroy();
  };

  readonly #closed = (): void => {
    this.#onLeft();
    this.#answering?.gone();
  };
}

const VALUE = /^[\t -~]*$/;
let date = { second: 0, text: "" };

function dateNow(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== date.second) date = { second, text: new Date(second * 1000).toUTCString() };
  return date.text;
}

class LaneReply implements ReplyTarget {
  readonly #socket: Socket;
  readonly #keepAliveMs: number;
  readonly #onEnd: (isLast: boolean) => void;
  #onClose: (() => void)[] = [];
  #head = "";
  #isLast = false;
  statusCode = 200;
  closed = false;

  constructor(socket: Socket, keepAliveMs: number, onEnd: (isLast: boolean) => void) {
    this.#socket = socket;
    this.#keepAliveMs = keepAliveMs;
    this.#onEnd = onEnd;
  }

  get headersSent(): boolean {
    return this.#head !== "";
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  /** Throws for a value that would not stay one. */
  writeHead(status: number, fields: string[]): void {
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    for (let i = 0; i + 1 < fields.length; i += 2) {
      const name = fields[i]!;
      const value = fields[i + 1]!;
      if (!VALUE.test(value)) throw new TypeError(`the field ${name} cannot have that value`);
      if (name === "connection") this.#isLast = value === "close";
      head += `${name}: ${value}\r\n`;
    }
    const seconds = Math.floor(this.#keepAliveMs / 1000);
    const kept = this.#isLast ? "" : `connection: keep-alive\r\nkeep-alive: timeout=${seconds}\r\n`;
    this.statusCode = status;
    this.#head = `${head}date: ${dateNow()}\r\n${kept}\r\n`;
  }

  end(body: string | Uint8Array, encoding: BufferEncoding): void {
    if (typeof body !== "string") {
      this.#socket.cork();
      this.#socket.write(this.#head, "latin1");
      this.#socket.write(body);
      this.#socket.uncork();
    } else this.#socket.write(this.#head + body, encoding);
    this.gone();
    this.#onEnd(this.#isLast);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  once(_event: "close", act: () => void): void {
    this.#onClose.push(act);
  }

  /** The answer is out, or nobody is there to take it. */
  gone(): void {
    if (this.closed) return;
    this.closed = true;
    for (const act of this.#onClose.splice(0)) act();
  }
}
