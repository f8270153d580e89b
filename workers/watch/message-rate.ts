import { CLIENT_WINDOW_BYTES_MAX, CLIENT_WINDOW_MESSAGES_MAX, CLIENT_WINDOW_MS } from "./limits.ts";

/** What one socket has said in its present window. It lives in memory: a hub that sleeps has outlasted every window. */
export class MessageRate {
  #startedAtMs = -Infinity;
  #messages = 0;
  #bytes = 0;

  /** Counts a message; false when the socket has said more than it may. */
  take(bytes: number, nowMs: number): boolean {
    if (nowMs - this.#startedAtMs >= CLIENT_WINDOW_MS) {
      this.#startedAtMs = nowMs;
      this.#messages = 0;
      this.#bytes = 0;
    }
    this.#messages += 1;
    this.#bytes += bytes;
    return this.#messages <= CLIENT_WINDOW_MESSAGES_MAX && this.#bytes <= CLIENT_WINDOW_BYTES_MAX;
  }
}
