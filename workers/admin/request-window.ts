import { DurableObject } from "cloudflare:workers";
import {
  SLICE_MS,
  SlidingWindow,
  type WindowSlice,
  type WindowVerdict,
} from "../../domain/quota/sliding-window.ts";
import type { RequestWindowRpc } from "./request-windows.ts";

const KEPT_KEY = "slices";
/** How often the window is written down while requests are granted. */
const KEEP_EVERY_MS = SLICE_MS;

/**
 * The window of requests of one tenant, which all isolates ask: so the quota holds however many there are (A6). Counts in
 * memory and writes down once a second how many requests each second granted. An object that was evicted goes on from
 * that: it never opens early by what was written, it may open up to a second late, and it has forgotten what it granted
 * in the last second before a crash or a deployment of this Worker. Nothing waits for the writing.
 */
export class RequestWindow extends DurableObject<object> implements RequestWindowRpc {
  readonly #window: SlidingWindow;
  #isKeepingSoon = false;

  constructor(ctx: DurableObjectState, env: object) {
    super(ctx, env);
    this.#window = new SlidingWindow(ctx.storage.kv.get<WindowSlice[]>(KEPT_KEY) ?? []);
  }

  /** Grants a request now and counts it, unless `limit` were granted within the minute before. */
  take(limit: number): WindowVerdict {
    const verdict = this.#window.take(Date.now(), limit);
    if (verdict.granted) this.#keepSoon();
    return verdict;
  }

  #keepSoon(): void {
    if (this.#isKeepingSoon) return;
    this.#isKeepingSoon = true;
    setTimeout(() => {
      this.#isKeepingSoon = false;
      this.ctx.waitUntil(this.ctx.storage.put(KEPT_KEY, this.#window.slices(), { allowUnconfirmed: true }));
    }, KEEP_EVERY_MS);
  }
}
