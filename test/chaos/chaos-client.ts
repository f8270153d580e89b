import { setTimeout as sleep } from "node:timers/promises";
import type { ClientPlan } from "./chaos-plan.ts";
import { ClientWatch, JITTER_SHARE, type WatchMessage } from "./client-watch.ts";
import type { ClientWorld } from "./client-world.ts";
import { type EdgeAnswer, fetchAtEdge } from "./fetch-at-edge.ts";
import { AnswerJudge } from "./judge-answers.ts";

/** How long a client that is about to give up waits for its answer at most. */
const CANCEL_AFTER_MS_MAX = 8;
const UNAUTHORIZED = 401;

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
  readonly #watch: ClientWatch | null;

  constructor(plan: ClientPlan, world: ClientWorld) {
    this.#plan = plan;
    this.#world = world;
    this.judge = new AnswerJudge(plan);
    this.#watch =
      plan.watches === null ? null : new ClientWatch(plan, world, (message) => this.#told(message));
  }

  /** Resolves when the client has been answered about all its configs; it then goes on for good. */
  async start(): Promise<void> {
    this.#watch?.connect();
    for (const config of this.#plan.configs) this.#want(config);
    await this.#fetching;
    if (this.#watch === null) void this.#poll();
  }

  /** Cuts its watch (client-watch.ts). */
  cut(awayMs: number): void {
    this.#watch?.cut(awayMs);
  }

  async #poll(): Promise<void> {
    const { pollMs, chance, nowMs } = this.#world;
    for (let i = 0; ; i += 1) {
      await sleep(pollMs * (0.67 + 0.66 * chance.next()));
      await this.#fetch(this.#plan.configs[i % this.#plan.configs.length]!, nowMs());
    }
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
    const { epoch } = this.judge;
    this.judge.raise(index);
    // What was held is of an epoch that is over.
    const isAnew = epoch > 0 && this.judge.epoch > epoch;
    if (type === "resync" || isAnew) for (const each of this.#plan.configs) this.#want(each);
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
      await sleep(this.#world.backoffMs(attempt, retryAfterMs));
    }
    this.#world.longest("longest wait for an answer, ms", this.#world.nowMs() - sinceMs);
  }

  /** Asks once. Null when answered, otherwise what the edge asked to wait. */
  async #ask(config: string): Promise<number | null> {
    const { target, chance, isCancelling, count } = this.#world;
    const { region, labels } = this.#plan;
    const { token } = target;
    const cancelAfterMs = isCancelling() && chance.chance(0.5) ? chance.next() * CANCEL_AFTER_MS_MAX : null;
    const etag = this.#etags.get(config) ?? null;
    const minIndex = this.judge.floor;
    count("fetches");
    try {
      const answer = await fetchAtEdge(target, { config, region, labels, etag, minIndex, cancelAfterMs });
      count(`status ${answer.status}`);
      if (answer.status === UNAUTHORIZED && this.#world.mayEnd(token)) return 0;
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
    const { epoch } = this.judge;
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
    // A poller asks for all of them anyway.
    if (this.#watch !== null && epoch > 0 && this.judge.epoch > epoch)
      for (const each of this.#plan.configs) if (each !== config) this.#want(each);
    return null;
  }
}
