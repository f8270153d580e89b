import type { Command } from "../command/command.ts";
import type { FieldError } from "../command/command-error.ts";
import type { StateView } from "../command/state-view.ts";
import { readConfigByName } from "../config/read-configs.ts";
import type { BundleRequest } from "./bundle.ts";

/** The bundle that a command applies, or asks to be applied; null for every other one. */
export function bundleOf(command: Command): BundleRequest | null {
  const isRequest = command.kind === "request_change" || command.kind === "edit_change";
  const asked = isRequest ? command.payload.operation : command;
  return asked.kind === "apply_bundle" ? asked.payload : null;
}

/**
 * Entries that come with the content of a config that is encrypted: whoever takes commands asks before the log gets one,
 * since what is in the log stays there (K5).
 */
export function findEncrypted(
  state: StateView,
  tenant: string,
  { configs }: Pick<BundleRequest, "configs">,
): FieldError[] {
  return configs.flatMap(({ app, env, name, content, versions }, i) => {
    if ([content, ...versions.map((version) => version.content)].every((c) => c.attachment === null))
      return [];
    const found = readConfigByName(state, { tenant, app, env }, name);
    if (!found.ok || !found.config.encrypted) return [];
    const message = "the config is encrypted: a bundle names its contents by content_hash and never has them";
    return [{ path: `/configs/${i}/content`, message }];
  });
}
