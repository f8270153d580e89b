import { CONTENT_TYPE_BY_FORMAT } from "../../domain/config/config.ts";
import type { CompiledVariant } from "../../domain/delivery/compiled-document.ts";
import { TRACE_ID_HEADER } from "../../contracts/problem/problem.ts";

const ENVELOPE_CONTENT_TYPE = "application/vnd.conflux.envelope+json";
const INDEX_HEADER = "x-config-index";

/** A variant with the headers of its answers built; only position, age and trace change from answer to answer. */
export class PreparedVariant {
  readonly variant: CompiledVariant;
  readonly contentType: string;
  readonly #full: Headers;
  readonly #notModified: Headers;
  #indexToken = "";

  constructor(variant: CompiledVariant, encrypted: boolean) {
    this.variant = variant;
    this.contentType = encrypted ? ENVELOPE_CONTENT_TYPE : CONTENT_TYPE_BY_FORMAT[variant.format];
    this.#notModified = new Headers({
      etag: variant.etag,
      "cache-control": "private, no-cache",
      "x-config-version": String(variant.version_id),
      "x-config-hash": `sha256:${variant.sha256}`,
    });
    this.#full = new Headers(this.#notModified);
    this.#full.set("content-type", this.contentType);
    this.#full.set("x-content-type-options", "nosniff");
  }

  /** The headers of a full answer or of a 304 at `indexToken`. Shared: a Response copies them. */
  headers(kind: "full" | "not_modified", indexToken: string): Headers {
    if (this.#indexToken !== indexToken) {
      this.#full.set(INDEX_HEADER, indexToken);
      this.#notModified.set(INDEX_HEADER, indexToken);
      this.#indexToken = indexToken;
    }
    return kind === "full" ? this.#full : this.#notModified;
  }
}

export interface Circumstances {
  indexToken: string;
  traceId: string;
  /** How far the answer may lag behind, when it is worth telling. */
  staleMs: number | null;
}

/** 200 with the content's bytes. */
export function fullResponse(prepared: PreparedVariant, content: Uint8Array, of: Circumstances): Response {
  const response = new Response(content, { headers: prepared.headers("full", of.indexToken) });
  return addCircumstances(response, of);
}

/** What `fullResponse` would answer, without the bytes. */
export function headResponse(prepared: PreparedVariant, of: Circumstances): Response {
  const response = new Response(null, { headers: prepared.headers("full", of.indexToken) });
  response.headers.set("content-length", String(prepared.variant.content_bytes));
  return addCircumstances(response, of);
}

export function notModifiedResponse(prepared: PreparedVariant, of: Circumstances): Response {
  const headers = prepared.headers("not_modified", of.indexToken);
  return addCircumstances(new Response(null, { status: 304, headers }), of);
}

function addCircumstances(response: Response, { traceId, staleMs }: Circumstances): Response {
  response.headers.set(TRACE_ID_HEADER, traceId);
  if (staleMs !== null) response.headers.set("x-config-age", String(Math.ceil(staleMs / 1000)));
  return response;
}

/** Whether an `If-None-Match` holds `etag` (weak comparison, RFC 9110 13.1.2). */
export function matchesEtag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  if (ifNoneMatch === etag) return true;
  // Our etags hold no comma, so a list can be cut at commas.
  return ifNoneMatch.split(",").some((listed) => {
    const candidate = listed.trim();
    return candidate === "*" || (candidate.startsWith("W/") ? candidate.slice(2) : candidate) === etag;
  });
}
