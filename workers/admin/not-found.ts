import type { Context, Hono } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { problemResponse } from "../../contracts/problem/problem.ts";
import type { AdminEnv } from "./principal.ts";

/** Answers what no route has answered: 405 with `Allow` when the path has other methods, 404 otherwise. */
export function answerUnrouted(app: Hono<AdminEnv>): (c: Context<AdminEnv>) => Response {
  let known: { method: string; pattern: RegExp }[] | undefined;
  return (c) => {
    known ??= app.routes
      .filter((route) => route.method !== "ALL")
      .map(({ method, path }) => ({ method, pattern: toPattern(path) }));
    const methods = new Set(known.filter((r) => r.pattern.test(c.req.path)).map((r) => r.method));
    if (methods.size === 0) {
      return problemResponse(new ConfluxError("not_found", `no route ${c.req.path}`), c.var.traceId);
    }
    const allow = [...methods].toSorted().join(", ");
    const error = new ConfluxError("method_not_allowed", `${c.req.path} answers ${allow}`);
    const response = problemResponse(error, c.var.traceId);
    response.headers.set("allow", allow);
    return response;
  };
}

function toPattern(path: string): RegExp {
  const literal = path.replaceAll(/[.*+?^$()|[\]\\]/g, String.raw`\$&`);
  // A colon in the middle of a segment is itself, as to the router.
  return new RegExp(`^${literal.replaceAll(/(?<=\/):[A-Za-z_]+/g, "[^/]+")}$`);
}
