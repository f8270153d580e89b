/** What an answer is written to: a connection of the short way (http-lane.ts), or a response of node:http. */
import type { ServerResponse } from "node:http";

/** The fields that many answers have alike: put into text once, and told apart by identity. */
export class CommonFields {
  /** Name and value by turns. */
  readonly fields: readonly string[];
  readonly isLast: boolean;
  #text: string | null = null;

  /** `isLast`: the connection ends with the answer. */
  constructor(fields: readonly string[], isLast: boolean) {
    this.fields = isLast ? [...fields, "connection", "close"] : fields;
    this.isLast = isLast;
  }

  /** Lines of a head. Throws for a value that would not stay one. */
  get text(): string {
    this.#text ??= fieldLines(this.fields);
    return this.#text;
  }
}

export interface ReplyHead {
  status: number;
  common: CommonFields;
  /** The fields of this answer alone, `content-length` among them: name and value by turns. */
  own: readonly string[];
}

export interface ReplyTarget {
  readonly headersSent: boolean;
  readonly closed: boolean;
  readonly destroyed: boolean;
  readonly statusCode: number;
  /** The whole answer. `encoding` is that of a string. Throws for a field that no head can have. */
  send(head: ReplyHead, body: string | Uint8Array, encoding: BufferEncoding): void;
  destroy(): void;
  /** Calls `act` once when the answer is out or nobody is there to take it. */
  onceClosed(act: () => void): void;
}

const VALUE = /^[\t -~]*$/;

/** `name: value` by lines. Throws for a value that would not stay one. */
export function fieldLines(fields: readonly string[]): string {
  let lines = "";
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const value = fields[i + 1]!;
    if (!VALUE.test(value)) throw new TypeError(`the field ${fields[i]} cannot have that value`);
    lines += `${fields[i]}: ${value}\r\n`;
  }
  return lines;
}

/** A response of node:http. */
export class NodeReply implements ReplyTarget {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  get headersSent(): boolean {
    return this.#response.headersSent;
  }

  get closed(): boolean {
    return this.#response.closed;
  }

  get destroyed(): boolean {
    return this.#response.destroyed;
  }

  get statusCode(): number {
    return this.#response.statusCode;
  }

  send({ status, common, own }: ReplyHead, body: string | Uint8Array, encoding: BufferEncoding): void {
    // A flat list is the one form of headers that node:http writes without taking it apart.
    this.#response.writeHead(status, [...common.fields, ...own]);
    this.#response.end(body, encoding);
  }

  destroy(): void {
    this.#response.destroy();
  }

  onceClosed(act: () => void): void {
    this.#response.once("close", act);
  }
}
