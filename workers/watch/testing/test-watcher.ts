import { WATCH_PRINCIPAL_HEADER, type WatchPrincipal } from "../../../contracts/delivery/replica-rpc.ts";
import type { ServerMessage } from "../watch-protocol.ts";
import { type TestRegion, until } from "./test-region.ts";

export type Change = Extract<ServerMessage, { type: "change" }>;

export interface WatchRequest {
  configs?: string[];
  since?: string;
  principal?: Partial<WatchPrincipal>;
  shard?: number;
  headers?: Record<string, string>;
}

/** What the edge sends a hub for a watcher that it has authorised. */
export function watchRequest(region: TestRegion, request: WatchRequest): Request {
  const url = new URL("https://hub/api/v1/watch");
  for (const config of request.configs ?? []) url.searchParams.append("config", config);
  if (request.since !== undefined) url.searchParams.set("since", request.since);
  const principal: WatchPrincipal = {
    jti: crypto.randomUUID(),
    scopes: ["read:demo/shop/prod/*"],
    issued_at_ms: Date.now() - 60_000,
    expires_at_ms: Date.now() + 3_600_000,
    region: region.name,
    ...request.principal,
  };
  const headers = { [WATCH_PRINCIPAL_HEADER]: JSON.stringify(principal), ...request.headers };
  return new Request(url, { headers });
}

/** A WebSocket client that keeps what it was told. */
export class TestSocket {
  readonly messages: ServerMessage[] = [];
  readonly texts: string[] = [];
  closed: { code: number; reason: string } | null = null;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", (event) => {
      const text = String(event.data);
      if (text.startsWith("{")) this.messages.push(JSON.parse(text) as ServerMessage);
      else this.texts.push(text);
    });
    socket.addEventListener("close", (event) => {
      this.closed = { code: event.code, reason: event.reason };
    });
    socket.accept();
  }

  static async open(region: TestRegion, request: WatchRequest = {}): Promise<TestSocket> {
    const headers = { ...request.headers, upgrade: "websocket" };
    const response = await region
      .hubShard(request.shard ?? 0)
      .fetch(watchRequest(region, { ...request, headers }));
    if (response.webSocket === null)
      throw new Error(`no socket: ${response.status} ${await response.text()}`);
    return new TestSocket(response.webSocket);
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  sendBytes(bytes: ArrayBuffer): void {
    this.#socket.send(bytes);
  }

  close(code?: number): void {
    this.#socket.close(code);
  }

  get changes(): Change[] {
    return this.messages.filter((message) => message.type === "change");
  }

  async changesOf(count: number): Promise<Change[]> {
    await until(() => this.changes.length >= count);
    return this.changes;
  }

  async message(type: ServerMessage["type"]): Promise<ServerMessage> {
    await until(() => this.messages.some((message) => message.type === type));
    const found = this.messages.find((message) => message.type === type);
    if (found === undefined) throw new Error(`no ${type}`);
    return found;
  }

  /** The token of the newest message that has one. */
  get index(): string {
    const last = this.messages.findLast((message) => message.type !== "error");
    if (last === undefined) throw new Error("no index was told");
    return last.index;
  }
}

/** `<cluster>.<epoch>.<n>.<signature>` -> n */
export const indexOf = (token: string): number => Number(token.split(".")[2]);
