import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { z } from "zod";
import { batchRequest, batchWritten } from "../../contracts/config/batch-schemas.ts";
import { createChangeHeaders } from "../../contracts/config/fields.ts";
import { abortPlanQuery } from "../../contracts/publish/publish-schemas.ts";
import { readBatch } from "./batch-request.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead, writtenIndex } from "./command-head.ts";
import { viewConfig, viewVersion } from "./config-views.ts";
import { declareRoute, json } from "./declare-route.ts";
import { judgeAnew, proposeJudged } from "./judged-content.ts";
import type { AdminEnv } from "./principal.ts";
import { warnOfBlanks } from "./warn-of-blanks.ts";
import { warnOfRegions } from "./warn-of-regions.ts";
import { warnOfReleases } from "./warn-of-releases.ts";

const route = declareRoute(
  { action: "publish", resource: "{tenant}/{app}/{env}/{name}", also: "write on it, with content" },
  {
    method: "post",
    path: "/api/v1/mgt/releases:batch",
    tags: ["releases"],
    summary: "Change versions and rules of several configs, all or nothing",
    description:
      "One command and one index for all. Each item makes a new version of its content, if it has one, and then sets the whole list of rules or points the default rule somewhere. The permission is asked for each config. An error's path begins with its item; a config whose publish plan runs is publish_running, unless abort_plan=true ends it.",
    request: {
      headers: createChangeHeaders,
      query: abortPlanQuery,
      body: { required: true, content: json(batchRequest) },
    },
    responses: { 200: { description: "The configs in the order of the items", content: json(batchWritten) } },
  },
);

/** C7: several configs in one command. */
export function registerReleasesBatch(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const body = c.req.valid("json");
    const { items } = body;
    const abort_plan = c.req.valid("query").abort_plan === "true";
    const isOfRevision = items.every((item) => item.if_match !== undefined);
    const answer = await judgeAnew(() => proposeBatch(c, body, abort_plan), { isOfRevision });
    const { regions } = c.var.deps;
    const done = answer.result.items.map(({ config, version, warnings }, i) => ({
      ...viewConfig(config),
      version: version && viewVersion(version),
      // The core says nothing of a default rule that was moved.
      warnings:
        items[i]?.releases === undefined
          ? warnOfReleases(config.releases, regions)
          : [...warnings, ...warnOfBlanks(config.releases), ...warnOfRegions(config.releases, regions)],
    }));
    return c.json({ items: done, index: await writtenIndex(c, answer) }, 200);
  });
}

async function proposeBatch(c: Context<AdminEnv>, body: z.output<typeof batchRequest>, abort_plan: boolean) {
  const { tenant, items, configs, attachments, seal } = await readBatch(c, body);
  const head = { ...(await commandHead(c, tenant)), ...(await breakGlass(c, ...configs)) };
  const unjudged = items.map(({ judged_by: _unknown, ...item }) => item);
  return proposeJudged((saysSo) => {
    const payload = { items: saysSo ? items : unjudged, abort_plan };
    const command = { ...head, kind: "batch_releases" as const, payload };
    return c.var.deps.core.propose({ command, attachments, seal }, { traceparent: c.var.traceparent });
  });
}
