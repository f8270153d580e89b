import type { Command } from "commander";
import { rewrapAnswer } from "../contracts/encryption/rewrap-api.ts";
import { CliError, type CliIo, EXIT } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";

const SEGMENTS = ["tenant", "app", "env", "name"];
const SCOPES = "tenant, tenant/app, tenant/app/env or tenant/app/env/name";

/** `conflux encryption rewrap demo/shop`: page after page until all is done. */
export function registerEncryptionRewrap(group: Command, io: CliIo): void {
  const command = group
    .command("rewrap")
    .description("wrap data keys anew after a KMS key was rotated or changed")
    .argument("<scope>", SCOPES)
    .option("--cursor <cursor>", "go on where an earlier run has stopped");
  declareVerb(command, io, async ({ api, args, flags, show }) => {
    const place = args[0] ?? "";
    const scope = scopeOf(place);
    const begun = (flags["cursor"] as string | undefined) ?? null;
    let cursor = begun;
    let rewrapped = 0;
    do {
      let page;
      try {
        page = rewrapAnswer.parse(await api.post("/mgt/encryption/rewrap", { ...scope, cursor }));
      } catch (error) {
        if (cursor !== null) io.err(`${rewrapped} data keys are done; go on with --cursor ${cursor}`);
        throw error;
      }
      rewrapped += page.rewrapped;
      cursor = page.resume_cursor;
    } while (cursor !== null);
    show({ rewrapped }, () => io.out(`wrapped ${rewrapped} data keys anew`));
    // Behind a cursor there may be none left.
    if (rewrapped > 0 || begun !== null) return;
    throw new CliError(EXIT.refused, `nothing encrypted was found in ${place}: no config, no secret`);
  });
}

/** What `tenant/app/env/name`, or a beginning of it, means. Throws a `CliError` (usage). */
function scopeOf(place: string): Record<string, string> {
  const segments = place.split("/");
  if (segments.length > SEGMENTS.length || segments.includes("")) {
    throw new CliError(EXIT.usage, `"${place}" is no scope: ${SCOPES}`);
  }
  return Object.fromEntries(segments.map((segment, i) => [SEGMENTS[i], segment]));
}
