import type { OpenAPIHono } from "@hono/zod-openapi";
import type { z } from "zod";
import { idParams, updateHeaders } from "../../contracts/config/fields.ts";
import { publishRequest, publishStarted } from "../../contracts/publish/publish-schemas.ts";
import { fullName } from "../../domain/config/config-name.ts";
import type { PublishStageInput } from "../../domain/publish/publish-plan.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { sealUnder, withoutQuotes } from "./encryption-keys.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import type { AdminEnv } from "./principal.ts";
import { viewPublish } from "./publish-views.ts";
import { refuseOverSize } from "./quotas-of.ts";
import { readContent, validateContent } from "./read-content.ts";
import { requirePermission } from "./require-permission.ts";
import { warnOfRegions } from "./warn-of-regions.ts";

const route = declareRoute(
  { action: "publish", resource: "{tenant}/{app}/{env}/{name}", also: "write on it, with content" },
  {
    method: "post",
    path: "/api/v1/mgt/configs/{id}/publish",
    tags: ["publishes"],
    summary: "Publish a version by a plan",
    description:
      "Makes the version and its first release rule in one command. The clients of the stage get the new version, all others the old one, until the plan is advanced (by hand, or by itself when the stage has baked) or aborted. One plan a config runs at a time. With content the caller also needs the permission write.",
    request: {
      params: idParams,
      headers: updateHeaders,
      body: { required: true, content: json(publishRequest) },
    },
    responses: {
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
    const { config, live, revision } = await findConfigForWrite(c, c.req.valid("param").id);
    let content: { bytes: Uint8Array; sha256: string } | null = null;
    if (body.version_id === undefined) {
      await requirePermission(c, "write", fullName(config.namespace, config.name));
      content = await readContent(body);
      refuseOverSize(content.bytes, await c.var.deps.quotasOf(c, config.namespace.tenant));
      // A config that is gone takes no content: the core repeats what it answered before, or refuses.
      if (live !== null) {
        const whole = { format: live.format, bytes: content.bytes, schema: live.schema };
        await withoutQuotes(live.encrypted, () => validateContent(whole));
      }
    }
    const isSecret = content !== null && (live?.encrypted ?? false);
    const seal = isSecret ? await sealUnder(c, config.namespace) : undefined;
    const command = {
      ...(await commandHead(c, config.namespace.tenant, revision)),
      kind: "start_publish" as const,
      payload: {
        config_id: config.id,
        content: content && { attachment: 0, sha256: content.sha256 },
        version_id: body.version_id ?? null,
        description: body.description,
        strategy: body.strategy.type,
        stages: stagesOf(body),
      },
    };
    const { core, regions } = c.var.deps;
    const attachments = content === null ? [] : [content.bytes];
    const { traceparent } = c.var;
    const answer = await core.propose({ command, attachments, seal }, { traceparent });
    const { publish, config: changed, warnings } = answer.result;
    const view = viewPublish(publish);
    const owned = changed.releases.filter((rule) => rule.publish_id === publish.id);
    c.header("etag", view.etag);
    c.header("location", `/api/v1/mgt/publishes/${view.publish_id}`);
    return c.json(
      {
        ...view,
        index: await writtenIndex(c, answer),
        warnings: [...warnings, ...warnOfRegions(owned, regions)],
      },
      202,
    );
  });
}

/** The stages as the command has them; `make_default_after_mins` is the bake time of the one stage. */
function stagesOf(body: z.output<typeof publishRequest>): PublishStageInput[] {
  const { strategy, make_default_after_mins: after = null } = body;
  if (strategy.type === "all") return [];
  if (strategy.type === "canary") {
    return [{ name: "canary", regions: null, labels: strategy.canary_labels, bake_minutes: after }];
  }
  return strategy.stages.map(({ name, regions, labels, bake_minutes }) => ({
    name,
    regions: regions ?? null,
    labels: labels ?? null,
    bake_minutes: bake_minutes ?? after,
  }));
}
