import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { NAME_RULE, parseFullName } from "../../domain/config/config-name.ts";
import type { ParsedLabels } from "../../domain/delivery/client-labels.ts";
import type { Labels } from "../../domain/release-rule/labels.ts";

/** The labels a client claims; `validation_failed` past a limit. */
export function requireLabels(parsed: ParsedLabels): Labels {
  if (parsed.ok) return parsed.labels;
  throw new ConfluxError("validation_failed", "a client label is over a limit", { errors: parsed.errors });
}

/** Refuses what cannot be the full name of a config with `validation_failed` at `path`. */
export function requireConfigName(name: string, path: string): void {
  if (parseFullName(name) !== null) return;
  throw new ConfluxError("validation_failed", "this cannot be the name of a config", {
    errors: [{ path, message: `expected tenant/app/env/name, each ${NAME_RULE}` }],
  });
}

/** The one answer for a config that does not exist, that no rule gives to the client, or that it may not read. */
export function noSuchConfig(): ConfluxError {
  return new ConfluxError("not_found", "there is no such config for this client");
}
