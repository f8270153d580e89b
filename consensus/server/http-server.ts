import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { ServiceRole } from "../../contracts/core/core-api.ts";
import { STATUS_BY_CODE, ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { Logger } from "./core-context.ts";
import { type AskedRequest, HttpExchange } from "./http-exchange.ts";
import { HttpLane } from "./http-lane.ts";
import {
  CommonHeads,
  type LeaderAddress,
  type ReplyContext,
  sendRefusal,
  sendReply,
  toRefusal,
} from "./http-reply.ts";
import { type Route, Router } from "./http-router.ts";
import { NodeReply, type ReplyTarget } from "./reply-target.ts";

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
  /** Counts and times requests: `beganMs` is what `began` said, `path` the route's. */
  requests: {
    began(): number;
    ended(method: string, path: string, status: number, beganMs: number): void;
  };
  /** Ends the requests that wait for something: the server stops. */
  onClosing(): void;
  logger: Logger;
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
  readonly #heads: CommonHeads;
  #inFlight = 0;
  #closing = false;
  /** Called when the last request in flight has ended. */
  #drained: () => void = () => undefined;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    this.#router = new Router(options.routes);
    this.#heads = new CommonHeads(options.nodeId());
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
      const { method = "GET", url = "/", headers } = request;
      void this.#answer({ method, target: url, headers, body: request }, new NodeReply(response));
    });
    // Connections come to the short way first; what is not for it goes on to who was to have them.
    const listeners = this.#server.listeners("connection");
    this.#server.removeAllListeners("connection");
    this.#lane = new HttpLane({
      answer: (request, reply) => this.#answer(request, reply),
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

  async #answer(asked: AskedRequest, reply: ReplyTarget): Promise<void> {
    const exchange = new HttpExchange(asked, reply, this.#options.requests.began());
    this.#inFlight += 1;
    reply.onceClosed(() => this.#ended(exchange));
    try {
      const { route, params } = this.#router.find(exchange.method, exchange.path());
      exchange.route = route.path;
      exchange.params = params;
      if (route.roles !== null) {
        const role = this.#options.roleOf(exchange.headers.authorization);
        exchange.role = typeof role === "string" ? role : await role;
        if (!route.roles.includes(exchange.role))
          throw new ConfluxError("forbidden", `the role ${exchange.role} may not call ${route.path}`);
      }
      const answer = await route.handle(exchange);
      sendReply(reply, answer, this.#context(exchange.traceId));
    } catch (error) {
      this.#refuse(exchange, error);
    }
  }

  #ended({ method, route, reply, beganMs }: HttpExchange): void {
    this.#options.requests.ended(method, route, reply.statusCode, beganMs);
    this.#inFlight -= 1;
    if (this.#inFlight === 0) this.#drained();
  }

  #refuse({ method, route, reply, traceId }: HttpExchange, error: unknown): void {
    if (reply.destroyed) return;
    const { refusal, leaderId } = toRefusal(error);
    if (STATUS_BY_CODE[refusal.code] >= 500) {
      this.#options.logger({
        level: refusal.code === "internal" ? "error" : "warn",
        msg: refusal.message,
        trace_id: traceId,
        code: refusal.code,
        method,
        path: route,
        ...(refusal.code === "internal" ? { error: describeError(error) } : {}),
      });
    }
    const hint = refusal.code === "unavailable" ? this.#options.leaderId() : leaderId;
    if (reply.headersSent) {
      reply.destroy();
      return;
    }
    const leader = hint === null ? null : this.#leaderAt(hint);
    sendRefusal(reply, this.#namingLeader(refusal, hint), leader, this.#context(traceId));
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
    return { heads: this.#heads, traceId, isLast: this.#closing };
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
