import type { Context } from "hono";
import type { Position } from "../../contracts/core/core-api.ts";
import type { ChangeRequestHead } from "../../domain/change-request/change-request.ts";
import { viewChangeRequest } from "./change-views.ts";
import { writtenIndex } from "./command-head.ts";
import type { AdminEnv } from "./principal.ts";

interface Written extends Position {
  replayed: boolean;
  result: { request: ChangeRequestHead; warnings?: string[] };
}

/** What every write of a change request answers: the request as it is now, and the index. */
export async function answerChangeRequest(c: Context<AdminEnv>, answer: Written) {
  const { request, warnings = [] } = answer.result;
  const view = viewChangeRequest(request, Date.now());
  c.header("etag", view.etag);
  return { ...view, index: await writtenIndex(c, answer), warnings };
}
