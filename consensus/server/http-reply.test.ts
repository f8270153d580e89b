import { expect, it } from "vitest";
import { ConfluxError, type ErrorCode, STATUS_BY_CODE } from "../../contracts/problem/error-codes.ts";
import { CommonHeads, sendRefusal } from "./http-reply.ts";
import type { ReplyTarget } from "./reply-target.ts";

it.each(Object.keys(STATUS_BY_CODE) as ErrorCode[])(
  "R14 a refusal by %s says when to try again if it is a 503",
  (code) => {
    let fields: readonly string[] = [];
    const target: ReplyTarget = {
      headersSent: false,
      closed: false,
      destroyed: false,
      statusCode: 0,
      destroy: () => undefined,
      onceClosed: () => undefined,
      send: ({ own }) => {
        fields = own;
      },
    };
    const context = { heads: new CommonHeads(1), traceId: "0".repeat(32), isLast: false };
    sendRefusal(target, new ConfluxError(code, "why"), null, context);
    const at = fields.indexOf("retry-after");
    expect(at < 0 ? null : fields[at + 1]).toBe(STATUS_BY_CODE[code] === 503 ? "1" : null);
  },
);
