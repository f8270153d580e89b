import { ConfluxError } from "../../contracts/problem/error-codes.ts";

/** Errors that name the caller's own pace or a table that is still being made: the same call may succeed later. */
const PASSING = new Set([
  "LimitExceededException",
  "ProvisionedThroughputExceededException",
  "RequestLimitExceeded",
  "ResourceNotFoundException",
  "ThrottlingException",
]);

/** Whether a service answered with a refusal of its own, by its error's name. */
export const isAwsError = (error: unknown, ...names: readonly string[]): boolean =>
  error instanceof Error && "$fault" in error && names.includes(error.name);

/**
 * An SDK error as the caller's: `unavailable` when the service was not reached, failed, or is too busy; any other
 * refusal as it is, because it says that we asked for something wrong.
 */
export function mapAwsError(error: unknown, service: string): unknown {
  const isRefusal = error instanceof Error && "$fault" in error && error.$fault === "client";
  if (isRefusal && !PASSING.has(error.name)) return error;
  if (error instanceof ConfluxError) return error;
  return new ConfluxError("unavailable", `${service} does not answer.`, { cause: error, retryAfterS: 1 });
}
