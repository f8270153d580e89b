/** A variable is missing or makes no sense; the message says which, and what would. */
export class EnvironmentError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "EnvironmentError";
  }
}
