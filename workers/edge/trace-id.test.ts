import { describe, expect, it } from "vitest";
import { traceIdOf } from "./trace-id.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

describe("traceIdOf", () => {
  it("M2 goes on with the trace of a request", () => {
    expect(traceIdOf(`00-${TRACE}-b7ad6b7169203331-01`)).toBe(TRACE);
  });

  it.each([
    null,
    "",
    `00-${TRACE}-b7ad6b7169203331`,
    `01-${TRACE}-b7ad6b7169203331-01`,
    `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`,
    `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
  ])("M2 begins a new one for %j", (traceparent) => {
    const traceId = traceIdOf(traceparent);
    expect(traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(traceId).not.toBe(TRACE);
  });

  it("M2 never draws one twice, also over the end of a block", () => {
    const drawn = Array.from({ length: 2_000 }, () => traceIdOf(null));
    expect(new Set(drawn).size).toBe(drawn.length);
    for (const traceId of drawn) expect(traceId).toMatch(/^[0-9a-f]{32}$/);
  });
});
