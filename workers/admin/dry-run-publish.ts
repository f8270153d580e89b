import type { Context } from "hono";
import type { z } from "zod";
import { compileRulePattern } from "../../adapters/rule-pattern/compile-rule-pattern.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { publishPreview } from "../../contracts/publish/publish-schemas.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import type { Config } from "../../domain/config/config.ts";
import { previewPublish } from "../../domain/publish/preview-publish.ts";
import { isRunning, type PublishPlan } from "../../domain/publish/publish-plan.ts";
import type { AdminEnv } from "./principal.ts";
import { warnOfDefault } from "./warn-of-default.ts";
import { warnOfStageBlanks } from "./warn-of-blanks.ts";
import { warnOfStageRegions } from "./warn-of-regions.ts";

/** Refuses clients to say something of in a request that writes. */
export function refuseClients(clients: readonly unknown[] | undefined): void {
  if (clients === undefined) return;
  const message = "only with dry_run=true";
  throw new ConfluxError("validation_failed", message, { errors: [{ path: "/clients", message }] });
}

/**
 * Who would get what if the plan began now: a client without labels and those asked for, in every region that is known or
 * that a stage names. Throws what the plan would be refused for, and writes nothing.
 */
export async function dryRunPublish(
  c: Context<AdminEnv>,
  {
    config,
    command,
    content,
    clients,
  }: {
    config: Config;
    command: CommandOf<"start_publish">;
    content: Uint8Array | null;
    clients: readonly Record<string, string>[];
  },
): Promise<z.output<typeof publishPreview>> {
  const { regions: known } = c.var.deps;
  const running = await findRunning(c, config);
  const { version_id: asked, stages } = command.payload;
  const versions = new Set(config.releases.map(({ version_id }) => version_id));
  if (asked !== null && (await isThere(c, config.id, asked))) versions.add(asked);
  const unknown = new Set(
    stages.flatMap(({ regions }) => regions ?? []).filter((name) => !known.includes(name)),
  );
  const preview = previewPublish({
    config,
    running,
    versions: [...versions],
    command,
    content,
    regions: [...known, ...unknown],
    clients: [{}, ...clients],
    compilePattern: compileRulePattern,
  });
  if (!preview.ok) {
    throw new ConfluxError(preview.code, preview.detail, { errors: preview.errors ?? [] });
  }
  const warnings = [
    ...preview.warnings,
    ...warnOfDefault(config.releases, preview.version_id),
    ...warnOfStageBlanks(stages),
    ...warnOfStageRegions(stages, known),
  ];
  return { dry_run: true, version_id: preview.version_id, steps: preview.steps, warnings };
}

async function isThere(c: Context<AdminEnv>, config_id: string, version_id: number): Promise<boolean> {
  try {
    await c.var.deps.core.getVersion({ config_id, version_id }, { traceparent: c.var.traceparent });
    return true;
  } catch (error) {
    if (error instanceof ConfluxError && error.code === "not_found") return false;
    throw error;
  }
}

/** The plan that owns rules of the config; null when none does, or it has ended since the config was read. */
async function findRunning(c: Context<AdminEnv>, { releases }: Config): Promise<PublishPlan | null> {
  const id = releases.find(({ publish_id }) => publish_id !== undefined)?.publish_id;
  if (id === undefined) return null;
  const { publish } = await c.var.deps.core.getPublish(id, { traceparent: c.var.traceparent });
  return isRunning(publish) ? publish : null;
}
