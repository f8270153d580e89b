import { ConfluxError } from "../../contracts/problem/error-codes.ts";

/** A dependency that is away: retry soon. */
export function unavailable(detail: string, cause?: unknown): ConfluxError {
  return new ConfluxError("unavailable", detail, {
    retryAfterS: 1,
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * What `work` resolves with, or an `unavailable` error when it takes longer than `deadlineMs` or rejects with anything
 * but a `ConfluxError`. The work itself goes on; its late outcome is of no interest to this request.
 */
export async function withDeadline<T>(work: Promise<T>, deadlineMs: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(unavailable(`${what} did not answer within ${deadlineMs} ms`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    throw error instanceof ConfluxError ? error : unavailable(`${what} is away`, error);
  } finally {
    clearTimeout(timer);
  }
}
