import { CONTENT_TYPE_BY_FORMAT } from "../../domain/config/config.ts";
import type { CompiledVariant } from "../../domain/delivery/compiled-document.ts";
import { ENVELOPE_CONTENT_TYPE } from "../../contracts/encryption/encryption-context.ts";
import { TRACE_ID_HEADER } from "../../contracts/problem/problem.ts";

const INDEX_HEADER = "x-config-index";
const AGE_HEADER = "x-config-age";

/** A variant with the headers of its answers built; only position, age and trace change from answer to answer. */
export class PreparedVariant {
  readonly variant: CompiledVariant;
  readonly contentType: string;
  readonly #fields: Record<string, string>;
  /** Made when they are first used: most variants are never sent, or never asked for again. */
  #full: Template | null = null;
  #notModified: Template | null = null;

  constructor(variant: CompiledVariant, encrypted: boolean) {
    this.variant = variant;
    this.contentType = encrypted ? ENVELOPE_CONTENT_TYPE : CONTENT_TYPE_BY_FORMAT[variant.format];
    this.#fields = {
      etag: variant.etag,
      "cache-control": "private, no-cache",
      "x-config-version": String(variant.version_id),
      "x-config-hash": `sha256:${variant.sha256}`,
    };
  }

  /** 200 with the content's bytes. */
  full(content: Uint8Array, of: Circumstances): Response {
    return new Response(content, this.#fullAt(of));
  }

  /** What `full` would answer, without the bytes. */
  head(of: Circumstances): Response {
    const response = this.#fullAt(of).clone();
    response.headers.set("content-length", String(this.variant.content_bytes));
    return response;
  }

  notModified(of: Circumstances): Response {
    this.#notModified ??= new Template(304, this.#fields);
    return this.#notModified.at(of).clone();
  }

  #fullAt(of: Circumstances): Response {
    // No "nosniff": a header costs up to 1 µs, and what is not had without an Authorization header is never sniffed at.
    this.#full ??= new Template(200, { ...this.#fields, "content-type": this.contentType });
    return this.#full.at(of);
  }
}

/**
 * A Response without a body that others are made of: a copy of its status and headers costs the runtime a fraction of
 * what building them costs. What differs from answer to answer is set in it just before the copy is made.
 */
class Template {
  readonly #response: Response;
  readonly #headers: Headers;
  #indexToken = "";
  #aged = false;

  constructor(status: number, headers: Record<string, string>) {
    this.#response = new Response(null, { status, headers });
    this.#headers = this.#response.headers;
  }

  /** To be copied at once: the next answer changes it. */
  at({ indexToken, traceId, staleMs }: Circumstances): Response {
    this.#headers.set(TRACE_ID_HEADER, traceId);
    if (this.#indexToken !== indexToken) {
      this.#headers.set(INDEX_HEADER, indexToken);
      this.#indexToken = indexToken;
    }
    if (staleMs !== null) this.#headers.set(AGE_HEADER, String(Math.ceil(staleMs / 1000)));
    else if (this.#aged) this.#headers.delete(AGE_HEADER);
    this.#aged = staleMs !== null;
    return this.#response;
  }
}

export interface Circumstances {
  indexToken: string;
  traceId: string;
  /** How far the answer may lag behind, when it is worth telling. */
  staleMs: number | null;
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
