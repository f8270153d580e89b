import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ChangeRequest } from "../../domain/change-request/change-request.ts";
import { expectedRevision } from "./command-head.ts";
import type { AdminEnv } from "./principal.ts";

/**
 * Proposes a step with exactly the change request whose configs the caller was asked about. `digest` is the caller's word, and
 * can be made before there is such a request: were the request edited after it was read here, the step would be one with
 * what nobody asked about. A caller who names another digest than was read is refused (`precondition_failed`), unless the
 * log has the answer to a repetition.
 */
export async function asDigested<T>(
  c: Context<AdminEnv>,
  request: ChangeRequest,
  digest: string,
  propose: (revision: number | null) => Promise<T>,
): Promise<T> {
  if (digest === request.digest) return propose(expectedRevision(c, request));
  try {
    // No request has the revision 0.
    return await propose(0);
  } catch (error) {
    const isRefused = error instanceof ConfluxError && error.code === "precondition_failed";
    if (!isRefused) throw error;
    const detail = `the change request has another digest now: ${request.digest}`;
    throw new ConfluxError("precondition_failed", detail, { cause: error });
  }
}
