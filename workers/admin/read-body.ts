import type { MiddlewareHandler } from "hono";
import { JsonScanner } from "../../adapters/format/json-scanner.ts";
import { decodeUtf8, hasByteOrderMark, positionAt } from "../../adapters/format/text-position.ts";
import { ADMIN_BODY_BYTES_MAX } from "../../contracts/limits.ts";
import { ConfluxError, type FieldError } from "../../contracts/problem/error-codes.ts";
import { findLoneSurrogates } from "../../contracts/problem/lone-surrogates.ts";
import type { AdminEnv } from "./principal.ts";

/** Bytes of a body over the limit that are read and dropped, so that its sender gets to read the refusal. */
export const BODY_DRAIN_BYTES_MAX = 8 * ADMIN_BODY_BYTES_MAX;

/**
 * A name that JavaScript's records lose on the way: a label that vanished would widen a rule to everyone. Contents and
 * schemas that come as text may have it.
 */
const REFUSED_NAMES = ["__proto__"];

/**
 * Reads a request's body once, within `ADMIN_BODY_BYTES_MAX`, and refuses JSON that cannot be parsed, is nested too
 * deep or names a field twice (`malformed_request`, with line and column), and JSON with half a character in a text or a
 * name (`validation_failed`, with its path), before anything looks at it: no field of any route can forget that.
 */
export const readBody: MiddlewareHandler<AdminEnv> = async (c, next) => {
  const { raw } = c.req;
  const encoding = raw.headers.get("content-encoding") ?? "identity";
  if (encoding.toLowerCase() !== "identity") {
    throw new ConfluxError("unsupported_media_type", `A body must not be encoded; this one is ${encoding}`);
  }
  if (raw.body === null) {
    c.set("bodyBytes", new Uint8Array());
    await next();
    return;
  }
  const bytes = await readBounded(raw.body);
  c.set("bodyBytes", bytes);
  // An empty body is for the route to judge: a DELETE has none, whatever its Content-Type.
  if (bytes.byteLength > 0 && /^application\/([a-z.-]+\+)?json\b/i.test(c.req.header("content-type") ?? ""))
    checkJson(bytes);
  // What stands behind reads the body again, from memory.
  const body = bytes.byteLength === 0 ? {} : { body: bytes };
  c.req.raw = new Request(raw.url, { method: raw.method, headers: raw.headers, ...body });
  await next();
};

async function readBounded(body: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let total = 0;
  // Leaving the loop early cancels the stream, and with it the connection: the client would not see the answer.
  for await (const part of body) {
    total += part.byteLength;
    if (total > BODY_DRAIN_BYTES_MAX) throw tooLarge();
    if (total <= ADMIN_BODY_BYTES_MAX) parts.push(part);
    else parts.length = 0;
  }
  if (total > ADMIN_BODY_BYTES_MAX) throw tooLarge();
  const bytes = new Uint8Array(total);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}

function tooLarge(): ConfluxError {
  return new ConfluxError("payload_too_large", `A body may have ${ADMIN_BODY_BYTES_MAX} bytes at most`);
}

function checkJson(bytes: Uint8Array): void {
  const decoded = decodeUtf8(bytes);
  if (!decoded.ok) throw malformed(decoded.errors.map((e) => ({ path: "", ...e })));
  const { text } = decoded;
  if (hasByteOrderMark(text)) {
    throw malformed([{ path: "", message: "must not begin with a byte order mark", line: 1, column: 1 }]);
  }
  const fault = new JsonScanner(text, REFUSED_NAMES).check();
  if (fault) throw malformed([{ path: "", message: fault.message, ...positionAt(text, fault.offset) }]);
  const errors = findLoneSurrogates(text, () => JSON.parse(text) as unknown);
  if (errors.length > 0) {
    throw new ConfluxError("validation_failed", "The request does not satisfy its schema", { errors });
  }
}

function malformed(errors: FieldError[]): ConfluxError {
  return new ConfluxError("malformed_request", "The body is not JSON that can be read", { errors });
}
