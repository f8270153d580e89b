import { randomFillSync } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ReplyTarget } from "./reply-target.ts";

/** Path and query of a request's target; the query without its question mark. */
export function splitTarget(target: string): { path: string; search: string } {
  // A proxy may send the absolute form.
  const local = target.startsWith("/") ? target : target.replace(/^https?:\/\/[^/?#]*/i, "");
  const at = local.indexOf("?");
  if (at === -1) return { path: local === "" ? "/" : local, search: "" };
  return { path: local.slice(0, at) || "/", search: local.slice(at + 1) };
}

const TRACE_ID_BYTES = 16;
/** Chance is drawn for this many trace ids at once: a call of the system's generator costs more than all else here. */
const TRACE_IDS_DRAWN = 256;
const drawn = Buffer.alloc(TRACE_ID_BYTES * TRACE_IDS_DRAWN);
let drawnUsed = drawn.byteLength;

function newTraceId(): string {
  if (drawnUsed === drawn.byteLength) {
    randomFillSync(drawn);
    drawnUsed = 0;
  }
  drawnUsed += TRACE_ID_BYTES;
  return drawn.toString("hex", drawnUsed - TRACE_ID_BYTES, drawnUsed);
}

/** The trace id that the request's W3C `traceparent` names, or a new one. */
export function traceIdOf(headers: IncomingMessage["headers"]): string {
  const parent = headers["traceparent"];
  if (parent === undefined) return newTraceId();
  const given = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(String(parent))?.[1];
  return given === undefined || /^0+$/.test(given) ? newTraceId() : given;
}

const tooLarge = (bytesMax: number): ConfluxError =>
  new ConfluxError("payload_too_large", `a body has at most ${bytesMax} bytes`);

/** A body that is here already. Rejects with `payload_too_large`. */
export function wholeBody(body: Uint8Array, bytesMax: number): Promise<Uint8Array> {
  return body.byteLength > bytesMax ? Promise.reject(tooLarge(bytesMax)) : Promise.resolve(body);
}

/** The whole body. Rejects with `payload_too_large`, or with the stream's error when the client goes in its middle. */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) return Promise.reject(tooLarge(bytesMax));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    // What follows a refusal goes on being read, to nowhere, until the answer has ended the connection.
    request.on("data", (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size <= bytesMax) chunks.push(chunk);
      else reject(tooLarge(bytesMax));
    });
    request.on("end", () => {
      const [only] = chunks;
      resolve(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks));
    });
    request.on("error", reject);
  });
}

/** A signal for those who wait on the client's behalf: aborted when the response ends, made only when asked for. */
export function goneSignal(response: ReplyTarget): AbortSignal {
  const gone = new AbortController();
  if (response.closed) gone.abort();
  else response.onceClosed(() => gone.abort());
  return gone.signal;
}
