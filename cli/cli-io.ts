import type { ErrorCode } from "../contracts/problem/error-codes.ts";

/** What a verb may touch of the world; tests give it another one. */
export interface CliIo {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** Whether standard output is a terminal: only then is anything coloured. */
  isTerminal: boolean;
  out(text: string): void;
  err(text: string): void;
  fetch: typeof fetch;
}

/** How the command ends; scripts rely on the numbers. */
export const EXIT = {
  ok: 0,
  /** The request was understood and refused, or what was asked for is not done yet. */
  refused: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A dry run found something to do; never said by a verb whose command line may be wrong (`apply` says 1 for that). */
  changes: 2,
  /** Nobody answered, or who answered cannot now: trying again may help. */
  unavailable: 3,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with a sentence on standard error. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  /** What the API refused the request with; undefined when it was not the API that did. */
  readonly code: ErrorCode | undefined;
  constructor(exitCode: ExitCode, message: string, options?: { cause?: unknown; code?: ErrorCode }) {
    super(message, options);
    this.name = "CliError";
    this.exitCode = exitCode;
    this.code = options?.code;
  }
}

/** Ends the command with a number of its own, after it has said all there is to say. */
export class CliOutcome extends Error {
  readonly exitCode: ExitCode;
  constructor(exitCode: ExitCode) {
    super(`ends with ${exitCode}`);
    this.name = "CliOutcome";
    this.exitCode = exitCode;
  }
}
