import type { Context } from "hono";
import type { Position } from "../../contracts/core/core-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { ConfigHead } from "../../domain/command/command-result.ts";
import { bakedAtMs, currentStage, publishIdOf, type PublishPlan } from "../../domain/publish/publish-plan.ts";
import { configEtag, writtenIndex } from "./command-head.ts";
import { toTime } from "./config-views.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import { readGrayVersion, readVersionHead } from "./gray-read.ts";
import { type GrayResource, isOf } from "./gray-resources.ts";
import { viewGray } from "./gray-views.ts";
import type { AdminEnv } from "./principal.ts";
import { readNewestPlan } from "./read-plans.ts";
import type { PublishForMove } from "./find-publish.ts";

interface PlanAnswer extends Position {
  replayed: boolean;
  result: { publish: PublishPlan; config: ConfigHead };
}

/** What a move of a typed config's plan answers: the version that it brings, as it stands after the move. */
export async function answerGrayPlan(
  c: Context<AdminEnv>,
  resource: GrayResource,
  answer: PlanAnswer,
  warnings: string[] = [],
): Promise<Record<string, unknown>> {
  const { publish, config } = answer.result;
  const { regions } = c.var.deps;
  const version = await readVersionHead(c, config.id, publish.version_id);
  const content = await readGrayVersion(c, config, version);
  const etag = configEtag(config.revision);
  const dueAtMs = bakedAtMs(publish);
  c.header("etag", etag);
  return {
    ...viewGray(resource, { config, version, content, plans: [publish] }, regions),
    publish_id: publish.id,
    stage: currentStage(publish)?.name ?? null,
    due_at: dueAtMs === null ? null : toTime(dueAtMs),
    warnings,
    etag,
    index: await writtenIndex(c, answer),
  };
}

/**
 * The plan that a request to a typed config moves: the newest one, running or not, since the core may have the first result
 * of a request that ended it. `If-Match` names the config's ETag. Refuses `invalid_transition` when nothing was published.
 */
export async function findGrayPlan(
  c: Context<AdminEnv>,
  resource: GrayResource,
  id: string,
): Promise<PublishForMove & { publishId: string }> {
  const { config, live, revision } = await findConfigForWrite(c, id, isOf(resource));
  const { namespace, name } = config;
  const of = { tenant: namespace.tenant, namespace, name };
  // Its plans went with it.
  if (live === null)
    return { ...of, publishId: publishIdOf(config.id, 0), stage: 1, revision: null, live: null };
  const plan = await readNewestPlan(c, config.id);
  if (plan === undefined) {
    throw new ConfluxError("invalid_transition", "nothing is being published: publish a version first");
  }
  // No plan has the revision 0: another config than the one that was meant is refused, or repeated from memory.
  const planRevision = revision === live.revision ? plan.revision : 0;
  return {
    ...of,
    publishId: plan.id,
    stage: Math.max(plan.stage, 1),
    revision: revision === null ? null : planRevision,
    live: plan,
  };
}
