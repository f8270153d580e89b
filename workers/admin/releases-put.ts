import type { OpenAPIHono } from "@hono/zod-openapi";
import { idParams, updateHeaders } from "../../contracts/config/fields.ts";
import { releaseRulesInput, releasesWritten } from "../../contracts/config/release-schemas.ts";
import type { ReleaseRule } from "../../domain/release-rule/release-rule.ts";
import { commandHead, configEtag, writtenIndex } from "./command-head.ts";
import { declareRoute, json } from "./declare-route.ts";
import { findConfigForWrite } from "./find-config-for-write.ts";
import type { AdminEnv } from "./principal.ts";

/** Rules one answer warns of; the rest is counted. */
const REGION_WARNINGS_MAX = 20;

const route = declareRoute(
  { action: "publish", resource: "{tenant}/{app}/{env}/{name}" },
  {
    method: "put",
    path: "/api/v1/mgt/configs/{id}/releases",
    tags: ["releases"],
    summary: "Replace the whole list of release rules",
    request: {
      params: idParams,
      headers: updateHeaders,
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
    const { config, revision } = await findConfigForWrite(c, "publish", c.req.valid("param").id);
    const command = {
      ...(await commandHead(c, config.namespace.tenant, revision)),
      kind: "put_releases" as const,
      payload: { config_id: config.id, releases },
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
        warnings: [...warnings, ...warnOfRegions(changed.releases, regions)],
      },
      200,
    );
  });
}

/** The log knows no regions, and one may be added after a rule that names it: so a warning, not a refusal. */
function warnOfRegions(rules: readonly ReleaseRule[], regions: readonly string[]): string[] {
  const warnings = rules.flatMap((rule, position) => {
    const unknown = (rule.edge?.regions ?? []).filter((region) => !regions.includes(region));
    return unknown.length === 0
      ? []
      : [`the rule at position ${position} names unknown regions: ${unknown.join(", ")}`];
  });
  const more = warnings.length - REGION_WARNINGS_MAX;
  return more <= 0
    ? warnings
    : [...warnings.slice(0, REGION_WARNINGS_MAX), `${more} more rules name unknown regions`];
}
