/** A reason not to start that the user can act on: printed as one sentence, without a stack. */
export class StartRefusal extends Error {
  constructor(sentence: string) {
    super(sentence);
    this.name = "StartRefusal";
  }
}

/** The `code` of a system error (`ENOENT`, `EADDRINUSE`), or the empty string for anything else. */
export function systemErrorCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
