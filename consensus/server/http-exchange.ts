import type { IncomingMessage } from "node:http";
import type { ServiceRole } from "../../contracts/core/core-api.ts";
import { goneSignal, readBody, splitTarget, traceIdOf, wholeBody } from "./http-request.ts";
import type { CoreRequest } from "./http-router.ts";
import type { ReplyTarget } from "./reply-target.ts";

/** What a request is, however it was read. */
export interface AskedRequest {
  method: string;
  target: string;
  headers: Readonly<IncomingMessage["headers"]>;
  /** The whole body, or where it is read from. */
  body: Uint8Array | IncomingMessage;
}

/**
 * One request with what answers it. There is one object for each, made at every request: what a route may never look at is
 * made when it does.
 */
export class HttpExchange implements CoreRequest {
  readonly method: string;
  readonly headers: AskedRequest["headers"];
  readonly traceId: string;
  readonly reply: ReplyTarget;
  /** When it came, as the meter says. */
  readonly beganMs: number;
  readonly #target: string;
  readonly #body: Uint8Array | IncomingMessage;
  #search = "";
  #query: URLSearchParams | null = null;
  #signal: AbortSignal | null = null;
  /** The route's, once it is found. */
  route = "(none)";
  params: readonly string[] = [];
  role: ServiceRole = "replica";

  constructor(asked: AskedRequest, reply: ReplyTarget, beganMs: number) {
    this.method = asked.method;
    this.headers = asked.headers;
    this.traceId = traceIdOf(asked.headers);
    this.reply = reply;
    this.beganMs = beganMs;
    this.#target = asked.target;
    this.#body = asked.body;
  }

  /** Takes the target apart and answers its path. */
  path(): string {
    const { path, search } = splitTarget(this.#target);
    this.#search = search;
    return path;
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#search);
    return this.#query;
  }

  get signal(): AbortSignal {
    this.#signal ??= goneSignal(this.reply);
    return this.#signal;
  }

  get body(): (bytesMax: number) => Promise<Uint8Array> {
    const body = this.#body;
    return (bytesMax) => (body instanceof Uint8Array ? wholeBody(body, bytesMax) : readBody(body, bytesMax));
  }
}
