import { setTimeout as sleep } from "node:timers/promises";
import { UpgradeRefusedError, WatchClosedError, WatchSocket } from "../bench/watch-socket.ts";
import type { ClientPlan } from "./chaos-plan.ts";
import type { ClientWorld } from "./client-world.ts";
import { WatchStream } from "./watch-stream.ts";

const CLOSE_TOKEN_ENDED = 4401;
const UNAUTHORIZED = 401;
/** As docs/watch.md tells SDKs, every minute or so: several times as often, since no connection here lives for minutes. */
const PING_EVERY_MS = 15_000;
/** A window meant for the world is shortened for one machine. */
export const JITTER_SHARE = 0.1;

export interface WatchMessage {
  type: "hello" | "change" | "resync" | "error";
  config?: string;
  code?: string;
  index: string;
  jitter_ms?: number;
}

/** Why a connection is over. */
interface Ended {
  isTokenRefused: boolean;
  /** What the server asked to wait; null when it said nothing. */
  retryMs: number | null;
}

/** The watch of one client, by socket or by stream: it comes back when it is cut, from where it was. */
export class ClientWatch {
  readonly #plan: ClientPlan;
  readonly #world: ClientWorld;
  readonly #told: (message: WatchMessage) => void;
  #open: { destroy(): void } | null = null;
  #pings: NodeJS.Timeout | null = null;
  #since: string | null = null;
  #reconnects = 0;
  /** Since when the client watches nothing; null while it does. */
  #unwatchedSinceMs: number | null = null;

  constructor(plan: ClientPlan, world: ClientWorld, told: (message: WatchMessage) => void) {
    this.#plan = plan;
    this.#world = world;
    this.#told = told;
  }

  connect(): void {
    const { target, count } = this.#world;
    const { token } = target;
    const query = new URLSearchParams(
      this.#plan.configs.map((config): [string, string] => ["config", config]),
    );
    const isStream = this.#plan.watches === "stream";
    if (this.#since !== null && !isStream) query.set("since", this.#since);
    const at = {
      port: target.port,
      path: `/api/v1/watch?${query.toString()}`,
      headers: {
        host: `${this.#plan.region}.localhost:${target.port}`,
        authorization: `Bearer ${token}`,
        ...(isStream && this.#since !== null ? { "last-event-id": this.#since } : {}),
      },
    };
    this.#open = isStream ? this.#openStream(at, token) : this.#openSocket(at, token);
    count(`connections by ${this.#plan.watches}`);
  }

  /** Cuts the connection as a lost network would, which is back after half of `awayMs` to all of it. */
  cut(awayMs: number): void {
    if (this.#open !== null) void this.#comeBack(awayMs);
  }

  #openSocket(at: ConstructorParameters<typeof WatchSocket>[0], token: string): WatchSocket {
    const { count, chance } = this.#world;
    let isAnswered = true;
    const isCurrent = (): boolean => this.#open === socket;
    const socket = new WatchSocket(at, {
      greeted: () => {
        this.#pings = setInterval(
          () => {
            if (!isAnswered) count("pings without an answer");
            if (!isAnswered) {
              this.#ended({ isTokenRefused: false, retryMs: null }, token);
              return;
            }
            isAnswered = false;
            count("pings");
            socket.send("ping");
          },
          PING_EVERY_MS * (0.75 + chance.next() / 2),
        );
      },
      changed: () => undefined,
      ponged: () => {
        isAnswered = true;
      },
      failed: (error) => {
        if (isCurrent()) this.#ended(whyEnded(error), token);
      },
      told: (message) => {
        if (isCurrent()) this.#take(JSON.parse(message.toString()) as WatchMessage, token);
      },
    });
    return socket;
  }

  #openStream(at: ConstructorParameters<typeof WatchStream>[0], token: string): WatchStream {
    const isCurrent = (): boolean => this.#open === stream;
    const stream = new WatchStream(at, {
      told: (data) => {
        if (isCurrent()) this.#take(JSON.parse(data) as WatchMessage, token);
      },
      failed: ({ status, retryMs }) => {
        if (isCurrent()) this.#ended({ isTokenRefused: status === UNAUTHORIZED, retryMs }, token);
      },
    });
    return stream;
  }

  #take(message: WatchMessage, token: string): void {
    const { longest, nowMs } = this.#world;
    // What a socket's close code says, a stream says by a message.
    if (message.type === "error" && message.code === "unauthenticated") {
      this.#ended({ isTokenRefused: true, retryMs: null }, token);
      return;
    }
    if (message.type === "hello") {
      longest("longest time without a watch, ms", nowMs() - (this.#unwatchedSinceMs ?? nowMs()));
      this.#unwatchedSinceMs = null;
      this.#reconnects = 0;
    }
    if (message.type !== "error") this.#since = message.index;
    this.#told(message);
  }

  #ended({ isTokenRefused, retryMs }: Ended, token: string): void {
    const { count, mayEnd, violated } = this.#world;
    if (isTokenRefused) {
      count("watches ended with their token");
      if (!mayEnd(token))
        violated(`client ${this.#plan.number}: its watch was refused with a token that holds`);
    }
    void this.#comeBack((retryMs ?? 0) * JITTER_SHARE);
  }

  async #comeBack(awayMs: number): Promise<void> {
    this.#unwatchedSinceMs ??= this.#world.nowMs();
    if (this.#pings !== null) clearInterval(this.#pings);
    this.#pings = null;
    this.#open?.destroy();
    this.#open = null;
    await sleep(this.#world.backoffMs(this.#reconnects, awayMs));
    this.#reconnects += 1;
    this.connect();
  }
}

function whyEnded(error: Error): Ended {
  if (error instanceof UpgradeRefusedError)
    return { isTokenRefused: error.status === UNAUTHORIZED, retryMs: null };
  if (!(error instanceof WatchClosedError)) return { isTokenRefused: false, retryMs: null };
  const retryMs = /retry_ms=(\d+)/.exec(error.reason)?.[1];
  return {
    isTokenRefused: error.code === CLOSE_TOKEN_ENDED,
    retryMs: retryMs === undefined ? null : Number(retryMs),
  };
}
