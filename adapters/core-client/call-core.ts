import {
  CORE_LEADER_ID_HEADER,
  CORE_LEADER_PROOF_HEADER,
  CORE_LEADER_URL_HEADER,
  CORE_NODE_ID_HEADER,
  type ServiceRole,
} from "../../contracts/core/core-api.ts";
import { ConfluxError, type ErrorCode } from "../../contracts/problem/error-codes.ts";
import { type Problem, problemSchema } from "../../contracts/problem/problem.ts";
import { ServiceTokens } from "./service-token.ts";
import { type LeaderHint, verifyLeader } from "./verify-leader.ts";
import { LAST_PROBE_TIMEOUT_MS, PROBE_TIMEOUT_MS, watchSilence } from "./watch-silence.ts";

/** A write waits longer than the core's own limit for a commit, so that the core's word comes first. */
export const PROPOSE_TIMEOUT_MS = 12_000;
/** An operation on the nodes: longer than the core waits for a node to be heard of, catch up and vote. */
export const OPERATION_TIMEOUT_MS = 40_000;
export const READ_TIMEOUT_MS = 5_000;
/** A long poll may take its own wait and this much more. */
export const FEED_GRACE_MS = 5_000;
/** Requests sent for one call to a core of one node; none is begun once the call's own timeout is over. */
export const CALL_TRIES_MAX = 5;
/** As many with several nodes, where the next leader is worth waiting for, ... */
export const CLUSTER_TRIES_MAX = 30;
/** ... for two elections at most: the first may be lost to a split vote. Each node is asked once all the same. */
export const LEADER_WAIT_MS = 4_000;
/**
 * How long a leader is asked again that does not take a write just now: it hands leadership over, which it gives up after
 * an election timeout, or has too much to commit. Others only name it, and one that is frozen keeps the write.
 */
const LEADER_HOLDS_MS = 2_000;
/** One of several nodes may take this long to answer a read before the next one is asked. */
const READ_TRY_MS = 2_000;
/** A node that was not reached is asked after the others for so long, unless it answers before. */
const AVOIDED_MS = 10_000;
/** Open to everyone: what a node is asked when it keeps a caller waiting. */
const PROBE_PATH = "/healthz";
/** Nodes that a caller knows: those it was set up with and those it heard of. */
const URLS_MAX = 32;
/** Pause before the nodes are gone round once more; doubles with each round, and half of it is chance. */
const ROUND_PAUSE_MIN_MS = 50;
const ROUND_PAUSE_MAX_MS = 400;

/**
 * Errors that arise before a byte is sent (Node; a Worker does not tell, so there the outcome is unknown). The others come
 * on a connection that stands, too, and then say nothing unless they are of the call that connects.
 */
const NEVER_SENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);
const NEVER_SENT_IN_CONNECT = new Set(["EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL", "ETIMEDOUT"]);
/** Refusals that any node would give now, and after which nothing has changed. */
const FINAL_CODES: ReadonlySet<ErrorCode> = new Set(["upgrade_in_progress", "key_service_unavailable"]);

export interface CoreClientOptions {
  /** Base URLs of the core's nodes, at least one. */
  urls: readonly string[];
  serviceKey: string;
  role: ServiceRole;
  fetch?: typeof fetch;
  /** Milliseconds since 1970. */
  now?: () => number;
}

export interface CoreCall {
  method: "GET" | "POST";
  /** Path with query. */
  path: string;
  body?: Uint8Array;
  contentType?: string;
  timeoutMs: number;
  traceparent?: string | undefined;
  signal?: AbortSignal | undefined;
  /** May be sent again although it may have arrived: a read, or a write with an idempotency key. */
  repeatable: boolean;
  /** Refusals that a node which is behind gives although another would not: thrown only when every node gave one. */
  behindCodes?: readonly ErrorCode[];
}

/**
 * What became of one request. `not_sent` and `lost` are the network's doing; `elsewhere` is a node's "not me". Only a
 * node's own word says that a write was not taken: an answer without one, or cut off, may come from what stands between.
 */
