import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { ServiceRole } from "../../contracts/core/core-api.ts";
import { STATUS_BY_CODE, ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Logger } from "./core-context.ts";
import { HttpLane, type ReplyTarget } from "./http-lane.ts";
import { type LeaderAddress, type ReplyContext, sendRefusal, sendReply, toRefusal } from "./http-reply.ts";
import { goneSignal, readBody, splitTarget, traceIdOf, wholeBody } from "./http-request.ts";
import { type Route, Router } from "./http-router.ts";

/** How long requests in flight may take to end when the node stops. */
const SHUTDOWN_GRACE_MS = 3000;
/** Seconds a client's idle connection is kept: longer than any caller's own, so that the caller closes first. */
const KEEP_ALIVE_MS = 65_000;

/** What the server needs of the node it speaks for. */
export interface HttpServerOptions {
  routes: readonly Route[];
  /** The role of a caller, by its `Authorization`. Throws `unauthenticated`. */
  roleOf(authorization: string | undefined): ServiceRole | Promise<ServiceRole>;
  nodeId(): number;
  leaderId(): number | null;
  /** Where a member answers; empty when nobody knows. */
  urlOf(nodeId: number): string;
  /** The cluster's signature of the leader's address. */
  proveLeader(nodeId: number, url: string): string;
  /** Counts a request from now on; the answer is called with its route and status once it is answered. */
  counted(method: string): (path: string, status: number) => void;
  /** Ends the requests that wait for something: the server stops. */
  onClosing(): void;
  logger: Logger;
}

/** What a request is, however it was read. */
interface Asked {
  method: string;
  target: string;
  headers: IncomingMessage["headers"];
  body: (bytesMax: number) => Promise<Uint8Array>;
}

/**
 * The HTTP/1.1 server of a node, on node:http with a short way for plain requests (http-lane.ts): finds the route, checks
 * the caller, answers problem documents.
 */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #router: Router;
  readonly #server: Server;
  readonly #lane: HttpLane;
  #inFlight = 0;
  #closing = false;
  /** Called when the last request in flight has ended. */
  #drained: () => void = () => undefined;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#router = new Router(options.routes);
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
      const { method = "GET", url = "/", headers } = request;
      const body = (bytesMax: number): Promise<Uint8Array> => readBody(request, bytesMax);
      void this.#answer({ method, target: url, headers, body }, response);
    });
    // Connections come to the short way first; what is not for it goes on to who was to have them.
    const listeners = this.#server.listeners("connection");
    this.#server.removeAllListeners("connection");
    this.#lane = new HttpLane({
      answer: ({ body, ...request }, reply) =>
        this.#answer({ ...request, body: (bytesMax) => wholeBody(body, bytesMax) }, reply),
      handOver: (socket) => {
        for (const listener of listeners) listener.call(this.#server, socket);
      },
      keepAliveMs: KEEP_ALIVE_MS,
    });
    this.#server.on("connection", (socket: Socket) => this.#lane.accept(socket));
  }

  /** Listens and answers the base URL. Rejects with the system's error, as for a taken port. */
  async listen(host: string, port: number): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    const address = this.#server.address() as AddressInfo;
    return `http://${host.includes(":") ? `[${host}]` : host}:${address.port}`;
  }

  /** Lets requests in flight end, long polls at once, others within SHUTDOWN_GRACE_MS. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#closing = true;
    this.#options.onClosing();
    const grace = setTimeout(() => this.#drained(), SHUTDOWN_GRACE_MS);
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
    }
    clearTimeout(grace);
    // Not only idle ones: a connection opened in advance, on which nothing was ever asked, does not count as idle.
    this.#server.closeAllConnections();
    this.#lane.closeAll();
    await closed;
  }

  async #answer(asked: Asked, response: ReplyTarget): Promise<void> {
    const { method, headers, body } = asked;
    const counted = this.#options.counted(method);
    const traceId = traceIdOf(headers);
    this.#inFlight += 1;
    response.once("close", () => {
      counted(path, response.statusCode);
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#drained();
    });
    let path = "(none)";
    try {
      const target = splitTarget(asked.target);
      const { route, params } = this.#router.find(method, target.path);
      path = route.path;
      const role = route.roles === null ? "replica" : await this.#options.roleOf(headers.authorization);
      if (route.roles !== null && !route.roles.includes(role)) {
        throw new ConfluxError("forbidden", `the role ${role} may not call ${route.path}`);
      }
      const reply = await route.handle({
        params,
        query: target.query,
        headers,
        role,
        traceId,
        get signal() {
          return goneSignal(response);
        },
        body,
      });
      sendReply(response, reply, this.#context(traceId));
    } catch (error) {
      this.#refuse(response, error, { traceId, method, path });
    }
  }

  #refuse(
    response: ReplyTarget,
    error: unknown,
    at: { traceId: string; method: string; path: string },
  ): void {
    if (response.destroyed) return;
    const { refusal, leaderId } = toRefusal(error);
    if (STATUS_BY_CODE[refusal.code] >= 500) {
      this.#options.logger({
        level: refusal.code === "internal" ? "error" : "warn",
        msg: refusal.message,
        trace_id: at.traceId,
        code: refusal.code,
        method: at.method,
        path: at.path,
        ...(refusal.code === "internal" ? { error: describeError(error) } : {}),
      });
    }
    const hint = refusal.code === "unavailable" ? this.#options.leaderId() : leaderId;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const leader = hint === null ? null : this.#leaderAt(hint);
    sendRefusal(response, this.#namingLeader(refusal, hint), leader, this.#context(at.traceId));
  }

  #leaderAt(nodeId: number): LeaderAddress {
    const url = this.#options.urlOf(nodeId);
    return { nodeId, url, proof: url === "" ? "" : this.#options.proveLeader(nodeId, url) };
  }

  /** Tells people, too, where to go; programs have the header. */
  #namingLeader(refusal: ConfluxError, leaderId: number | null): ConfluxError {
    if (leaderId === null || leaderId === this.#options.nodeId()) return refusal;
    const url = this.#options.urlOf(leaderId);
    if (url === "") return refusal;
    return new ConfluxError(refusal.code, `${refusal.message}; node ${leaderId} leads, at ${url}`, {
      errors: refusal.errors,
      cause: refusal,
      ...(refusal.retryAfterS === undefined ? {} : { retryAfterS: refusal.retryAfterS }),
    });
  }

  /** A connection kept alive would keep a stopping server from closing. */
  #context(traceId: string): ReplyContext {
    return { nodeId: this.#options.nodeId(), traceId, isLast: this.#closing };
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
