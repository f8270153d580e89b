import { request } from "node:http";
import { Readable } from "node:stream";
import type { Stack } from "./stack.ts";

export interface Answer {
  status: number;
  headers: Headers;
  /** The body as text. */
  text: string;
  /** The body as JSON; an empty object when it is none. */
  json: Record<string, unknown>;
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") ?? false;
  const json = isJson && text !== "" ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status: response.status, headers: response.headers, text, json };
}

/** A request to the admin API; `body` is sent as JSON unless it is text. */
export async function admin(
  stack: Stack,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const { admin_url, admin_token } = stack.dev;
  const url = path.startsWith("/.well-known") || path === "/openapi.json" ? path : `/api/v1${path}`;
  return read(
    await fetch(`${admin_url}${url}`, {
      method,
      headers: { authorization: `Bearer ${admin_token}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    }),
  );
}

/** The same; throws unless the status is a success. */
export async function adminOk(
  stack: Stack,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const answer = await admin(stack, method, path, body, headers);
  if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  return answer;
}

export interface FetchOptions {
  labels?: Record<string, string>;
  minIndex?: string;
  headers?: Record<string, string>;
  token?: string;
  method?: string;
}

/** A fetch of `tenant/app/env/name` at the edge. */
export async function fetchConfig(stack: Stack, name: string, options: FetchOptions = {}): Promise<Answer> {
  const labels = Object.entries(options.labels ?? {}).map(([label, value]) => [
    `x-client-label-${label}`,
    value,
  ]);
  const headers: Record<string, string> = {
    authorization: `Bearer ${options.token ?? stack.dev.client_token}`,
    ...(Object.fromEntries(labels) as Record<string, string>),
    ...(options.minIndex === undefined ? {} : { "x-conflux-min-index": options.minIndex }),
    ...options.headers,
  };
  return read(
    await fetch(`${stack.dev.edge_url}/api/v1/fetch/config/${name}`, {
      method: options.method ?? "GET",
      headers,
    }),
  );
}

/** A GET of a path exactly as it is given, under any `Host`: `fetch` would tidy the one and refuse the other. */
export function getRaw(stack: Stack, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return sendRaw(stack, { method: "GET", path, headers });
}

/** A request to the edge exactly as it is given, under any `Host`; a body is sent as JSON. */
export function sendRaw(
  stack: Stack,
  of: { method: string; path: string; headers?: Record<string, string>; body?: unknown },
): Promise<Answer> {
  const { hostname, port } = new URL(stack.dev.edge_url);
  const { method, path } = of;
  const headers = { authorization: `Bearer ${stack.dev.client_token}`, ...of.headers };
  return new Promise((done, fail) => {
    request({ hostname, port, path, method, headers }, (response) => {
      const answer = new Response(Readable.toWeb(response) as ReadableStream, {
        status: response.statusCode ?? 0,
        headers: response.headers as Record<string, string>,
      });
      done(read(answer));
    })
      .on("error", fail)
      .end(of.body === undefined ? undefined : JSON.stringify(of.body));
  });
}

export interface WatchMessage {
  type: string;
  config?: string;
  version?: number;
  index?: string;
  deleted?: boolean;
}

export interface Watcher {
  readonly messages: WatchMessage[];
  close(): void;
}

/** An open WebSocket on configs, past its `hello`. */
export async function watchBySocket(stack: Stack, configs: readonly string[]): Promise<Watcher> {
  const url = new URL(`${stack.dev.edge_url.replace("http", "ws")}/api/v1/watch`);
  for (const config of configs) url.searchParams.append("config", config);
  const socket = new WebSocket(url, [`conflux.bearer.${stack.dev.client_token}`]);
  const messages: WatchMessage[] = [];
  const hello = Promise.withResolvers<void>();
  socket.addEventListener("error", () => hello.reject(new Error("the watch socket failed")));
  socket.addEventListener("close", () => hello.reject(new Error("the watch socket closed")));
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as WatchMessage;
    messages.push(message);
    if (message.type === "hello") hello.resolve();
  });
  await hello.promise;
  return { messages, close: () => socket.close() };
}

/** The same by server-sent events. */
export async function watchByStream(stack: Stack, configs: readonly string[]): Promise<Watcher> {
  const url = new URL(`${stack.dev.edge_url}/api/v1/watch`);
  for (const config of configs) url.searchParams.append("config", config);
  const controller = new AbortController();
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${stack.dev.client_token}`, accept: "text/event-stream" },
    signal: controller.signal,
  });
  if (response.status !== 200 || !response.body)
    throw new Error(`watch: ${response.status} ${await response.text()}`);
  const messages: WatchMessage[] = [];
  const hello = Promise.withResolvers<void>();
  void pump(response.body, (message) => {
    messages.push(message);
    if (message.type === "hello") hello.resolve();
  }).catch((error: unknown) => hello.reject(error));
  await hello.promise;
  return { messages, close: () => controller.abort() };
}

async function pump(
  body: ReadableStream<Uint8Array>,
  onMessage: (message: WatchMessage) => void,
): Promise<void> {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = block
        .split("\n")
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trim())
        .join("\n");
      if (data !== "") onMessage(JSON.parse(data) as WatchMessage);
    }
  }
}
