import type { Context } from "hono";
import type { Consistency } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ConfigHead, VersionHead } from "../../domain/command/command-result.ts";
import { type GrayContent, readGrayContent } from "../../domain/gray-config/gray-content.ts";
import { grayKindOf } from "../../domain/gray-config/gray-kind.ts";
import type { PublishPlan } from "../../domain/publish/publish-plan.ts";
import type { AdminEnv } from "./principal.ts";
import { readPlansSince } from "./read-plans.ts";
import { configNotFound } from "./require-permission.ts";

/** How often a version is read while others edit it. */
const READS_MAX = 3;

/** A version of a typed config, and what its status follows from. */
export interface GrayVersion {
  config: Omit<ConfigHead, "encrypted">;
  version: VersionHead;
  content: GrayContent;
  /** Those that are kept of the config, the newest first, as far back as they can say anything of the version. */
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

/**
 * A version with its columns. Between the two reads somebody may edit a draft, which lets go of what it held: then the
 * version is read again, as it is now. Throws what is told of an id that never was when its config has gone, too.
 */
export async function readGrayWhole(
  c: Context<AdminEnv>,
  config: Pick<ConfigHead, "id" | "namespace" | "name">,
  version: VersionHead,
  consistency: Consistency = "leader",
): Promise<Pick<GrayVersion, "version" | "content">> {
  let head = version;
  for (let reads = 1; reads <= READS_MAX; reads += 1) {
    try {
      // Whoever is content with what is old is not with what does not fit together.
      const of = reads === 1 ? consistency : "leader";
      return { version: head, content: await readGrayVersion(c, config, head, of) };
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    head = await readVersionHead(c, config.id, version.version_id);
  }
  throw new ConfluxError("unavailable", `${config.name} is being edited: ask again`);
}

/** A version of a config that was there a moment ago, by its number; without one, the config is what is gone. */
export async function readVersionHead(
  c: Context<AdminEnv>,
  config_id: string,
  version_id: number,
): Promise<VersionHead> {
  try {
    const at = { config_id, version_id };
    return (await c.var.deps.core.getVersion(at, { traceparent: c.var.traceparent })).version;
  } catch (error) {
    if (isNotFound(error)) throw configNotFound(config_id);
    throw error;
  }
}

const isNotFound = (error: unknown): boolean => error instanceof ConfluxError && error.code === "not_found";

/** The latest version of a typed config. */
export async function readGray(
  c: Context<AdminEnv>,
  config: GrayVersion["config"],
  consistency: Consistency = "leader",
): Promise<GrayVersion> {
  const options = { consistency, traceparent: c.var.traceparent };
  const at = { config_id: config.id, version_id: config.latest_version_id };
  const { version } = await c.var.deps.core.getVersion(at, options);
  const whole = await readGrayWhole(c, config, version, consistency);
  return { config, ...whole, plans: await readPlansSince(c, config.id, version.created_at_ms, consistency) };
}