type Try =
  | { kind: "answer"; response: Response }
  | { kind: "refused"; refusal: ConfluxError }
  | { kind: "not_sent" | "lost"; cause: unknown }
  | { kind: "elsewhere"; refusal: ConfluxError; leaderId: string | null; hint: LeaderHint | null };

/**
 * Sends calls to whichever node serves them: the one that served last first, then a leader that is named, then the others.
 * A leader that takes no write just now is waited for a little.
 * Invariant: nothing is sent to a URL that is neither configured nor vouched for by the cluster (verify-leader.ts).
 */
export class CoreCaller {
  /** As configured, and behind them those of leaders that came later, as nodes told. */
  readonly #urls: string[];
  readonly #fetch: typeof fetch;
  readonly #tokens: ServiceTokens;
  readonly #serviceKey: string;
  readonly #now: () => number;
  /** Node ids by URL, as the nodes told. */
  readonly #nodeIds = new Map<string, string>();
  /** Longest that nodes are gone round for a call, and most requests for it. */
  readonly #patienceMs: number;
  readonly #triesMax: number;
  #preferred: string;
  /** When each node was last not reached, by URL (`performance.now()`); gone once it answers. */
  readonly #missedAtMs = new Map<string, number>();

  constructor(options: CoreClientOptions) {
    const urls = options.urls.map(baseOf);
    const first = urls[0];
    if (first === undefined) throw new TypeError("a core client needs the URL of at least one node");
    this.#urls = urls;
    // Replicas read from any node: they spread over all of them.
    const start = options.role === "replica" ? Math.floor(Math.random() * urls.length) : 0;
    this.#preferred = urls[start] ?? first;
    this.#patienceMs = urls.length === 1 ? Infinity : LEADER_WAIT_MS;
    this.#triesMax = urls.length === 1 ? CALL_TRIES_MAX : CLUSTER_TRIES_MAX;
    // A Worker's fetch must not be called as a method of something else.
    this.#fetch = options.fetch ?? ((input, init) => fetch(input, init));
    this.#serviceKey = options.serviceKey;
    this.#now = options.now ?? Date.now;
    this.#tokens = new ServiceTokens(options.serviceKey, options.role, this.#now);
  }

