import { BoundedCache } from "../../domain/delivery/bounded-cache.ts";

/** The window of the counter at the location, ms; the platform offers 10 and 60 s. */
export const RATE_WINDOW_MS = 10_000;
/** Requests of one client that an isolate lets pass in a window without asking the counter. */
export const UNASKED_REQUESTS_MAX = 50;
/** Clients whose requests an isolate counts. One that was forgotten begins anew. */
const CLIENTS_MAX = 20_000;

interface Count {
  windowStartMs: number;
  requests: number;
  isRefused: boolean;
}

/**
 * What an isolate knows of its clients' rates in the present window. The counter that all isolates of a location share
 * costs a call, so it is asked only about clients that send much: a usual client costs an addition here, and one that
 * was refused is refused without another call until the window ends.
 */
export class ClientRates {
  readonly #counts = new BoundedCache<Count>(CLIENTS_MAX);

  /** Counts a request: let it pass, refuse it, or ask the location's counter. */
  count(client: string, nowMs: number): "pass" | "refuse" | "ask" {
    const windowStartMs = nowMs - (nowMs % RATE_WINDOW_MS);
    const held = this.#counts.get(client);
    if (held?.windowStartMs !== windowStartMs) {
      this.#counts.set(client, { windowStartMs, requests: 1, isRefused: false }, 1);
      return "pass";
    }
    held.requests += 1;
    if (held.isRefused) return "refuse";
    return held.requests > UNASKED_REQUESTS_MAX ? "ask" : "pass";
  }

  /** The counter refused: so do we until the window ends. */
  refuse(client: string): void {
    const held = this.#counts.get(client);
    if (held !== undefined) held.isRefused = true;
  }
}
