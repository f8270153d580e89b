import { CliError, EXIT } from "./cli-io.ts";

/** A node id of the command line. Throws a `CliError` (usage). */
export function nodeIdOf(text: string | undefined): number {
  if (text !== undefined && /^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new CliError(EXIT.usage, `"${text ?? ""}" is no node id: a positive whole number`);
}
