/**
 * The short way for the plainest requests. node:http makes two streams and a dozen events for each; here a request that came
 * whole (http-whole-request.ts) is answered by one write, for six tenths of the processor time (docs/performance.md).
 *
 * Invariant: a connection is either here or node:http's. The first bytes that are not exactly one plain request go to
 * node:http untouched, and the connection with them, for good: this code decides nothing about what it does not know.
 */
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { type LastFields, readWholeRequest, type WholeRequest } from "./http-whole-request.ts";
import { fieldLines, type ReplyHead, type ReplyTarget } from "./reply-target.ts";

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
  readonly #last: LastFields = { text: "", headers: {} };

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
    const request = readWholeRequest(chunk, this.#last);
    if (request === null) {
      this.#leave(chunk);
      return;
    }
    const reply = new LaneReply(this.#socket, this.#options.keepAliveMs, this.#answered);
    this.#answering = reply;
    void this.#options.answer(request, reply);
  };

  readonly #answered = (isLast: boolean): void => {
    this.#answering = null;
    if (isLast) this.#socket.end();
    else this.#goOn();
  };

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

/** The end of a head, for as long as the date it says holds. */
let headEnd = { second: 0, keepAliveMs: 0, kept: "", last: "" };

function headEndNow(keepAliveMs: number): typeof headEnd {
  const second = Math.floor(Date.now() / 1000);
  if (second !== headEnd.second || keepAliveMs !== headEnd.keepAliveMs) {
    const date = `date: ${new Date(second * 1000).toUTCString()}\r\n`;
    const seconds = Math.floor(keepAliveMs / 1000);
    const kept = `${date}connection: keep-alive\r\nkeep-alive: timeout=${seconds}\r\n\r\n`;
    headEnd = { second, keepAliveMs, kept, last: `${date}\r\n` };
  }
  return headEnd;
}

const statusLines = new Map<number, string>();

function statusLine(status: number): string {
  const known = statusLines.get(status);
  if (known !== undefined) return known;
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  statusLines.set(status, line);
  return line;
}

class LaneReply implements ReplyTarget {
  readonly #socket: Socket;
  readonly #keepAliveMs: number;
  readonly #onEnd: (isLast: boolean) => void;
  /** Nearly every answer has one who wants to know its end, and none has more but those that wait. */
  #onClose: (() => void) | null = null;
  #onCloseMore: (() => void)[] = [];
  statusCode = 200;
  headersSent = false;
  closed = false;

  constructor(socket: Socket, keepAliveMs: number, onEnd: (isLast: boolean) => void) {
    this.#socket = socket;
    this.#keepAliveMs = keepAliveMs;
    this.#onEnd = onEnd;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  send({ status, common, own }: ReplyHead, body: string | Uint8Array, encoding: BufferEncoding): void {
    const end = headEndNow(this.#keepAliveMs);
    const { isLast } = common;
    const head = statusLine(status) + common.text + fieldLines(own) + (isLast ? end.last : end.kept);
    this.statusCode = status;
    this.headersSent = true;
    if (typeof body !== "string") {
      this.#socket.cork();
      this.#socket.write(head, "latin1");
      this.#socket.write(body);
      this.#socket.uncork();
    } else this.#socket.write(head + body, encoding);
    this.gone();
    this.#onEnd(isLast);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  onceClosed(act: () => void): void {
    if (this.#onClose === null) this.#onClose = act;
    else this.#onCloseMore.push(act);
  }

  /** The answer is out, or nobody is there to take it. */
  gone(): void {
    if (this.closed) return;
    this.closed = true;
    this.#onClose?.();
    for (const act of this.#onCloseMore) act();
  }
}
