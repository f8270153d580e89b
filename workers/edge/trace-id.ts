const TRACE_ID = /^[0-9a-f]{32}$/;
const TRACE_ID_BYTES = 16;
const IDS_DRAWN = 256;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));
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
    drawn = "";
    for (const byte of crypto.getRandomValues(new Uint8Array(IDS_DRAWN * TRACE_ID_BYTES))) drawn += HEX[byte];
    nextAt = 0;
  }
  const traceId = drawn.slice(nextAt, nextAt + TRACE_ID_BYTES * 2);
  nextAt += TRACE_ID_BYTES * 2;
  return traceId;
}