  /**
   * The answer of a node that took the call. Throws the node's refusal as a `ConfluxError`; when no node took it,
   * `not_proposed` (a write that surely changed nothing), `outcome_unknown` (one that may have) or `unavailable` (a
   * read). An aborted call rejects with its signal's reason.
   */
  async call(call: CoreCall): Promise<Response> {
    const startedMs = performance.now();
    // Half of the call's own time at most, or none would be left for the others.
    const holdsUntilMs = startedMs + Math.min(LEADER_HOLDS_MS, call.timeoutMs / 2);
    const order = this.#order(startedMs);
    const behind = new Set<string>();
    let maybeArrived = false;
    let last: Exclude<Try, { kind: "answer" | "refused" }> | null = null;
    for (let i = 0; i < this.#triesMax; i += 1) {
      call.signal?.throwIfAborted();
      const patienceMs = i < order.length ? call.timeoutMs : Math.min(call.timeoutMs, this.#patienceMs);
      if (performance.now() - startedMs > patienceMs) break;
      if (i > 0 && i % order.length === 0) await pause(roundPauseMs(i / order.length));
      const url = order[i % order.length] ?? this.#preferred;
      const tried = await this.#tryWhileLeading(url, call, holdsUntilMs);
      if (tried.kind === "answer" || tried.kind === "refused") {
        this.#preferred = url;
        if (tried.kind === "answer") return tried.response;
        const { refusal } = tried;
        if (call.behindCodes?.includes(refusal.code) !== true) throw refusal;
        if (behind.add(url).size === order.length) throw refusal;
        continue;
      }
      last = tried;
      // Whatever else is called next need not find out by itself. A call that began before others may be late with it.
      if (tried.kind !== "elsewhere") this.#missedAtMs.set(url, performance.now());
      if (tried.kind !== "elsewhere" && this.#preferred === url) {
        this.#preferred = order[(i + 1) % order.length] ?? url;
      }
      if (tried.kind === "lost") maybeArrived = true;
      if (tried.kind === "lost" && !call.repeatable) break;
      if (tried.kind === "elsewhere") {
        await this.#learnLeader(order, i, tried.hint);
        this.#putLeaderNext(order, i, tried);
      }
    }
    throw toFailure(call, maybeArrived, last);
  }

  /** The node that served last, then the others; those that were lately not reached come at the end. */
  #order(nowMs: number): string[] {
    const urls = [this.#preferred, ...this.#urls.filter((url) => url !== this.#preferred)];
    const isAvoided = (url: string): boolean => nowMs - (this.#missedAtMs.get(url) ?? -Infinity) < AVOIDED_MS;
    return [...urls.filter((url) => !isAvoided(url)), ...urls.filter(isAvoided)];
  }

  /** What comes of one node, which is asked again until `untilMs` while it says that it leads and takes no write just now. */
  async #tryWhileLeading(url: string, call: CoreCall, untilMs: number): Promise<Try> {
    for (let round = 1; ; round += 1) {
      const tried = await this.#try(url, call);
      const isHolding =
        call.method !== "GET" &&
        tried.kind === "elsewhere" &&
        tried.refusal.code === "not_proposed" &&
        tried.leaderId !== null &&
        tried.leaderId === this.#nodeIds.get(url);
      const pauseMs = roundPauseMs(round);
      if (!isHolding || this.#urls.length === 1 || performance.now() + pauseMs > untilMs) return tried;
      await pause(pauseMs);
      call.signal?.throwIfAborted();
    }
  }

  async #try(url: string, call: CoreCall): Promise<Try> {
    const isShort = this.#urls.length > 1 && call.method === "GET" && call.timeoutMs <= READ_TIMEOUT_MS;
    const timeout = AbortSignal.timeout(
      Math.ceil(isShort ? Math.min(READ_TRY_MS, call.timeoutMs) : call.timeoutMs),
    );
    const signal = call.signal === undefined ? timeout : AbortSignal.any([timeout, call.signal]);
    const headers = new Headers({ authorization: `Bearer ${await this.#tokens.token()}` });
    if (call.contentType !== undefined) headers.set("content-type", call.contentType);
    if (call.traceparent !== undefined) headers.set("traceparent", call.traceparent);
    let response: Response;
    try {
      const body = call.body === undefined ? null : new Uint8Array(call.body);
      // A core redirects nobody: whoever does would get the command.
      const init = { method: call.method, headers, body, redirect: "manual" as const };
      const send = (...more: AbortSignal[]): Promise<Response> =>
        this.#fetch(url + call.path, { ...init, signal: AbortSignal.any([signal, ...more]) });
      // What is short ends by itself, and a single node has no other to turn to.
      response = await (isShort || this.#urls.length === 1
        ? send()
        : watchSilence({
            send,
            probe: (probeSignal) => this.#probe(url, probeSignal),
            probeTimeoutMs: call.repeatable ? PROBE_TIMEOUT_MS : LAST_PROBE_TIMEOUT_MS,
          }));
    } catch (cause) {
      call.signal?.throwIfAborted();
      return { kind: wasNeverSent(cause) ? "not_sent" : "lost", cause };
    }
    this.#missedAtMs.delete(url);
    const nodeId = response.headers.get(CORE_NODE_ID_HEADER);
    if (nodeId !== null) this.#nodeIds.set(url, nodeId);
    if (response.ok) return { kind: "answer", response };
    const refusal = await readRefusal(response).catch((cause: unknown) => {
      call.signal?.throwIfAborted();
      return cause instanceof Error ? cause : new Error(String(cause));
    });
    if (!(refusal instanceof ConfluxError)) return { kind: "lost", cause: refusal };
    if (response.status < 500 || FINAL_CODES.has(refusal.code)) return { kind: "refused", refusal };
    const leaderId = response.headers.get(CORE_LEADER_ID_HEADER);
    const isElsewhere = refusal.code === "not_proposed" || refusal.code === "unavailable";
    return isElsewhere
      ? { kind: "elsewhere", refusal, leaderId, hint: readHint(response.headers) }
      : { kind: "lost", cause: refusal };
  }

  async #probe(url: string, signal: AbortSignal): Promise<void> {
    const response = await this.#fetch(url + PROBE_PATH, { signal, redirect: "manual" });
    await response.body?.cancel();
  }

