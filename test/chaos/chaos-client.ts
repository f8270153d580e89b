import { setTimeout as sleep } from "node:timers/promises";
import type { Prng } from "../../consensus/sim/prng.ts";
import { WatchSocket } from "../bench/watch-socket.ts";
import type { ClientPlan } from "./chaos-plan.ts";
import { type EdgeAnswer, type EdgeTarget, fetchAtEdge } from "./fetch-at-edge.ts";
import { AnswerJudge } from "./judge-answers.ts";

const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 2_000;
/** A window of jitter meant for the world is shortened for one machine. */
const JITTER_SHARE = 0.1;
/** How long a client that is about to give up waits for its answer at most. */
const CANCEL_AFTER_MS_MAX = 8;

/** What all clients of a process share. */
export interface ClientWorld {
  target: EdgeTarget;
  chance: Prng;
  pollMs: number;
  nowMs: () => number;
  /** Whether clients give up requests half way at present. */
  isCancelling: () => boolean;
  count: (what: string, by?: number) => void;
  /** Keeps the largest. */
  longest: (what: string, ms: number) => void;
  violated: (what: string) => void;
}

interface WatchMessage {
  type: "hello" | "change" | "resync" | "error";
  config?: string;
  index: string;
  jitter_ms?: number;
}

/**
 * A client as an SDK is one: it holds the newest answer of each of its configs, asks with its ETag and with the highest
 * index that it has seen, backs off with jitter when it is not answered, and either polls or fetches what a watch names.
 * A watcher never polls, so a change that it is not told of is one that it misses.
 */
export class ChaosClient {
  readonly judge: AnswerJudge;
  readonly #plan: ClientPlan;
  readonly #world: ClientWorld;
  readonly #etags = new Map<string, string>();
  /** Configs to fetch, and since when. */
  readonly #wanted = new Map<string, number>();
  /** Fetches one after the other; null when nothing is wanted. */
  #fetching: Promise<void> | null = null;
  #socket: WatchSocket | null = null;
  #since: string | null = null;
  #reconnects = 0;
  /** Since when the client watches nothing; null while it does. */
  #unwatchedSinceMs: number | null = null;

  constructor(plan: ClientPlan, world: ClientWorld) {
    this.#plan = plan;
    this.#world = world;
    this.judge = new AnswerJudge(plan);
  }

