import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { z } from "zod";
import { changeHeaders, idParams } from "../../contracts/config/fields.ts";
import {
  publishPreview,
  publishQuery,
  publishRequest,
  publishStarted,
} from "../../contracts/publish/publish-schemas.ts";
import { ConfluxError } from "../../contracts/problem/error-codes.ts";
import type { CommandOf } from "../../domain/command/command.ts";
import { fullName } from "../../domain/config/config-name.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { dryRunPublish, refuseClients } from "./dry-run-publish.ts";
import { sealUnder, withoutQuotes } from "./encryption-keys.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import { judgeAnew, judgedBy, namesRevision, proposeJudged } from "./judged-content.ts";
import type { AdminEnv } from "./principal.ts";
import { viewPublish } from "./publish-views.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent, validateContent } from "./read-content.ts";
import { refuseTyped } from "./refuse-typed.ts";
import { readStages } from "./read-publish-stages.ts";
import { configNotFound, requirePermission } from "./require-permission.ts";
import { warnOfDefault } from "./warn-of-default.ts";
import { warnOfStageBlanks } from "./warn-of-blanks.ts";
import { warnOfStageRegions } from "./warn-of-regions.ts";

const route = declareRoute(
  { action: "publish", resource: "{tenant}/{app}/{env}/{name}", also: "write on it, with content" },
  {
    method: "post",
    path: "/api/v1/mgt/configs/{id}/publish",
    tags: ["publishes"],
    summary: "Publish a version by a plan",
    description:
      "Makes the version and its first release rule in one command. The clients of the first stage get the new version, all others the old one, until the plan is advanced (by hand, or by itself when the stage has baked) to the next stage and at last to everyone, or aborted. One plan a config runs at a time: 409 publish_running, unless abort_plan=true ends the one that runs. dry_run=true writes nothing and says who would get what. With content the caller also needs the permission write.",
    request: {
      params: idParams,
      headers: changeHeaders,
      query: publishQuery,
      body: { required: true, content: json(publishRequest) },
    },
    responses: {
      200: { description: "With dry_run=true: who would get what", content: json(publishPreview) },
      202: {
        description: "Begun; warnings name regions that are not known and rules that stay as they are",
        content: json(publishStarted),
      },
    },
  },
);

/** C7: one command, no version without its plan. */
export function registerPublishStart(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const query = c.req.valid("query");
    const read = () =>
      readStart(c, { id: c.req.valid("param").id, body, abort: query.abort_plan === "true" });
    if (query.dry_run === "true") {
      const { config, live, command, content } = await read();
      if (live === null) throw configNotFound(config.id);
      const asked = { config: live, command, content, clients: body.clients ?? [] };
      return c.json(await dryRunPublish(c, asked), 200);
    }
    const propose = async () => {
      const { command, content, seal } = await read();
      refuseClients(body.clients);
      return proposePlan(c, { command, attachments: content === null ? [] : [content], seal });
    };
    const answer = await judgeAnew(propose, { isOfRevision: namesRevision(c) });
    const { publish, config: changed, warnings } = answer.result;
    const view = viewPublish(publish);
    c.header("etag", view.etag);
    c.header("location", `/api/v1/mgt/publishes/${view.publish_id}`);
    return c.json(
      {
        ...view,
        index: await writtenIndex(c, answer),
        warnings: [
          ...warnings,
          ...warnOfDefault(changed.releases, publish.version_id),
          ...warnOfStageBlanks(publish.stages),
          ...warnOfStageRegions(publish.stages, c.var.deps.regions),
        ],
      },
      202,
    );
  });
}

/** The command that begins the plan, and its content, judged by the config as it is now. */
async function readStart(
  c: Context<AdminEnv>,
  { id, body, abort }: { id: string; body: z.output<typeof publishRequest>; abort: boolean },
) {
  const { config, live, revision } = await findConfigForWrite(c, id);
  let content: { bytes: Uint8Array; sha256: string } | null = null;
  let judged: { judged_by?: string } = {};
  if (body.version_id === undefined) {
    await requirePermission(c, "write", fullName(config.namespace, config.name));
    refuseTyped(config, "/content");
    content = await readContent(body);
    refuseOverSize(content.bytes, await c.var.deps.quotasOf(c, config.namespace.tenant));
    // A config that is gone takes no content: the core repeats what it answered before, or refuses.
    if (live !== null) {
      const { encrypted, format, schema } = live;
      const whole = { format, bytes: content.bytes, schema };
      await withoutQuotes(encrypted, () => validateContent({ ...whole, isSecret: encrypted }));
      judged = { judged_by: await judgedBy(live) };
    }
  }
  const isSecret = content !== null && (live?.encrypted ?? false);
  const seal = isSecret ? await sealUnder(c, config.namespace) : undefined;
  const command = {
    ...(await commandHead(c, config.namespace.tenant, revision)),
    ...(await breakGlass(c, config)),
    kind: "start_publish" as const,
    payload: {
      config_id: config.id,
      content: content && { attachment: 0, sha256: content.sha256 },
      version_id: body.version_id ?? null,
      description: body.description,
      strategy: body.strategy.type,
      stages: await readStages(c, body, config),
      form: 2 as const,
      ...(abort ? { abort_plan: true } : {}),
      ...judged,
    },
  };
  return { config, live, command, content: content && content.bytes, seal };
}

interface PlanInput {
  command: CommandOf<"start_publish">;
  attachments: readonly Uint8Array[];
  seal: { key_id: string | null } | undefined;
}

/** Proposes a plan, as a core that is being upgraded takes it. */
export async function proposePlan(c: Context<AdminEnv>, input: PlanInput) {
  const { judged_by: _unknown, ...payload } = input.command.payload;
  const unjudged = { ...input, command: { ...input.command, payload } };
  return proposeJudged((saysSo) => proposeForm(c, saysSo ? input : unjudged));
}

/**
 * Proposes a plan. While the core is upgraded from a build that knows one stage alone, a plan that such a build could make
 * does not hold up the work: then it is proposed as that build knows it, and deprecates nothing.
 */
async function proposeForm(c: Context<AdminEnv>, input: PlanInput) {
  const { core } = c.var.deps;
  const { command } = input;
  const options = { traceparent: c.var.traceparent };
  try {
    return await core.propose(input, options);
  } catch (error) {
    const { form: _new, ...payload } = command.payload;
    const isOld =
      payload.stages.length <= 1 &&
      payload.abort_plan === undefined &&
      payload.stages.every((stage) => stage.percentage === undefined && stage.gates === undefined);
    const isUpgrading = error instanceof ConfluxError && error.code === "upgrade_in_progress";
    if (!isUpgrading || !isOld) throw error;
    return await core.propose({ ...input, command: { ...command, payload } }, options);
  }
}
