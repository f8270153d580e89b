import { type Refusal, refuse } from "../command/apply-verb.ts";
import type { Command } from "../command/command.ts";
import { stateKey, type StateView } from "../command/state-view.ts";
import type { Config } from "./config.ts";

/**
 * The config that a command changes. Refuses `not_found` when there is none, or when it is another tenant's (the same
 * answer, so that ids tell nothing), and `precondition_failed` when the command names another revision (C12).
 */
export function findConfig(
  state: StateView,
  command: Pick<Command, "tenant" | "expected_revision">,
  configId: string,
): { ok: true; config: Config } | Refusal {
  const config = state.json(stateKey.config(configId)) as Config | undefined;
  if (config === undefined || config.namespace.tenant !== command.tenant) {
    return refuse("not_found", `no config ${configId}`);
  }
  if (command.expected_revision !== null && command.expected_revision !== config.revision) {
    return refuse("precondition_failed", `the config has changed: its revision is ${config.revision}`);
  }
  return { ok: true, config };
}