  /** Resolves when the client has been answered about all its configs; it then goes on for good. */
  async start(): Promise<void> {
    if (this.#plan.watches) this.#connect();
    for (const config of this.#plan.configs) this.#want(config);
    await this.#fetching;
    if (!this.#plan.watches) void this.#poll();
  }

  /** Cuts the socket as a lost network would, which is back after half of `awayMs` to all of it. */
  cut(awayMs: number): void {
    if (this.#socket !== null) void this.#reconnect(awayMs);
  }

  async #poll(): Promise<void> {
    const { pollMs, chance, nowMs } = this.#world;
    for (let i = 0; ; i += 1) {
      await sleep(pollMs * (0.67 + 0.66 * chance.next()));
      await this.#fetch(this.#plan.configs[i % this.#plan.configs.length]!, nowMs());
    }
  }

  #connect(): void {
    const { target, count } = this.#world;
    const query = new URLSearchParams(
      this.#plan.configs.map((config): [string, string] => ["config", config]),
    );
    if (this.#since !== null) query.set("since", this.#since);
    const headers = {
      host: `${this.#plan.region}.localhost:${target.port}`,
      authorization: `Bearer ${target.token}`,
    };
    const isCurrent = (): boolean => this.#socket === socket;
    const socket = new WatchSocket(
      { port: target.port, path: `/api/v1/watch?${query.toString()}`, headers },
      {
        greeted: () => this.#greeted(),
        changed: () => undefined,
        failed: () => {
          if (isCurrent()) void this.#reconnect();
        },
        told: (message) => {
          if (isCurrent()) this.#told(JSON.parse(message.toString()) as WatchMessage);
        },
      },
    );
    this.#socket = socket;
    count("connections");
  }

  #greeted(): void {
    const { longest, nowMs } = this.#world;
    longest("longest time without a watch, ms", nowMs() - (this.#unwatchedSinceMs ?? nowMs()));
    this.#unwatchedSinceMs = null;
    this.#reconnects = 0;
  }

  async #reconnect(awayMs = 0): Promise<void> {
    this.#unwatchedSinceMs ??= this.#world.nowMs();
    this.#socket?.destroy();
    this.#socket = null;
    await this.#backOff(this.#reconnects, awayMs);
    this.#reconnects += 1;
    this.#connect();
  }

  #told(message: WatchMessage): void {
    const { count, nowMs, chance, violated } = this.#world;
    const { type, config = "", index } = message;
    this.judge.note(`${(nowMs() / 1000).toFixed(2)} s told ${type} ${config} ${index}`);
    count(`told ${type}`);
    if (type === "error") {
      violated(`client ${this.#plan.number} was told ${JSON.stringify(message)}`);
      return;
    }
    this.judge.raise(index);
    this.#since = index;
    if (type === "resync") for (const each of this.#plan.configs) this.#want(each);
    else if (type === "change") {
      setTimeout(() => this.#want(config), (message.jitter_ms ?? 0) * JITTER_SHARE * chance.next());
    }
  }

  #want(config: string): void {
    if (!this.#wanted.has(config)) this.#wanted.set(config, this.#world.nowMs());
    this.#fetching ??= this.#fetchWanted();
  }

  async #fetchWanted(): Promise<void> {
    for (;;) {
      const [next] = this.#wanted;
      if (next === undefined) break;
      // Taken out first: what is told of meanwhile is fetched again.
      this.#wanted.delete(next[0]);
      await this.#fetch(...next);
    }
    this.#fetching = null;
  }

  /** Asks until there is an answer. */
  async #fetch(config: string, sinceMs: number): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      const retryAfterMs = await this.#ask(config);
      if (retryAfterMs === null) break;
      await this.#backOff(attempt, retryAfterMs);
    }
    this.#world.longest("longest wait for an answer, ms", this.#world.nowMs() - sinceMs);
  }

  /** Asks once. Null when answered, otherwise what the edge asked to wait. */
  async #ask(config: string): Promise<number | null> {
    const { target, chance, isCancelling, count } = this.#world;
    const { region, labels } = this.#plan;
    const cancelAfterMs = isCancelling() && chance.chance(0.5) ? chance.next() * CANCEL_AFTER_MS_MAX : null;
    const etag = this.#etags.get(config) ?? null;
    const minIndex = this.judge.floor;
    count("fetches");
    try {
      const answer = await fetchAtEdge(target, { config, region, labels, etag, minIndex, cancelAfterMs });
      count(`status ${answer.status}`);
      return this.#take(config, minIndex, answer);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      count(reason === "cancelled" || reason === "timeout" ? reason : "connection lost");
      return 0;
    }
  }

  #take(config: string, minIndex: string | null, answer: EdgeAnswer): number | null {
    const { violated, nowMs } = this.#world;
    const { status, version, index, hash, etag, bodyHash, retryAfterMs, text } = answer;
    if (status !== 200 && status !== 304) {
      // 5xx says "not now"; anything else denies what this client is entitled to.
      if (status < 500) violated(`client ${this.#plan.number} got ${status} for ${config}: ${text}`);
      return retryAfterMs;
    }
    if (status === 200 && bodyHash !== hash)
      violated(`v${version} of ${config} came with other bytes: ${text}`);
    for (const problem of this.judge.take({
      config,
      status,
      version,
      index,
      minIndex,
      hash,
      atMs: nowMs(),
    })) {
      violated(problem);
    }
    this.#etags.set(config, etag);
    return null;
  }

  async #backOff(attempt: number, atLeastMs: number): Promise<void> {
    const backoffMs = Math.min(BACKOFF_MIN_MS * 2 ** attempt, BACKOFF_MAX_MS);
    await sleep(Math.max(backoffMs, atLeastMs) * (0.5 + this.#world.chance.next() / 2));
  }
}
