import { commandAskedFor } from "../change-request/change-request.ts";
import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { Command } from "../command/command.ts";
import { contentsOf } from "../command/content-of.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config } from "../config/config.ts";
import { type ConfigIdentity, identityOf } from "./envelope-text.ts";

/**
 * What a core does with a command's contents before the log gets them: passes them on, seals those of encrypted configs
 * for their `identities` (of each of `contentsOf`; null: of no encrypted config), or drops them all, because a config is not
 * there and the answer is a refusal or an earlier result whatever they hold.
 */
export type Sealing =
  | { ok: true; do: "pass" }
  | { ok: true; do: "seal"; identities: (ConfigIdentity | null)[] }
  | { ok: true; do: "drop" };

const PASS: Sealing = { ok: true, do: "pass" };

/**
 * Decides it, so that nothing that is to be encrypted gets into the log as it came (K5). `toBeSealed` is the caller's
 * word, that some content is to be sealed; the configs' must be the same (`malformed_request`). `state` must have applied
 * whatever made the configs. The contents of bundles are another gate's (find-encrypted.ts).
 */
export function sealingOf(state: StateView, command: Command, toBeSealed: boolean): Sealing | Refusal {
  const isRequest = command.kind === "request_change" || command.kind === "edit_change";
  const asked = isRequest ? commandAskedFor(command) : command;
  if (asked.kind === "apply_bundle") {
    return toBeSealed ? refuse("malformed_request", "the contents of a bundle are not sealed") : PASS;
  }
  const contents = contentsOf(asked);
  if (contents.some(({ sealed }) => sealed !== undefined))
    return refuse("malformed_request", "a content is sealed by the core alone");
  if (contents.length === 0) {
    return toBeSealed ? refuse("malformed_request", "the command has no content to seal") : PASS;
  }
  const owners = ownersOf(state, asked);
  const identities: (ConfigIdentity | null)[] = [];
  for (const owner of owners) {
    if (owner === null) return { ok: true, do: "drop" };
    identities.push(owner.encrypted ? identityOf(owner.namespace, owner.name) : null);
  }
  const isSecret = identities.some((identity) => identity !== null);
  if (isSecret !== toBeSealed) {
    const detail = isSecret
      ? "the config is encrypted: its content must come to be sealed"
      : "the config is not encrypted: its content is not to be sealed";
    return refuse("malformed_request", detail);
  }
  return isSecret ? { ok: true, do: "seal", identities } : PASS;
}

type Owner = Pick<Config, "encrypted" | "namespace" | "name">;

/** The config of each of a command's contents; null for one that is not there. */
function ownersOf(state: StateView, command: Command): (Owner | null)[] {
  const find = (id: string): Owner | null => {
    const config = state.json(stateKey.config(id)) as Config | undefined;
    return config?.namespace.tenant === command.tenant ? config : null;
  };
  switch (command.kind) {
    case "create_config":
      return [command.payload];
    case "create_version":
    case "write_draft":
    case "start_publish":
      return [find(command.payload.config_id)];
    case "batch_releases":
      return command.payload.items.flatMap(({ config_id, content }) =>
        content === null ? [] : [find(config_id)],
      );
    default:
      throw new Error(`nobody knows whose content a ${command.kind} has`);
  }
}
