import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { z } from "zod";
import { changeHeaders, idParams } from "../../contracts/config/fields.ts";
import { grayPublishRequest } from "../../contracts/gray/gray-api.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import { publishPreview, publishQuery, stageNameAt } from "../../contracts/publish/publish-schemas.ts";
import type { Config } from "../../domain/config/config.ts";
import { DEFAULT_GRAY_GROUPS } from "../../domain/gray-config/gray-stages.ts";
import { readGrayVersionId } from "../../domain/gray-config/gray-version-id.ts";
import { isRunning } from "../../domain/publish/publish-plan.ts";
import { defaultVersion } from "../../domain/release-rule/default-rule.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { dryRunPublish, refuseClients } from "./dry-run-publish.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import { answerGrayPlan } from "./gray-plan.ts";
import { type GrayResource, grayAccess, isOf } from "./gray-resources.ts";
import { optionalBody } from "./optional-body.ts";
import type { AdminEnv } from "./principal.ts";
import { proposePlan } from "./publish-start.ts";
import { readNewestPlan } from "./read-plans.ts";
import { readStages } from "./read-publish-stages.ts";
import { configNotFound } from "./require-permission.ts";
import { warnOfStageBlanks } from "./warn-of-blanks.ts";
import { warnOfStageRegions } from "./warn-of-regions.ts";

/** P2: the first stage of a version; without stages of its own those of seed 000. */
export function registerGrayPublish(app: OpenAPIHono<AdminEnv>, resource: GrayResource): void {
  const route = declareRoute(
    { action: "publish", resource: grayAccess(resource) },
    {
      method: "post",
      path: `${resource.path}/{id}/publish`,
      tags: ["typed configs"],
      summary: `Publish one ${resource.word} stage by stage`,
      description:
        "The regions of the first stage get the version, all others what they had. 409 publish_running while another version is on its way, unless abort_plan=true ends that; 409 invalid_transition for a version that is full already. It is a publish plan like any other: /mgt/publishes pauses and resumes it. dry_run=true writes nothing and says who would get which version, by its number.",
      middleware: [optionalBody],
      request: {
        params: idParams,
        headers: changeHeaders,
        query: publishQuery,
        body: { required: false, content: json(grayPublishRequest) },
      },
      responses: {
        200: { description: "With dry_run=true: who would get what", content: json(publishPreview) },
        202: { description: "Begun", content: json(resource.views.published) },
      },
    },
  );
  app.openapi(route, async (c) => {
    // Without a body there is nothing that was validated.
    const body = grayPublishRequest.parse(c.req.valid("json"));
    const { config, live, revision } = await findConfigForWrite(c, c.req.valid("param").id, isOf(resource));
    const version = live === null ? 1 : versionOf(live, body.version_id);
    const refused = live === null ? null : await refusalOf(c, live, version);
    const strategy = strategyOf(body);
    const { make_default_after_mins, clients } = body;
    const query = c.req.valid("query");
    const command = {
      // No config has the revision 0: what is to be refused is proposed all the same, since the log may have its result.
      ...(await commandHead(c, config.namespace.tenant, refused === null ? revision : 0)),
      ...(await breakGlass(c, config)),
      kind: "start_publish" as const,
      payload: {
        config_id: config.id,
        content: null,
        version_id: version,
        description: body.description,
        strategy: strategy.type,
        stages: await readStages(c, { strategy, make_default_after_mins }, config),
        form: 2 as const,
        ...(query.abort_plan === "true" ? { abort_plan: true } : {}),
      },
    };
    if (query.dry_run === "true") {
      if (live === null) throw configNotFound(config.id);
      if (refused !== null) throw refused;
      const asked = { config: live, command, content: null, clients: clients ?? [] };
      return c.json(await dryRunPublish(c, asked), 200);
    }
    refuseClients(clients);
    try {
      const answer = await proposePlan(c, { command, attachments: [], seal: undefined });
      const { publish, warnings } = answer.result;
      const said = [
        ...warnings,
        ...warnOfStageBlanks(publish.stages),
        ...warnOfStageRegions(publish.stages, c.var.deps.regions),
      ];
      return c.json(await answerGrayPlan(c, resource, answer, said), 202);
    } catch (error) {
      const isRefused = error instanceof ConfluxError && error.code === "precondition_failed";
      throw isRefused && refused !== null ? refused : error;
    }
  });
}

/** The number of the version that a request names; the latest when it names none. */
function versionOf(config: Config, named: string | undefined): number {
  if (named === undefined) return config.latest_version_id;
  const read = readGrayVersionId(named);
  if (read?.configId === config.id) return read.version;
  throw new ConfluxError("validation_failed", "no such version", {
    errors: [{ path: "/version_id", message: `a version_id of ${config.id}, as its versions list has them` }],
  });
}

/** Why there is nothing to publish; null when there is. */
async function refusalOf(
  c: Context<AdminEnv>,
  config: Config,
  version: number,
): Promise<ConfluxError | null> {
  if (defaultVersion(config.releases) !== version) return null;
  const newest = await readNewestPlan(c, config.id);
  // Then the core says that one runs, or ends it.
  if (newest !== undefined && isRunning(newest)) return null;
  return new ConfluxError(
    "invalid_transition",
    "the version is full already: edit it to make the next draft",
  );
}

type Strategy = Parameters<typeof readStages>[1]["strategy"];

function strategyOf({ strategy, stages }: z.output<typeof grayPublishRequest>): Strategy {
  if (strategy !== undefined) return strategy;
  const given: NonNullable<typeof stages> =
    stages ?? DEFAULT_GRAY_GROUPS.map((regions) => ({ regions: [...regions] }));
  const named = given.map(({ name, ...stage }, i) => ({ ...stage, name: name ?? stageNameAt(i) }));
  return { type: "staged", stages: named };
}
