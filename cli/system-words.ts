import { getSystemErrorMap } from "node:util";

/** Why the system refused something, in its own words and without Node's around them: "no such file or directory". */
export function systemWords(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  const words = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  return words ?? message;
}

/** Whether it is the system that refused. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).errno === "number";
}
