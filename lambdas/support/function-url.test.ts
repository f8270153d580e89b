import { expect, it } from "vitest";
import { ConfluxError, type ErrorCode, STATUS_BY_CODE } from "../../contracts/problem/error-codes.ts";
import { problemAnswer } from "./function-url.ts";

it.each(Object.keys(STATUS_BY_CODE) as ErrorCode[])(
  "L0 a refusal by %s says when to try again if it is a 503",
  (code) => {
    const { statusCode, headers } = problemAnswer(new ConfluxError(code, "why"), "0".repeat(32));
    expect(headers["retry-after"]).toBe(statusCode === 503 ? "1" : undefined);
  },
);
