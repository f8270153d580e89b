import type { Context } from "hono";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { type Config, type DeletedConfig } from "../../domain/config/config.ts";
import { fullName } from "../../domain/config/config-name.ts";
import { isDraft } from "../../domain/gray-config/find-draft.ts";
import { grayResourceOf } from "./gray-resources.ts";
import type { AdminEnv } from "./principal.ts";
import { readPlansSince } from "./read-plans.ts";

/**
 * Refuses (`validation_failed`) a typed config where contents and rules are written without its kind: its routes below
 * `/gray` check its columns, seal its secret and publish it by plans alone (P1). `path` is what to blame in the body.
 */
export function refuseTyped({ namespace, name }: Pick<DeletedConfig, "namespace" | "name">, path = ""): void {
  const resource = grayResourceOf(namespace);
  if (resource === null) return;
  const message = `${fullName(namespace, name)} is a typed config: write it through ${resource.path}`;
  throw new ConfluxError("validation_failed", message, { errors: [{ path, message }] });
}

/** Refuses to put a draft of a typed config before everyone at once, without a plan: it would be none any more. */
export async function refuseDraftOfTyped(
  c: Context<AdminEnv>,
  config: Config,
  version: number,
): Promise<void> {
  if (grayResourceOf(config.namespace) === null || version !== config.latest_version_id) return;
  const at = { config_id: config.id, version_id: version };
  const { version: latest } = await c.var.deps.core.getVersion(at, { traceparent: c.var.traceparent });
  const plans = await readPlansSince(c, config.id, latest.created_at_ms);
  if (isDraft(config, latest, plans)) refuseTyped(config, "/version_id");
}
