import type { MiddlewareHandler } from "hono";
import { findRefusal } from "./find-refusal.ts";
import type { AdminEnv } from "./principal.ts";

/** Hands every refusal that the audit is about (find-refusal.ts) on, once the answer is made. */
export const auditRefusals: MiddlewareHandler<AdminEnv> = async (c, next) => {
  await next();
  const refusal = findRefusal(c);
  if (refusal !== null) c.var.deps.noteRefusal(c, refusal);
};
