import type { Command } from "commander";
import { rewrapAnswer } from "../contracts/encryption/rewrap-api.ts";
import type { CliIo } from "./cli-io.ts";
import { declareVerb } from "./declare-verb.ts";

/** `conflux encryption rewrap demo/shop`: page after page until all is done. */
export function registerEncryptionRewrap(group: Command, io: CliIo): void {
  const command = group
    .command("rewrap")
    .description("wrap data keys anew after a KMS key was rotated or changed")
    .argument("<scope>", "tenant, tenant/app, tenant/app/env or tenant/app/env/name")
    .option("--cursor <cursor>", "go on where an earlier run has stopped");
  declareVerb(command, io, async ({ api, args, flags, show }) => {
    const [tenant = "", app, env, name] = (args[0] ?? "").split("/");
    const scope = { tenant, ...(app && { app }), ...(env && { env }), ...(name && { name }) };
    let cursor = (flags["cursor"] as string | undefined) ?? null;
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
  });
}
