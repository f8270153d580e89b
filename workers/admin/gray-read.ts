import type { Context } from "hono";
import type { Consistency } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ConfigHead, VersionHead } from "../../domain/command/command-result.ts";
import { type GrayContent, readGrayContent } from "../../domain/gray-config/gray-content.ts";
import { grayKindOf } from "../../domain/gray-config/gray-kind.ts";
import { PUBLISHES_KEPT_MAX } from "../../domain/limits.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import type { AdminEnv } from "./principal.ts";

/** A version of a typed config, and what its status follows from. */
export interface GrayVersion {
  config: Omit<ConfigHead, "encrypted">;
  version: VersionHead;
  content: GrayContent;
  /** Those that are kept of the config, the newest first. */
  plans: readonly PublishPlan[];
}

/** The columns of a version. Throws `conflict` for one that was not written as a typed config. */
export async function readGrayVersion(
  c: Context<AdminEnv>,
  { namespace, name }: Pick<ConfigHead, "namespace" | "name">,
  version: Pick<VersionHead, "version_id" | "sha256">,
  consistency: Consistency = "leader",
): Promise<GrayContent> {
  const kind = grayKindOf(namespace);
  const { tenant } = namespace;
  const options = { consistency, traceparent: c.var.traceparent };
  const bytes = await c.var.deps.core.getBlob({ tenant, sha256: version.sha256 }, options);
  const content = kind === null ? null : readGrayContent(kind, new TextDecoder().decode(bytes));
  if (content !== null) return content;
  throw new ConfluxError(
    "conflict",
    `version ${version.version_id} of ${name} is no ${kind ?? "typed config"}`,
  );
}

/** Those plans of a config that are kept, the newest first. */
export async function readPlans(
  c: Context<AdminEnv>,
  configId: string,
  consistency: Consistency = "leader",
): Promise<PublishPlan[]> {
  const input = { config_id: configId, limit: PUBLISHES_KEPT_MAX };
  const { items } = await c.var.deps.core.listPublishes(input, {
    consistency,
    traceparent: c.var.traceparent,
  });
  return items;
}

/** The latest version of a typed config. */
export async function readGray(
  c: Context<AdminEnv>,
  config: GrayVersion["config"],
  consistency: Consistency = "leader",
): Promise<GrayVersion> {
  const options = { consistency, traceparent: c.var.traceparent };
  const at = { config_id: config.id, version_id: config.latest_version_id };
  const { version } = await c.var.deps.core.getVersion(at, options);
  const content = await readGrayVersion(c, config, version, consistency);
  return { config, version, content, plans: await readPlans(c, config.id, consistency) };
}
