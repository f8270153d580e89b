const TRACE_ID = /^[0-9a-f]{32}$/;
const TRACE_ID_BYTES = 16;
const IDS_DRAWN = 256;
/** The two digits of each byte, one element a byte, in the order that they have in memory. */
const DIGITS = new Uint16Array(
  new TextEncoder().encode(
    Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0")).join(""),
  ).buffer,
);
let drawn = "";
let nextAt = 0;
const NO_TRACE = "0".repeat(32);

/** The trace a request belongs to: the one that `traceparent` (W3C, version 00) names, or a new one. 32 hex digits. */
export function traceIdOf(traceparent: string | null): string {
  if (traceparent !== null && traceparent.length === 55 && traceparent.startsWith("00-")) {
    const traceId = traceparent.slice(3, 35);
    if (TRACE_ID.test(traceId) && traceId !== NO_TRACE) return traceId;
  }
  return drawTraceId();
}

/** Ids are drawn many at a time and cut out of one text: a question to the runtime for each costs more. */
function drawTraceId(): string {
  if (nextAt === drawn.length) {
    drawn = hexOf(crypto.getRandomValues(new Uint8Array(IDS_DRAWN * TRACE_ID_BYTES)));
    nextAt = 0;
  }
  const traceId = drawn.slice(nextAt, nextAt + TRACE_ID_BYTES * 2);
  nextAt += TRACE_ID_BYTES * 2;
  return traceId;
}

/**
 * In one piece: a text put together digit by digit is thousands of small objects. Counted by hand, for it runs so
 * seldom that it is interpreted for long, and an iterator of `entries` costs ten times as much there.
 */
function hexOf(bytes: Uint8Array): string {
  const digits = new Uint16Array(bytes.length);
  for (let i = 0; i < bytes.length; i += 1) digits[i] = DIGITS[bytes[i] ?? 0] ?? 0;
  return new TextDecoder().decode(digits);
}
