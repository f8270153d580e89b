import type { OpenAPIHono } from "@hono/zod-openapi";
import { idParams, changeHeaders } from "../../contracts/config/fields.ts";
import { releaseRulesInput, releasesWritten } from "../../contracts/config/release-schemas.ts";
import { abortPlanQuery } from "../../contracts/publish/publish-schemas.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import { breakGlass } from "./break-glass.ts";
import { commandHead, configEtag, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import type { AdminEnv } from "./principal.ts";
import { refuseFaultyPatterns } from "./refuse-faulty-patterns.ts";
import { refuseTyped } from "./refuse-typed.ts";
import { warnOfBlanks } from "./warn-of-blanks.ts";
import { warnOfRegions } from "./warn-of-regions.ts";

const route = declareRoute(
  { action: "publish", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "put",
    path: "/api/v1/mgt/configs/{id}/releases",
    tags: ["releases"],
    summary: "Replace the whole list of release rules",
    description: "409 publish_running while a publish plan runs, unless abort_plan=true ends it.",
    request: {
      params: idParams,
      headers: changeHeaders,
      query: abortPlanQuery,
      body: { required: true, content: json(releaseRulesInput) },
    },
    responses: {
      200: {
        description: "The rules as stored; warnings name rules that cannot match",
        content: json(releasesWritten),
      },
    },
  },
);

/** C4: atomic for the whole list. */
export function registerReleasesPut(app: OpenAPIHono<AdminEnv>): void {
  app.openapi(route, async (c) => {
    const releases: ReleaseRule[] = c.req.valid("json");
    refuseFaultyPatterns(releases, "");
    const { config, revision } = await findConfigForWrite(c, c.req.valid("param").id);
    refuseTyped(config);
    const command = {
      ...(await commandHead(c, config.namespace.tenant, revision)),
      ...(await breakGlass(c, config)),
      kind: "put_releases" as const,
      payload: { config_id: config.id, releases, abort_plan: c.req.valid("query").abort_plan === "true" },
    };
    const { core, regions } = c.var.deps;
    const answer = await core.propose({ command, attachments: [] }, { traceparent: c.var.traceparent });
    const { config: changed, warnings } = answer.result;
    const etag = configEtag(changed.revision);
    c.header("etag", etag);
    return c.json(
      {
        releases: changed.releases,
        etag,
        index: await writtenIndex(c, answer),
        warnings: [
          ...warnings,
          ...warnOfBlanks(changed.releases),
          ...warnOfRegions(changed.releases, regions),
        ],
      },
      200,
    );
  });
}
