import { SSE_BUFFER_BYTES_MAX } from "./limits.ts";
import type { WatchChannel } from "./watch-session.ts";

/**
 * An event stream (text/event-stream): the message in `data:`, where to resume in `id:`. It lives as long as its
 * request, so it has nothing to save. A client that is gone or does not read is given up.
 */
export class StreamChannel implements WatchChannel {
  readonly response: Response;
  readonly #encoder = new TextEncoder();
  readonly #onGone: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;

  /** `onGone` is called once, when the client has gone away by itself. It is told to come back after `retryMs`. */
  constructor(onGone: () => void, retryMs: number) {
    this.#onGone = onGone;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => {
          this.#controller = null;
          this.#onGone();
        },
      },
      new ByteLengthQueuingStrategy({ highWaterMark: SSE_BUFFER_BYTES_MAX }),
    );
    this.response = new Response(body, {
      headers: {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      },
    });
    this.#write(`retry: ${retryMs}\n\n`);
  }

  send(text: string, resumeFrom: string | null): boolean {
    return this.#write(`${resumeFrom === null ? "" : `id: ${resumeFrom}\n`}data: ${text}\n\n`);
  }

  /** A comment that keeps proxies from closing a quiet stream, and finds out whether the client reads. */
  heartbeat(): boolean {
    return this.#write(": heartbeat\n\n");
  }

  close(): void {
    this.#controller?.close();
    this.#controller = null;
  }

  save(): boolean {
    return true;
  }

  #write(text: string): boolean {
    if (this.#controller === null) return false;
    if ((this.#controller.desiredSize ?? 0) <= 0) {
      this.#controller.error(new Error("the client does not read its event stream"));
      this.#controller = null;
      return false;
    }
    this.#controller.enqueue(this.#encoder.encode(text));
    return true;
  }
}
