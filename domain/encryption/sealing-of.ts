import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { Command, CommandOf } from "../command/command.ts";
import { contentOf } from "../command/content-of.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config } from "../config/config.ts";
import { type ConfigIdentity, identityOf } from "./envelope-text.ts";

/**
 * What a core does with a command's content before the log gets it: passes it on, seals it for `identity`, or drops it,
 * because its config is not there and the answer is a refusal or an earlier result whatever it holds.
 */
export type Sealing =
  | { ok: true; do: "pass" }
  | { ok: true; do: "seal"; identity: ConfigIdentity }
  | { ok: true; do: "drop" };

/**
 * Decides it, so that nothing that is to be encrypted gets into the log as it came (K5). `toBeSealed` is the caller's
 * word; the config's must be the same (`malformed_request`). `state` must have applied whatever made the config.
 */
export function sealingOf(state: StateView, command: Command, toBeSealed: boolean): Sealing | Refusal {
  if (command.kind === "batch_releases") return sealingOfBatch(state, command, toBeSealed);
  const content = contentOf(command);
  if (content?.sealed !== undefined)
    return refuse("malformed_request", "a content is sealed by the core alone");
  if (content === null) {
    return toBeSealed ? refuse("malformed_request", "the command has no content to seal") : PASS;
  }
  if (command.kind === "create_config") {
    const { encrypted, namespace, name } = command.payload;
    return decide({ encrypted, identity: identityOf(namespace, name) }, toBeSealed);
  }
  if (!("config_id" in command.payload)) return PASS;
  const config = state.json(stateKey.config(command.payload.config_id)) as Config | undefined;
  if (config === undefined || config.namespace.tenant !== command.tenant) return { ok: true, do: "drop" };
  const { encrypted, namespace, name } = config;
  return decide({ encrypted, identity: identityOf(namespace, name) }, toBeSealed);
}

/** A batch seals nothing: it is refused a content of an encrypted config. */
function sealingOfBatch(
  state: StateView,
  command: CommandOf<"batch_releases">,
  toBeSealed: boolean,
): Sealing | Refusal {
  if (toBeSealed) return refuse("malformed_request", "the contents of a batch are not sealed");
  let drops = false;
  for (const [i, { config_id, content }] of command.payload.items.entries()) {
    if (content === null) continue;
    if (content.sealed !== undefined)
      return refuse("malformed_request", "a content is sealed by the core alone");
    const config = state.json(stateKey.config(config_id)) as Config | undefined;
    if (config === undefined || config.namespace.tenant !== command.tenant) drops = true;
    else if (config.encrypted) {
      const message = "the config is encrypted: make its version by itself, and name it here";
      return refuse("validation_failed", message, [{ path: `/items/${i}/content`, message }]);
    }
  }
  return drops ? { ok: true, do: "drop" } : PASS;
}

const PASS: Sealing = { ok: true, do: "pass" };

function decide(
  { encrypted, identity }: { encrypted: boolean; identity: ConfigIdentity },
  toBeSealed: boolean,
): Sealing | Refusal {
  if (encrypted !== toBeSealed) {
    const detail = encrypted
      ? "the config is encrypted: its content must come to be sealed"
      : "the config is not encrypted: its content is not to be sealed";
    return refuse("malformed_request", detail);
  }
  return encrypted ? { ok: true, do: "seal", identity } : PASS;
}
