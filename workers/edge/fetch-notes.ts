import { type FetchesMessage, FETCHES_CHARACTERS_MAX } from "../../contracts/delivery/delivery-message.ts";

/** How long after a config was told as fetched it is told again; "last fetched" is right to within this. */
const TELL_EVERY_MS = 10 * 60 * 1000;
/** Names go out together, at most so often. A Worker may work for 30 s after its answer. */
const FLUSH_EVERY_MS = 15_000;
/** A flush that is late by this was lost with the request that had it to do. */
const FLUSH_GRACE_MS = 5_000;
/** Names that an isolate remembers for a region, told or to be told. */
const NAMES_MAX = 20_000;
/** What a name costs in a message besides its characters. */
const ENTRY_CHARACTERS = 24;

/** Keeps work alive after the answer. */
export type AfterAnswer = Pick<ExecutionContext, "waitUntil">;

interface Deps {
  region: string;
  send: (message: FetchesMessage) => Promise<unknown>;
  log: (entry: { level: "warn"; message: string; error: unknown }) => void;
  nowMs: () => number;
  /** Resolves after so many ms. */
  sleep: (ms: number) => Promise<void>;
}

/**
 * Which configs this isolate has served in a region (E16). `note` is on the path of every fetch: one look into a map, and
 * no I/O before the answer. What is to be told goes out behind an answer, many names in one message. What cannot be sent
 * is told with a later fetch; it is lost with the isolate, and then the next one tells.
 */
export class FetchNotes {
  readonly #deps: Deps;
  /** When a name was last noted for telling. */
  readonly #told = new Map<string, number>();
  readonly #pending = new Map<string, number>();
  #flushDueMs = -Infinity;
  #flushedAtMs = -Infinity;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Notes that `config` was served at `nowMs`. */
  note(config: string, nowMs: number, after: AfterAnswer): void {
    const told = this.#told.get(config);
    if (told !== undefined && nowMs - told < TELL_EVERY_MS) return;
    this.#add(config, nowMs, after);
  }

  #add(config: string, nowMs: number, after: AfterAnswer): void {
    // Full: this one is told with a later fetch.
    if (this.#pending.size >= NAMES_MAX) return;
    if (this.#told.size >= NAMES_MAX) this.#told.clear();
    this.#told.set(config, nowMs);
    this.#pending.set(config, nowMs);
    if (nowMs <= this.#flushDueMs + FLUSH_GRACE_MS) return;
    this.#flushDueMs = Math.max(nowMs, this.#flushedAtMs + FLUSH_EVERY_MS);
    after.waitUntil(this.#flushAfter(this.#flushDueMs - nowMs));
  }

  async #flushAfter(ms: number): Promise<void> {
    const { region, send, log, nowMs, sleep } = this.#deps;
    if (ms > 0) await sleep(ms);
    this.#flushDueMs = -Infinity;
    this.#flushedAtMs = nowMs();
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const fetched of inMessages(pending)) {
      try {
        await send({ kind: "fetches", region, fetched });
      } catch (error) {
        for (const [config] of fetched) this.#told.delete(config);
        log({ level: "warn", message: `what was fetched in ${region} could not be queued`, error });
      }
    }
  }
}

function inMessages(pending: [string, number][]): [string, number][][] {
  const messages: [string, number][][] = [];
  let left = 0;
  for (const entry of pending) {
    const characters = entry[0].length + ENTRY_CHARACTERS;
    if (characters > left) {
      messages.push([]);
      left = FETCHES_CHARACTERS_MAX;
    }
    messages.at(-1)?.push(entry);
    left -= characters;
  }
  return messages;
}
