import type { IncomingMessage } from "node:http";
import type { ServiceRole } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";

export interface CoreRequest {
  /** Path segments that the route leaves open, decoded. */
  readonly params: readonly string[];
  readonly query: URLSearchParams;
  readonly headers: Readonly<IncomingMessage["headers"]>;
  readonly role: ServiceRole;
  /** 32 hex digits. */
  readonly traceId: string;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  /** The whole body. Throws `payload_too_large` as soon as it is known to be over `bytesMax`. */
  readonly body: (bytesMax: number) => Promise<Uint8Array>;
}
export type CoreReply =
  | { json: unknown; status?: number }
  | { bytes: Uint8Array; contentType: string; status?: number };

export interface Route {
  method: "GET" | "POST";
  /** `/v1/configs/:id`: a segment with a colon is open. */
  path: string;
  /** Who may call; null for everyone, without a token. */
  roles: readonly ServiceRole[] | null;
  handle(request: CoreRequest): Promise<CoreReply> | CoreReply;
}
export interface FoundRoute {
  route: Route;
  params: string[];
}

/** Finds routes by method and path. The first that fits wins; paths are taken apart once, here. */
export class Router {
  readonly #closed = new Map<string, Route[]>();
  /** Routes with open segments, by their number of segments. */
  readonly #open = new Map<number, { route: Route; segments: string[] }[]>();

  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const segments = segmentsOf(route.path);
      if (!segments.some(isOpen)) addTo(this.#closed, route.path, route);
      else addTo(this.#open, segments.length, { route, segments });
    }
  }

  /** `path` is that of the request, encoded. Throws `not_found`, `method_not_allowed`, or `malformed_request`. */
  find(method: string, path: string): FoundRoute {
    const fits = (route: Route): boolean =>
      route.method === method || (method === "HEAD" && route.method === "GET");
    const exact = this.#closed.get(path) ?? [];
    for (const route of exact) if (fits(route)) return { route, params: [] };
    let isKnown = exact.length > 0;
    const segments = segmentsOf(path);
    for (const { route, segments: wanted } of this.#open.get(segments.length) ?? []) {
      if (!isPathOf(wanted, segments)) continue;
      if (fits(route)) return { route, params: openSegments(wanted, segments) };
      isKnown = true;
    }
    if (isKnown) throw new ConfluxError("method_not_allowed", `${path} does not answer ${method}`);
    throw new ConfluxError("not_found", `no route ${path}`);
  }
}

const segmentsOf = (path: string): string[] => path.split("/").slice(1);
const isOpen = (segment: string): boolean => segment.startsWith(":");

function addTo<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function isPathOf(wanted: readonly string[], segments: readonly string[]): boolean {
  for (let i = 0; i < wanted.length; i += 1) {
    const part = wanted[i]!;
    if (part !== segments[i] && !isOpen(part)) return false;
  }
  return true;
}

function openSegments(wanted: readonly string[], segments: readonly string[]): string[] {
  const params: string[] = [];
  for (let i = 0; i < wanted.length; i += 1) {
    if (isOpen(wanted[i]!)) params.push(decodeSegment(segments[i] ?? ""));
  }
  return params;
}

function decodeSegment(segment: string): string {
  if (!segment.includes("%")) return segment;
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    throw new ConfluxError("malformed_request", "the path is not valid percent-encoding", { cause });
  }
}
