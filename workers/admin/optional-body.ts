import type { MiddlewareHandler } from "hono";
import type { AdminEnv } from "./principal.ts";

/** For a route whose body may be left out: an empty one is none, though many clients call it JSON all the same. */
export const optionalBody: MiddlewareHandler<AdminEnv> = async (c, next) => {
  if (c.var.bodyBytes.byteLength === 0) {
    const { url, method, headers: sent } = c.req.raw;
    const headers = new Headers(sent);
    headers.delete("content-type");
    c.req.raw = new Request(url, { method, headers });
  }
  await next();
};
