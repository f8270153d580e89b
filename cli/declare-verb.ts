import type { Command } from "commander";
import { type AdminApi, openAdminApi } from "./admin-api.ts";
import type { CliIo } from "./cli-io.ts";
import { findTarget } from "./find-target.ts";

/** Options that every verb takes. */
interface CommonFlags {
  url?: string;
  token?: string;
  json?: boolean;
}

/** What a verb is given. */
export interface VerbContext {
  io: CliIo;
  api: AdminApi;
  /** Arguments in the order declared; an optional one that is missing is undefined. */
  args: (string | undefined)[];
  flags: Record<string, unknown>;
  /** Prints the answer as JSON where `--json` was given, else by `human`. */
  show: <T>(answer: T, human: (answer: T) => void) => void;
}

/** Adds the common options to a verb and runs it. One verb a file: `register...(group, io)`. */
export function declareVerb(
  command: Command,
  io: CliIo,
  run: (context: VerbContext) => Promise<void>,
): Command {
  return command
    .option("--url <address>", "of the admin API (CONFLUX_ADMIN_URL, else the local stack's)")
    .option("--token <token>", "an access token (CONFLUX_TOKEN, else the local stack's)")
    .option("--json", "answer as JSON, for programs")
    .action(async (...given: unknown[]) => {
      // Commander gives the arguments, then the options, then the command.
      const flags = command.opts<CommonFlags & Record<string, unknown>>();
      const args = given.slice(0, -2) as (string | undefined)[];
      const api = openAdminApi(io, findTarget(io, flags));
      await run({
        io,
        api,
        args,
        flags,
        show: (answer, human) => {
          if (flags.json === true) io.out(JSON.stringify(answer));
          else human(answer);
        },
      });
    });
}