  /**
   * Takes up a leader that was added after this caller was set up, right behind the node that told of it, so next. On the
   * cluster's own word alone: it is about to get a service token.
   */
  async #learnLeader(order: string[], tried: number, hint: LeaderHint | null): Promise<void> {
    if (hint === null || this.#urls.length >= URLS_MAX) return;
    const url = baseOf(hint.url);
    if (order.includes(url) || [...this.#nodeIds.values()].includes(hint.leaderId)) return;
    if (!(await verifyLeader(this.#serviceKey, hint, this.#now()))) return;
    this.#urls.push(url);
    order.splice((tried % order.length) + 1, 0, url);
  }

  /** Puts the node that leads where the next try looks; one that names itself has refused for long, and others are asked first. */
  #putLeaderNext(
    order: string[],
    tried: number,
    { leaderId, hint }: { leaderId: string | null; hint: LeaderHint | null },
  ): void {
    const leader =
      order.find((url) => leaderId !== null && this.#nodeIds.get(url) === leaderId) ??
      order.find((url) => hint !== null && url === baseOf(hint.url));
    if (leader === undefined || leader === order[tried % order.length]) return;
    const next = (tried + 1) % order.length;
    const at = order.indexOf(leader);
    const displaced = order[next];
    if (displaced === undefined || at === next) return;
    order[next] = leader;
    order[at] = displaced;
  }
}

/** Null when the answer names no leader's address. */
function readHint(headers: Headers): LeaderHint | null {
  const leaderId = headers.get(CORE_LEADER_ID_HEADER);
  const url = headers.get(CORE_LEADER_URL_HEADER);
  if (leaderId === null || url === null) return null;
  return { leaderId, url, proof: headers.get(CORE_LEADER_PROOF_HEADER) };
}

function baseOf(url: string): string {
  return url.replace(/\/+$/, "");
}

/** The node's refusal. Throws what reading throws, and an `Error` for an answer that is none of a node's. */
async function readRefusal(response: Response): Promise<ConfluxError> {
  const problem = parseProblem(await response.text());
  if (problem === null) throw new Error(`the core answered ${response.status} without a problem document`);
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new ConfluxError(problem.code, problem.detail, {
    errors: problem.errors.map(({ path, message }) => ({ path, message })),
    ...(Number.isFinite(retryAfter) ? { retryAfterS: retryAfter } : {}),
  });
}

function parseProblem(text: string): Problem | null {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // Something between us and the core answered; the caller is told the status.
    return null;
  }
  const parsed = problemSchema.safeParse(json);
  return parsed.success ? parsed.data : null;
}

function wasNeverSent(error: unknown): boolean {
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
    const errors = cause instanceof AggregateError ? (cause.errors as unknown[]) : [cause];
    if (errors.length > 0 && errors.every(cameBeforeSending)) return true;
  }
  return false;
}

function cameBeforeSending(error: unknown): boolean {
  const { code, syscall } = error as { code?: unknown; syscall?: unknown };
  return NEVER_SENT.has(String(code)) || (syscall === "connect" && NEVER_SENT_IN_CONNECT.has(String(code)));
}

function toFailure(
  call: CoreCall,
  maybeArrived: boolean,
  last: Exclude<Try, { kind: "answer" | "refused" }> | null,
): ConfluxError {
  const cause = last?.kind === "elsewhere" ? last.refusal : last?.cause;
  const reason = cause instanceof Error ? cause.message : "no node answered";
  if (call.method === "GET") {
    return new ConfluxError("unavailable", `the core cannot be read: ${reason}`, { cause, retryAfterS: 1 });
  }
  if (maybeArrived) {
    return new ConfluxError("outcome_unknown", `the core may or may not have the write: ${reason}`, {
      cause,
    });
  }
  return new ConfluxError("not_proposed", `no node of the core took the write: ${reason}`, {
    cause,
    retryAfterS: 1,
  });
}

function roundPauseMs(round: number): number {
  return Math.min(ROUND_PAUSE_MIN_MS * 2 ** (round - 1), ROUND_PAUSE_MAX_MS) * (0.5 + Math.random() / 2);
}

function pause(durationMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, durationMs);
  });
}
