import { parseArgs, type ParseArgsConfig } from "node:util";

/** What is wrong with a command line, in a sentence. */
export class UsageError extends Error {}

/**
 * Runs a program's reading of its command line: prints `help` and ends with 0 when it is asked for by `--help` or `-h`, and
 * says what is wrong, with `help` below it, and ends with 2 for a `UsageError` and for what `parseArgs` does not know.
 */
export function readCommandLine<T extends ParseArgsConfig, R>(
  config: T,
  help: string,
  read: (parsed: ReturnType<typeof parseArgs<T>>) => R,
): R {
  if (process.argv.slice(2).some((argument) => argument === "--help" || argument === "-h")) {
    console.log(help);
    process.exit(0);
  }
  try {
    return read(parseArgs(config));
  } catch (error) {
    if (!isUsageError(error)) throw error;
    return endWith(error, help);
  }
}

function endWith({ message }: Error, help: string): never {
  // Of Node's own words the first sentence: the rest is about how it would have to be quoted.
  console.error(`${message.split(/\.?(?:\n|\. |$)/, 1)[0]}.\n\n${help}`);
  process.exit(2);
}

function isUsageError(error: unknown): error is Error {
  if (error instanceof UsageError) return true;
  return error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}
