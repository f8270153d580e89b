const TRACE_ID = /^[0-9a-f]{32}$/;
const NO_TRACE = "0".repeat(32);

/** The trace a request belongs to: the one its `traceparent` (W3C, version 00) names, or a new one. 32 hex digits. */
export function traceIdOf(request: Request): string {
  const traceparent = request.headers.get("traceparent");
  if (traceparent !== null && traceparent.length === 55 && traceparent.startsWith("00-")) {
    const traceId = traceparent.slice(3, 35);
    if (TRACE_ID.test(traceId) && traceId !== NO_TRACE) return traceId;
  }
  return crypto.randomUUID().replaceAll("-", "");
}
