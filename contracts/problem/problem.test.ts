import { describe, expect, it } from "vitest";
import { ConfluxError, type ErrorCode, STATUS_BY_CODE } from "./error-codes.ts";
import { problemResponse, RETRY_AFTER_DEFAULT_S } from "./problem.ts";

const TRACE_ID = "0".repeat(32);
const CODES = Object.keys(STATUS_BY_CODE) as ErrorCode[];

describe("Retry-After of a problem", () => {
  it.each(CODES)("%s has one exactly when its status is 503", async (code) => {
    const response = problemResponse(new ConfluxError(code, "why"), TRACE_ID);
    expect(response.headers.get("retry-after")).toBe(
      response.status === 503 ? String(RETRY_AFTER_DEFAULT_S) : null,
    );
    expect(await response.json()).toMatchObject({ code, status: STATUS_BY_CODE[code] });
  });

  it.each(CODES)("%s says the time that whoever refused has named", (code) => {
    const response = problemResponse(new ConfluxError(code, "why", { retryAfterS: 7 }), TRACE_ID);
    expect(response.headers.get("retry-after")).toBe("7");
  });
});
