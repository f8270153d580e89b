import type { ServerMessage } from "../watch-protocol.ts";
import { type TestRegion, until } from "./test-region.ts";
import { watchRequest, type WatchRequest } from "./test-watcher.ts";

/** A client of an event stream, reading it as the HTML standard says. */
export class TestStream {
  readonly events: { id: string; message: ServerMessage }[] = [];
  readonly comments: string[] = [];
  retry: string | null = null;
  ended = false;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #lastId = "";
  #hungUp = false;
  #reading: Promise<void> = Promise.resolve();

  constructor(body: ReadableStream<Uint8Array>) {
    this.#reader = body.getReader();
  }

  static async open(region: TestRegion, request: WatchRequest = {}): Promise<TestStream> {
    const response = await region.hub.fetch(watchRequest(region, request));
    if (response.status !== 200 || response.body === null) {
      throw new Error(`no stream: ${response.status} ${await response.text()}`);
    }
    if (response.headers.get("content-type") !== "text/event-stream") throw new Error("not an event stream");
    const stream = new TestStream(response.body);
    stream.#reading = stream.#read();
    return stream;
  }

  /** Hangs up. */
  async close(): Promise<void> {
    this.#hungUp = true;
    await this.#reader.cancel();
    await this.#reading;
  }

  async event(count: number): Promise<{ id: string; message: ServerMessage }[]> {
    await until(() => this.events.length >= count);
    return this.events;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await this.#next();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) this.#take(block);
    }
    this.ended = true;
  }

  /** A read that is under way when the client hangs up is refused; that is the end, too. */
  async #next(): Promise<ReadableStreamReadResult<Uint8Array>> {
    try {
      return await this.#reader.read();
    } catch (error) {
      if (this.#hungUp) return { done: true, value: undefined };
      throw error;
    }
  }

  #take(block: string): void {
    let data: string | null = null;
    for (const line of block.split("\n")) {
      const [field, value] = [
        line.slice(0, line.indexOf(":")),
        line.slice(line.indexOf(":") + 1).trimStart(),
      ];
      if (field === "") this.comments.push(value);
      else if (field === "id") this.#lastId = value;
      else if (field === "retry") this.retry = value;
      else if (field === "data") data = value;
      else throw new Error(`unknown field in ${line}`);
    }
    if (data !== null) this.events.push({ id: this.#lastId, message: JSON.parse(data) as ServerMessage });
  }
}
