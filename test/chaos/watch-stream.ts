import { type ClientRequest, type IncomingMessage, request } from "node:http";

const BLOCK_END = "\n\n";

export interface WatchStreamEvents {
  /** A message, and where to resume once it is taken; null: where one stood. */
  told: (data: string, id: string | null) => void;
  /** Called once, unless the client has gone itself. `status`: of an answer that is no stream. */
  failed: (reason: { status: number | null; retryMs: number | null }) => void;
}

/** An event stream as an EventSource reads it: `data:`, `id:`, `retry:`, comments left out. */
export class WatchStream {
  readonly #events: WatchStreamEvents;
  readonly #request: ClientRequest;
  #isOver = false;
  #rest = "";
  #retryMs: number | null = null;

  constructor(
    target: { port: number; path: string; headers: Readonly<Record<string, string>> },
    events: WatchStreamEvents,
  ) {
    this.#events = events;
    // A connection of its own: it lasts as long as the stream.
    this.#request = request({
      host: "127.0.0.1",
      port: target.port,
      path: target.path,
      agent: false,
      headers: { accept: "text/event-stream", ...target.headers },
    });
    this.#request.on("response", (response) => this.#read(response));
    this.#request.on("error", () => this.#end(null));
    this.#request.end();
  }

  /** Cuts the connection as a crash would. */
  destroy(): void {
    this.#isOver = true;
    this.#request.destroy();
  }

  #read(response: IncomingMessage): void {
    const { statusCode = 0 } = response;
    if (statusCode !== 200) {
      const retryAfterS = Number(response.headers["retry-after"] ?? 0);
      if (retryAfterS > 0) this.#retryMs = retryAfterS * 1000;
      response.resume();
      this.#end(statusCode);
      return;
    }
    response.setEncoding("utf8");
    response.on("data", (text: string) => this.#take(text));
    response.on("error", () => this.#end(null));
    response.on("close", () => this.#end(null));
  }

  #take(text: string): void {
    const blocks = (this.#rest + text).split(BLOCK_END);
    this.#rest = blocks.pop() ?? "";
    for (const block of blocks) if (!this.#isOver) this.#takeBlock(block);
  }

  #takeBlock(block: string): void {
    const lines = block.split("\n");
    const valueOf = (field: string): string | null =>
      lines
        .find((line) => line.startsWith(field))
        ?.slice(field.length)
        .trim() ?? null;
    const retry = valueOf("retry:");
    if (retry !== null) this.#retryMs = Number(retry);
    const data = valueOf("data:");
    if (data !== null) this.#events.told(data, valueOf("id:"));
  }

  #end(status: number | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#request.destroy();
    this.#events.failed({ status, retryMs: this.#retryMs });
  }
}
